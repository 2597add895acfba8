"""Docstrings of maps: what a declaration says need not be written again."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tfp_flows.bijectors._core.parameters import (
    Declaration,
    OptionOf,
    ParameterOf,
)

__all__ = ["of_class", "of_factory"]

SECTIONS = ("Args", "Returns", "Raises", "Shapes", "Example", "References")
_HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)
# Arguments of every map, and of classmethods that make maps.
OF_MAPS = {
    "validate_args": "Whether to check the values of parameters at each use.",
    "name": "Name of the map.",
}
OF_FACTORIES = {
    **OF_MAPS,
    "dtype": "Dtype of the variables.",
    "seed": "Seed of what is drawn; `None` draws a new one.",
    "trainable": "Whether the variables are trained.",
    "use_shift": "Whether to learn a shift.",
    "kwargs": "`name` and `validate_args`.",
}
# Parts that take a condition.
NETWORKS = {"conditioner", "network"}
# What the letters of an event are the numbers of.
LETTERS = {"D": "coordinates", "C": "channels"}


def of_class(doc: str, declared: Mapping[str, Declaration], event: str) -> str:
    """Return the docstring of a class, with what follows from its declaration.

    Args:
        doc: As it is written; a section that is there stays.
        declared: The declared arguments, by name.
        event: Letters of an event.
    """
    texts = {**{name: one.text for name, one in declared.items()}, **OF_MAPS}
    tensors = [one for one in declared.values() if isinstance(one, ParameterOf)]
    found = {"Args": _entries(texts.items())}
    has_shapes = any(one.shape for one in tensors)
    if has_shapes:
        found["Raises"] = ["    ValueError: If shapes do not agree."]
    if event.split() == ["D"] and (has_shapes or NETWORKS & declared.keys()):
        found["Shapes"] = ["    `[..., D]` to `[..., D]`" + _broadcast(declared)]
    return _completed(doc, found)


def _broadcast(declared: Mapping[str, Declaration]) -> str:
    """Return what is said of leading dimensions."""
    for name, one in declared.items():
        if name in NETWORKS:
            return "; conditions broadcast against `[...]`."
        if isinstance(one, ParameterOf) and one.batched:
            return "; leading dimensions of the parameters broadcast."
    return "."


def of_factory(
    function: Callable[..., Any], declared: Mapping[str, Declaration], event: str
) -> str:
    """Return the docstring of a classmethod that makes a map.

    Arguments that are not documented there are those of other maps, or options of the
    class.

    Args:
        function: The function.
        declared: The declared arguments of the class, by name.
        event: Letters of an event.
    """
    doc = inspect.cleandoc(function.__doc__ or "")
    letter = event.split()[0] if event.split() else ""
    known = {k: one.doc for k, one in declared.items() if isinstance(one, OptionOf)}
    if letter in LETTERS:
        known["size"] = f"Number of {LETTERS[letter]} `{letter}`."
    known |= OF_FACTORIES
    written = _written(doc)
    entries = []
    for name, argument in list(inspect.signature(function).parameters.items())[1:]:
        stars = "**" if argument.kind is argument.VAR_KEYWORD else ""
        if name in written:
            entries += written[name]
        elif name in known:
            entries += _entries([(stars + name, known[name])])
    if "Args:" in doc:
        start, stop = _section(doc, "Args")
        doc = f"{doc[:start]}{doc[stop:]}".strip()
    return _completed(doc, {"Args": entries, "Returns": ["    The map."]})


def _section(doc: str, name: str) -> tuple[int, int]:
    """Return where a section begins and ends."""
    start = doc.index(f"{name}:\n")
    after = _HEADING.search(doc, start + len(name))
    return start, len(doc) if after is None else after.start()


def _written(doc: str) -> dict[str, list[str]]:
    """Return the lines of each argument that is documented."""
    found: dict[str, list[str]] = {}
    if "Args:" not in doc:
        return found
    start, stop = _section(doc, "Args")
    for line in doc[start:stop].rstrip().splitlines()[1:]:
        entry = re.match(r" {4}\**(\w+):", line)
        if entry is not None:
            own = found.setdefault(entry[1], [])
        own.append(line)
    return found


def _completed(doc: str, sections: Mapping[str, list[str]]) -> str:
    """Return a docstring with sections that are missing, in their order."""
    for name, lines in sections.items():
        headings = {found[1]: found.start() for found in _HEADING.finditer(doc)}
        if name in headings or not lines:
            continue
        text = "\n".join([f"{name}:", *lines])
        later = SECTIONS[SECTIONS.index(name) + 1 :]
        places = [place for heading, place in headings.items() if heading in later]
        if places:
            place = min(places)
            doc = f"{doc[:place]}{text}\n\n{doc[place:]}"
        else:
            doc = f"{doc.rstrip()}\n\n{text}\n"
    return doc


def _entries(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of arguments, none of which ends within code."""
    lines = []
    for name, text in texts:
        entry = f"{name}: {' '.join(text.split())}"
        kept = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), entry)
        lines += textwrap.wrap(
            kept,
            84,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_on_hyphens=False,
            break_long_words=False,
        )
    return [line.replace("\0", " ") for line in lines]
