"""What users hand over as draws: arrays of rows, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfp_flows import _arrays, _context

__all__ = ["draws_of", "finite", "generator", "rows"]


def finite(values: Any, argument: str) -> np.ndarray:
    """Return numbers in double precision.

    Raises:
        ValueError: If some are not finite, or none are there.
    """
    values = getattr(values, "x", values)  # of a `Table`
    found = np.asarray(_arrays.unmasked(values, argument), np.float64)
    bad = int(np.sum(~np.isfinite(found)))
    if bad:
        msg = (
            f"`{argument}` must hold finite numbers, got {bad} that are not. Drop such "
            "rows, and say how many they were."
        )
        raise ValueError(msg)
    if not found.size:
        msg = f"`{argument}` must hold numbers, got shape {found.shape}."
        raise ValueError(msg)
    return found


def rows(values: Any, argument: str) -> np.ndarray:
    """Return rows `[N, D]`; `[N]` are rows of one number, events are flattened."""
    found = finite(values, argument)
    if found.ndim == 0:
        msg = f"`{argument}` must be rows [N, D], got a single number."
        raise ValueError(msg)
    return found.reshape(len(found), -1)


def draws_of(truth: Any, draws: Any, names: tuple[str, str]) -> tuple[np.ndarray, ...]:
    """Return what is true, `[N, D]`, and draws for each, `[N, L, D]`.

    Args:
        truth: `[N, D]`, or `[N]`.
        draws: `[N, L, D]`, or `[N, L]`.
        names: What to call both in an error.

    Raises:
        ValueError: If the shapes do not fit each other, or there are too few.
    """
    first, second = rows(truth, names[0]), finite(draws, names[1])
    count, size = first.shape
    if second.ndim < 2 or len(second) != count or second[0, 0].size != size:
        msg = (
            f"`{names[1]}` must be [{count}, L, {size}], L draws for each of the "
            f"{count} rows of `{names[0]}`, got shape {second.shape}. Move the axis of "
            "the draws behind that of the rows."
        )
        raise ValueError(msg)
    second = second.reshape(count, second.shape[1], size)
    if count < 10 or second.shape[1] < 2:
        msg = (
            f"calibration needs 10 rows of `{names[0]}` and 2 draws for each or more, "
            f"got {count} and {second.shape[1]}. Simulate some hundreds of pairs."
        )
        raise ValueError(msg)
    return first, second


def generator(seed: Any) -> np.random.Generator:
    """Return a generator of its own stream for a seed.

    What users draw from `np.random.default_rng(seed)` must not depend on it.
    """
    return _context.generator(seed).spawn(1)[0]
