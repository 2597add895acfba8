"""Numbers as arguments, refused in words that name no function of ours."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["count", "dpi", "fraction", "half", "seed", "temperature", "time", "whole"]


def _whole(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return the type of whole numbers, also written like `1e3`.

    Args:
        minimum: The smallest.
        maximum: The largest.
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = _from_float(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}, got {text}")
        if value > maximum:
            raise argparse.ArgumentTypeError(
                f"must be at most {maximum:,}, got {text[:30]}"
            )
        return value

    return read


def _from_float(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer():
        msg = f"invalid number {text!r}, must be whole"
        raise argparse.ArgumentTypeError(msg)
    return int(value)


def _number(
    minimum: float, maximum: float, words: str, *, below: bool = False
) -> Callable[[str], float]:
    """Return the type of finite numbers within two.

    Args:
        minimum: The smallest.
        maximum: The largest.
        words: What a number must be, as it completes "must be ...".
        below: Whether the largest one is excluded.
    """

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        fits = minimum <= value < maximum if below else minimum <= value <= maximum
        if not fits or not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"must be {words}, got {text!r}")
        return value

    return read


def time(text: str) -> str:
    """Return a time in words, checked: a number above 0, and a unit unless seconds."""
    number = text.rstrip("hmins ")
    if text[len(number) :].strip() not in ("", "s", "m", "min", "h"):
        number = ""
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 10s or 2min, got {text!r}"
        )
    return text


count = _whole(1, 10**9)
whole = _whole(0, 10**9)
# TensorFlow's seeds are integers of 32 bits.
seed = _whole(0, 2**31 - 1)
fraction = _number(0, 1, "at least 0 and below 1", below=True)
half = _number(1e-9, 0.5, "above 0 and at most 0.5")
dpi = _whole(10, 1200)
temperature = _number(0, 1e30, "a number from 0 on")
