"""Docstrings: what is said of an argument in one place need not be written again."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

__all__ = ["Documented", "completed", "entries", "with_arguments"]

SECTIONS = (
    "Args",
    "Attributes",
    "Returns",
    "Raises",
    "Shapes",
    "Example",
    "References",
)
_HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)


class Documented:
    """Part of classes whose constructors have many arguments in common.

    Docstrings of subclasses need not document those of `_arguments`.
    """

    _arguments: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        doc, constructor = cls.__doc__ or "", getattr(cls, "__init__", None)
        if inspect.isfunction(constructor) and "Args:" in doc:
            cls.__doc__ = with_arguments(doc, constructor, cls._arguments)


def with_arguments(
    doc: str, function: Callable[..., Any], known: Mapping[str, str]
) -> str:
    """Return a docstring with the arguments of a function, in their order.

    Args:
        doc: As it is written; an argument that is documented there stays.
        function: The function, of which the first argument is the object or the class.
        known: Texts of arguments that need not be written.
    """
    doc = inspect.cleandoc(doc)
    written = _written(doc)
    lines = []
    for name, argument in list(inspect.signature(function).parameters.items())[1:]:
        stars = "**" if argument.kind is argument.VAR_KEYWORD else ""
        if name in written:
            lines += written[name]
        elif name in known:
            lines += entries([(stars + name, known[name])])
    if "Args:" in doc:
        start, stop = _section(doc, "Args")
        doc = f"{doc[:start]}{doc[stop:]}".strip()
    return completed(doc, {"Args": lines})


def completed(doc: str, sections: Mapping[str, list[str]]) -> str:
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


def entries(texts: Iterable[tuple[str, str]]) -> list[str]:
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
