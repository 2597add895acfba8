"""Checks of numbers and of their ranges."""

from __future__ import annotations

import math
import numbers
from typing import Any

from tfp_flows._checks.words import of_kind

__all__ = [
    "at_least",
    "between",
    "count",
    "divides",
    "fraction",
    "interval",
    "plain_number",
    "positive",
]


def plain_number(value: Any, argument: str) -> None:
    """Raise unless `value` is a number of Python or NumPy: a variable would freeze."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        msg = (
            f"`{argument}` must be a plain number, got {type(value).__name__}. It is a "
            "setting, which is not trained."
        )
        raise TypeError(msg)


def at_least(value: Any, minimum: float, argument: str) -> None:
    """Raise unless the number `value` is at least `minimum`."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        msg = f"`{argument}` must be a number, got {value!r}."
        raise TypeError(msg)
    if not float(value) >= minimum:
        msg = f"`{argument}` must be at least {minimum}, got {value!r}."
        raise ValueError(msg)


def positive(value: Any, argument: str) -> float:
    """Return a plain number above 0, or raise.

    Args:
        value: The number.
        argument: Its name.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not above 0, or infinite.
    """
    plain_number(value, argument)
    if not 0.0 < float(value) < math.inf:
        msg = f"`{argument}` must be above 0 and finite, got {value!r}."
        raise ValueError(msg)
    return float(value)


def between(value: Any, minimum: float, maximum: float, argument: str) -> None:
    """Raise unless the number `value` lies between two, both included."""
    at_least(value, minimum, argument)
    if not value <= maximum:
        msg = f"`{argument}` must be at most {maximum}, got {value!r}."
        raise ValueError(msg)


def fraction(value: float, argument: str) -> None:
    """Raise unless `0 <= value < 1`."""
    at_least(value, 0, argument)
    if not value < 1:
        msg = f"`{argument}` must be at least 0 and below 1, got {value!r}."
        raise ValueError(msg)


def interval(
    low: Any, high: Any, names: tuple[str, str] = ("range_min", "range_max")
) -> None:
    """Raise unless two plain numbers are the ends of an interval."""
    for argument, value in zip(names, (low, high), strict=True):
        plain_number(value, argument)
    if not low < high:
        msg = (
            f"`{names[0]}` must be below {names[1]}, got {low} and {high}. Swap or "
            "widen them."
        )
        raise ValueError(msg)


def count(value: Any, minimum: int, argument: str) -> None:
    """Raise unless `value` is a whole number, and at least `minimum`."""
    of_kind(value, "int", argument)
    at_least(int(value), minimum, argument)


def divides(value: Any, whole: int, argument: str, what: str) -> None:
    """Raise unless `value` is a whole number that divides another one.

    Args:
        value: The number.
        whole: What it has to divide.
        argument: Its name.
        what: What `whole` counts, with its article: "the columns".
    """
    count(value, 1, argument)
    if whole % value:
        sizes = ", ".join(str(i) for i in range(1, whole + 1) if whole % i == 0)
        msg = (
            f"`{argument}` must divide {what}, {whole}, got {value}. Use one of "
            f"{sizes}."
        )
        raise ValueError(msg)
