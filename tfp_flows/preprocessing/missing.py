"""Fills missing cells of a table with values of similar rows."""

from __future__ import annotations

import numpy as np

__all__ = ["impute"]

# A missing cell gets the value of one of so many rows that are most alike.
_DONORS = 5
# How often each column is predicted from the others.
_ROUNDS = 5
# Of the variance of a column, which is 1: keeps a regression on few rows stable.
_RIDGE = 1e-3


def impute(values: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Fill missing cells by predictive mean matching.

    Each column with missing cells is regressed on all others; a missing cell then gets
    the value of one of the five rows, where it is known, whose predictions are nearest.
    Columns keep their distribution: what is filled in are values that occur, integers
    among integers, and no heap at the mean. What depends on being missing is not
    restored.

    Args:
        values: Numbers, `[N, D]`, NaN where a cell is missing.
        seed: Int that fixes which similar row is taken.

    Returns:
        `[N, D]` without NaN; cells that were there are as they were.

    Raises:
        ValueError: If a column has no value at all.

    References:
        Little, 1988, "Missing-data adjustments in large surveys",
        https://doi.org/10.1080/07350015.1988.10509663
    """
    rng = np.random.default_rng(seed)
    missing = np.isnan(values)
    if missing.all(axis=0).any():
        column = int(np.flatnonzero(missing.all(axis=0))[0])
        msg = f"column {column + 1} must have some values to impute from, got none."
        raise ValueError(f"{msg} Drop it.")
    filled = values.astype(np.float64)
    for j in np.flatnonzero(missing.any(axis=0)):
        known = values[~missing[:, j], j]
        filled[missing[:, j], j] = rng.choice(known, missing[:, j].sum())
    order = np.argsort(missing.sum(axis=0), kind="stable")
    for _ in range(_ROUNDS if values.shape[1] > 1 else 0):
        for j in order:
            if missing[:, j].any():
                _match(filled, missing[:, j], int(j), rng)
    return filled


def _match(
    filled: np.ndarray, missing: np.ndarray, column: int, rng: np.random.Generator
) -> None:
    """Fill the missing cells of one column, in place."""
    others = np.delete(filled, column, axis=1)
    width = others.std(axis=0)
    z = (others - others.mean(axis=0)) / np.where(width > 0, width, 1.0)
    known = ~missing
    target = filled[known, column]
    centre = z[known].mean(axis=0)
    design = z[known] - centre
    gram = design.T @ design + _RIDGE * len(design) * np.eye(z.shape[1])
    slope = np.linalg.solve(gram, design.T @ (target - target.mean()))
    predicted = (z - centre) @ slope
    order = np.argsort(predicted[known], kind="stable")
    ranked = predicted[known][order]
    place = np.searchsorted(ranked, predicted[missing])
    first = np.clip(place - _DONORS // 2, 0, max(0, len(ranked) - _DONORS))
    step = rng.integers(min(_DONORS, len(ranked)), size=len(first))
    filled[missing, column] = target[order[first + step]]
