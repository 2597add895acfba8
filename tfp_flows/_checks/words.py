"""Checks of kinds: names among others, functions, what an annotation allows."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "did_you_mean",
    "function",
    "is_whole",
    "of_kind",
    "one_of",
    "supports_floating",
    "verbosity",
]


def one_of(value: Any, choices: Sequence[Any], argument: str) -> None:
    """Raise unless `value` is among `choices`."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        hint = did_you_mean(value, choices)
        msg = f"`{argument}` must be one of {names}, got {value!r}{hint or '.'}"
        raise ValueError(msg)


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """Return `: did you mean ...?`, or nothing if no word is near.

    Args:
        word: What was given.
        known: The words that there are.
    """
    words = {choice.lower(): choice for choice in known if isinstance(choice, str)}
    near = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.7)
    return f": did you mean {words[near[0]]!r}?" if near else ""


def of_kind(value: Any, annotation: str, argument: str) -> None:
    """Raise unless a value is one that a plain annotation allows.

    Args:
        value: The value.
        annotation: Such as `int`, `float | None` or `Sequence[int]`; of others nothing
            is checked.
        argument: Name of the argument.
    """
    parts = [part.strip() for part in annotation.split("|")]
    if not set(parts) <= set(_KINDS) or any(_KINDS[p][0](value) for p in parts):
        return
    words = " or ".join(_KINDS[part][1] for part in parts)
    msg = f"`{argument}` must be {words}, got {value!r}."
    raise TypeError(msg)


def is_whole(value: Any) -> bool:
    """Return whether a value counts as an int, which `True` does not."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, Sequence) and all(isinstance(v, str) for v in value)


def _are_whole(value: Any) -> bool:
    return is_whole(value) or (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(map(is_whole, value))
    )


# What annotations mean: a check, and the words for it.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "None": (lambda value: value is None, "None"),
    "bool": (lambda value: isinstance(value, (bool, np.bool_)), "True or False"),
    "str": (lambda value: isinstance(value, str), "a name"),
    "int": (is_whole, "a number without a fraction"),
    "float": (_is_real, "a number"),
    "Sequence[str]": (_are_names, "a list of names"),
    "Sequence[int]": (_are_whole, "a positive int or a tuple of them"),
}


def function(value: Any, argument: str) -> None:
    """Raise unless `value` can be called."""
    if not callable(value):
        msg = f"`{argument}` must be a function, got {type(value).__name__}."
        raise TypeError(msg)


def verbosity(value: Any) -> None:
    """Raise unless `value` says how much to print, as Keras' `verbose` does."""
    if not isinstance(value, (str, numbers.Integral)) or value != "0":
        one_of(value, ("auto", 0, 1, 2), "verbose")


def supports_floating(dtype: Any, owner: str) -> None:
    """Raise unless `dtype` is float32 or float64."""
    name = getattr(dtype, "name", str(dtype))
    if name not in ("float32", "float64"):
        msg = f"{owner} needs float32 or float64 values, got {name}. Cast the input."
        raise TypeError(msg)
