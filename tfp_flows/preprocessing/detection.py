"""Tells from its values what a column is; when in doubt, any number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfp_flows.preprocessing.checks import spread
from tfp_flows.preprocessing.column import Column

__all__ = ["detect", "detect_column"]

# Fewer values say nothing.
_FEW = 50
# Decimals that are tried; by this part of a step a value may miss its place.
_DECIMALS, _MISS = 6, 1e-3
# A step counts from this part of the deviation on: a smaller one changes no density.
_STEP, _STEP_OF_INTEGERS = 0.02, 0.01
# So many values without any grid are labels, if each occurs so often on average, and
# the rarest this often: else most are outliers of an atom.
_LABELS, _TIMES, _RAREST = 12, 20, 5
# Values are atoms from this share on, if no other is this part as frequent; no column
# has more.
_ATOM, _RARER, _ATOMS = 0.02, 0.1, 3
# Atoms on a grid need this share, or the masses of the grid will do.
_ATOM_ON_GRID = 0.2
# An end is one if so many values lie within this part of the deviation, and none
# beyond: with as many expected there, that is no chance. 1 counts with 0 or -1 only.
_NEAR, _EVIDENCE = 0.25, 10
_LOW_ENDS, _HIGH_ENDS = (0.0,), (1.0, 100.0)
# An end of integers: this share of the values, and this part of those beside it.
_END_SHARE, _END_RATIO = 0.05, 0.6
# An amount spans decades if its 99th percentile is so many times its first.
_DECADES = 1e3


def detect(x: Any) -> tuple[Column, ...]:
    """Return what each column of a table seems to be.

    Integers and rounded numbers whose steps matter, values that many rows share
    (atoms), few values (categories), and natural ends, 0, 1 and 100, at which values
    crowd and beyond which there are none. Everything else is any number.

    Args:
        x: Numbers, `[N, D]` or `[N]`; NaN for missing cells.

    Example:
        >>> import numpy as np
        >>> from tfp_flows.preprocessing import detect
        >>> rng = np.random.default_rng(0)
        >>> ages = rng.integers(18, 90, size=500)
        >>> rain = np.where(rng.uniform(size=500) < 0.7, 0.0, rng.gamma(2.0, size=500))
        >>> for column in detect(np.column_stack([ages, rain, rng.normal(size=500)])):
        ...     print(column)
        integers
        amounts from 0, with an atom at 0
        numbers
    """
    x = np.asarray(x)
    x = x[:, np.newaxis] if x.ndim == 1 else x
    return tuple(detect_column(values) for values in x.T)


def detect_column(values: np.ndarray) -> Column:
    """Return what one column seems to be.

    Args:
        values: Numbers, `[N]`; NaN for missing cells.
    """
    eps = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 1e-16
    values = values[np.isfinite(values)].astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):  # of numbers beyond float32
        short = values.astype(np.float32)
    if (values == short).all():
        eps = max(eps, np.finfo(np.float32).eps)
    if len(values) < _FEW:
        return Column()
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) <= 2:
        return Column(categories=tuple(levels)) if len(levels) == 2 else Column()
    grid = _grid(levels, float(eps))
    fine = grid is None or grid[0] < _STEP * spread(values)
    if fine and _are_labels(levels, counts):
        return Column(categories=tuple(levels))
    atoms = _atoms(levels, counts)
    rest = ~np.isin(values, atoms)
    if len(np.unique(values[rest])) < 2:  # nothing that has a width
        atoms, rest = (), np.ones(len(values), bool)
    width = spread(values[rest])
    step: float | None = None
    offset = 0.0
    if grid is not None:
        step, offset = grid
    if step is not None:
        is_integer = step == 1.0 and offset == 0.0
        smallest = _STEP_OF_INTEGERS if is_integer else _STEP
        share = np.isin(values, atoms).mean()
        if atoms and (share < _ATOM_ON_GRID or step > 0.25 * width):
            atoms = ()
            width = spread(values)
        if step < smallest * width:
            step, offset = None, 0.0
    low, high = _ends(values, width, step, levels, counts)
    atoms = tuple(a for a in atoms if low <= a <= high)
    kind: dict[str, Any] = {
        "low": low,
        "high": high,
        "step": step,
        "offset": offset,
        "atoms": atoms,
        "found": step is not None,
    }
    if step is None and np.isfinite(low) and not np.isfinite(high):
        inner = values[(values > low) & ~np.isin(values, atoms)] - low
        inner = inner if len(inner) else np.ones(1)
        first, last = np.quantile(inner, [0.01, 0.99])
        kind["logarithmic"] = bool(last > _DECADES * first)
    try:
        return Column(**kind)
    except ValueError:  # such as an end beside the grid
        return Column()


def _grid(levels: np.ndarray, eps: float) -> tuple[float, float] | None:
    """Return the step and the offset of which all values are multiples, if any."""
    largest = np.abs(levels).max()
    for decimals in range(_DECIMALS + 1):
        scale = 10.0**decimals
        error = 2 * eps * largest * scale
        if error > 0.02:
            break
        scaled = levels * scale
        whole = np.round(scaled)
        steps = np.diff(whole)
        if steps.min() >= 1 and np.abs(scaled - whole).max() <= max(error, 1e-9):
            number = int(np.gcd.reduce(steps.astype(np.int64)))
            offset = int(whole[0]) % number / scale
            return number / scale, offset
    gaps = np.diff(levels)
    smallest = gaps.min()
    if smallest <= 50 * eps * largest or len(levels) < 3:
        return None
    numbers = gaps / smallest
    if np.abs(numbers - np.round(numbers)).max() > 0.1:
        return None
    places = np.concatenate([[0.0], np.cumsum(np.round(numbers))])
    step = (levels[-1] - levels[0]) / places[-1]
    miss = np.abs(levels - levels[0] - places * step).max()
    if miss > 0.2 * _MISS * step + 2 * eps * largest:
        return None
    return float(step), float(levels[0] - np.floor(levels[0] / step) * step)


def _are_labels(levels: np.ndarray, counts: np.ndarray) -> bool:
    often = counts.sum() >= _TIMES * len(levels) and counts.min() >= _RAREST
    return bool(often) and len(levels) <= _LABELS


def _atoms(levels: np.ndarray, counts: np.ndarray) -> tuple[float, ...]:
    """Return values that far more rows share than any other."""
    order = np.argsort(-counts, kind="stable")
    number = 0
    for i in range(min(_ATOMS, len(order) - 1)):
        share = counts[order[i]] / counts.sum()
        if share >= _ATOM and counts[order[i + 1]] <= _RARER * counts[order[i]]:
            number = i + 1
    shares = counts[order[:number]] / counts.sum()
    if (shares < _ATOM).any():
        return ()
    return tuple(sorted(float(levels[i]) for i in order[:number]))


def _ends(
    values: np.ndarray,
    width: float,
    step: float | None,
    levels: np.ndarray,
    counts: np.ndarray,
) -> tuple[float, float]:
    """Return the ends of a column, infinite where there are none."""
    low, high = -np.inf, np.inf
    near = max(_NEAR * width, 0.5 * (step or 0.0))
    for end in _LOW_ENDS:
        if levels[0] >= end and (values <= end + near).sum() >= _EVIDENCE:
            low = end
    for end in _HIGH_ENDS:
        if levels[-1] <= end and (values >= end - near).sum() >= _EVIDENCE:
            high = end
            break
    if high == 1.0 and not np.isfinite(low):
        is_low = levels[0] >= -1.0 and (values <= near - 1.0).sum() >= _EVIDENCE
        low, high = (-1.0, 1.0) if is_low else (-np.inf, np.inf)
    total = counts.sum()
    if step is not None and len(levels) <= 20:
        whole = len(levels) == round((levels[-1] - levels[0]) / step) + 1
        if whole and counts[0] > max(_END_SHARE * total, _END_RATIO * counts[1]):
            low = max(low, float(levels[0]))
        if whole and counts[-1] > max(_END_SHARE * total, _END_RATIO * counts[-2]):
            high = min(high, float(levels[-1]))
    return low, high
