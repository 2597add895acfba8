"""Finds columns that other columns, or the conditions, determine up to rounding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tfp_flows._findings import Finding
from tfp_flows.preprocessing.checks import label, sampled

__all__ = ["dependent", "given"]

# A column is determined by others if they leave so much of its deviation.
_DETERMINED = 1e-6
# Among more columns, those that conditions determine are not looked for.
_MOST_COLUMNS = 256


def dependent(
    x: np.ndarray, names: Sequence[str] | None, spared: Sequence[bool] | None = None
) -> list[Finding]:
    """Find columns that columns before them determine up to rounding.

    Args:
        x: Numbers, `[N, D]`, no column constant.
        names: Names of the columns, if they have names.
        spared: Which columns hold integers or categories: their sums have masses.
    """
    others = [label(names, j).removeprefix("column ") for j in range(x.shape[1])]
    found = []
    for i, used in _determined(sampled(x), 1, spared):
        what = _sum_of(x, i, used, "column", others)
        sentence = f"{what}: a density has no width there. Drop it."
        found.append(Finding(label(names, i), sentence, severity="error"))
    return found


def given(
    x: np.ndarray,
    names: Sequence[str] | None,
    condition: np.ndarray,
    condition_names: Sequence[str] | None,
    spared: Sequence[bool] | None = None,
) -> list[Finding]:
    """Find columns that the conditions determine up to rounding.

    Args:
        x: Numbers, `[N, D]`, no column constant.
        names: Names of the columns, if they have names.
        condition: Conditions of the rows, `[N, C]`.
        condition_names: Their names, if they have names.
        spared: Which columns hold integers or categories, of which masses are known.
    """
    varies = np.flatnonzero((condition != condition[:1]).any(axis=0))
    count = len(varies)
    if not count or count + x.shape[1] > _MOST_COLUMNS:
        return []
    every = sampled(np.concatenate([condition[:, varies], x], axis=1))
    others = [label(condition_names, int(j)).removeprefix("column ") for j in varies]
    others += [label(names, j).removeprefix("column ") for j in range(x.shape[1])]
    found = []
    for i, used in _determined(every, count, None):
        if used.min() >= count:  # columns of `x` alone do
            continue
        is_mass = spared is not None and spared[i - count]
        end = "its mass is 1" if is_mass else "a density has no width there"
        what = _sum_of(every, i, used, "condition column", others)
        sentence = f"{what}: given the conditions, {end}. Drop one of them."
        found.append(Finding(label(names, i - count), sentence))
    return found


def _determined(
    x: np.ndarray, first: int, spared: Sequence[bool] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield columns from `first` on that those before determine, and these."""
    n, d = x.shape
    if d < 2 or n <= d + 1:
        return
    scale = np.max(np.abs(x - x.mean(axis=0)), axis=0)
    z = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    z = z / np.maximum(np.sqrt((z * z).mean(axis=0)), 1e-300)
    triangle = np.abs(np.linalg.qr(z / np.sqrt(len(z)), mode="r"))
    for i in range(first, d):
        if triangle[i, i] > _DETERMINED or (spared is not None and spared[i]):
            continue
        copies = np.flatnonzero((x[:, :i] == x[:, i : i + 1]).all(axis=0))
        if len(copies):
            yield i, copies[:1]
            continue
        weights, *_ = np.linalg.lstsq(z[:, :i], z[:, i], rcond=1e-9)
        yield i, np.flatnonzero(np.abs(weights) > 1e-3 * np.abs(weights).max())


def _sum_of(
    x: np.ndarray, i: int, used: np.ndarray, noun: str, labels: Sequence[str]
) -> str:
    """Return in words how other columns determine one."""
    others = [labels[int(j)] for j in used]
    if len(used) > 1:
        listed = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        return f"is a sum of multiples of the columns {listed}, up to rounding"
    if (x[:, i] == x[:, used[0]]).all():
        return f"is a copy of {noun} {others[0]}"
    return f"is {noun} {others[0]} in another unit, up to rounding"
