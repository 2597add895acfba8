"""Docstrings of maps: what a declaration says need not be written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfp_flows import _documented
from tfp_flows.bijectors._core.parameters import (
    Declaration,
    OptionOf,
    ParameterOf,
)

__all__ = ["of_class", "of_factory"]

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


def of_class(cls: Any, declared: Mapping[str, Declaration], event: str) -> str:
    """Return the docstring of a class, with what follows from its declaration.

    Args:
        cls: The class; an argument or a section that is documented there stays.
        declared: The declared arguments, by name.
        event: Letters of an event.
    """
    texts = {**{name: one.text for name, one in declared.items()}, **OF_MAPS}
    tensors = [one for one in declared.values() if isinstance(one, ParameterOf)]
    doc = _documented.with_arguments(cls.__doc__, cls.__init__, texts)
    found = {}
    has_shapes = any(one.shape for one in tensors)
    if has_shapes:
        found["Raises"] = ["    ValueError: If shapes do not agree."]
    if event.split() == ["D"] and (has_shapes or NETWORKS & declared.keys()):
        found["Shapes"] = ["    `[..., D]` to `[..., D]`" + _broadcast(declared)]
    return _documented.completed(doc, found)


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
    letter = event.split()[0] if event.split() else ""
    known = {k: one.doc for k, one in declared.items() if isinstance(one, OptionOf)}
    if letter in LETTERS:
        known["size"] = f"Number of {LETTERS[letter]} `{letter}`."
    known |= OF_FACTORIES
    doc = _documented.with_arguments(function.__doc__ or "", function, known)
    return _documented.completed(doc, {"Returns": ["    The map."]})
