"""Whether images are the raw pixels that a flow of images takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfp_flows import _findings

__all__ = ["require", "scaled"]

# How far from a whole number a pixel may be that was computed as one.
ROUNDING = 1e-3


def require(
    images: Any,
    argument: str,
    *,
    num_values: int,
    is_bounded: bool,
    is_whole: bool,
) -> None:
    """Raise unless images are finite pixels in the range and the unit of a flow.

    Args:
        images: Images, `[..., H, W, C]`; none at all pass.
        argument: What to call them.
        num_values: Number of values of a pixel.
        is_bounded: Whether the flow has a density from 0 to `num_values` only.
        is_whole: Whether the flow adds noise to pixels, which are integers then.

    Raises:
        TypeError: If they are no numbers.
        ValueError: If a pixel is not finite or out of range, or if they are scaled.
    """
    x = np.asarray(images)
    if x.dtype.kind not in "fiub":
        msg = f"`{argument}` must be pixels as numbers, got values of type {x.dtype}."
        raise TypeError(msg)
    if not x.size:
        return
    if x.dtype.kind == "f" and not np.all(np.isfinite(x)):
        place = np.argwhere(~np.isfinite(x))[0].tolist()
        msg = (
            f"`{argument}` must be finite pixels, got {x[tuple(place)]} at {place}. "
            "Repair or leave out that image."
        )
        raise ValueError(msg)
    low, high = float(np.min(x)), float(np.max(x))
    limit = num_values - is_whole
    if x.dtype.kind == "f" and num_values > 2:
        _require_unit(x, argument, limit, is_whole=is_whole)
    if is_bounded and not (low >= 0 and high <= limit):
        advice = "Scale them, or build with logit_alpha=None"
        if num_values == 256 and low >= 0 and high.is_integer() and high < 65536:
            advice = (
                "Divide those of 16 bits, (x // 257).astype('uint8'), or build with "
                "num_values=65536"
            )
        msg = (
            f"`{argument}` must be pixels from 0 to {limit}, got numbers from {low:g} "
            f"to {high:g}. {advice}."
        )
        raise ValueError(msg)


def _require_unit(x: np.ndarray, argument: str, limit: int, *, is_whole: bool) -> None:
    """Raise if pixels are shares of the largest one, warn if they are fractions."""
    if not np.any(np.abs(x - np.round(x)) > ROUNDING):
        return
    low, high = float(np.min(x)), float(np.max(x))
    way = _unscaled(low, high, limit)
    if way:
        msg = (
            f"`{argument}` must be raw pixels, 0 to {limit}, got fractions from "
            f"{low:g} to {high:g}, which look scaled. Pass {way}."
        )
        raise ValueError(msg)
    if is_whole:
        warnings.warn(
            f"`{argument}` are fractions from {low:g} to {high:g}, to which the flow "
            "adds noise as to whole numbers: bits per dimension are no code length. "
            "Round them, or build with dequantize=False.",
            stacklevel=4,
        )


def _unscaled(low: float, high: float, limit: int) -> str:
    """Return how to make raw pixels of fractions that look scaled, else nothing."""
    if not (low >= -1.0 and high <= 1.0):
        return ""
    return f"np.round({limit} * x)" if low >= 0 else f"np.round({limit} * (x + 1) / 2)"


def scaled(x: np.ndarray, limit: int) -> Iterator[_findings.Finding]:
    """Yield what is to be said of pictures whose pixels look scaled.

    Args:
        x: Pictures.
        limit: Largest raw pixel.
    """
    if limit < 2 or not x.size:
        return
    low, high = float(np.min(x)), float(np.max(x))
    way = _unscaled(low, high, limit)
    if way and np.any(np.abs(x - np.round(x)) > ROUNDING):
        yield _findings.Finding(
            "x",
            f"has pixels from {low:g} to {high:g}, which look scaled: the densities "
            f"are those of nearly black pictures. Pass {way}.",
        )
