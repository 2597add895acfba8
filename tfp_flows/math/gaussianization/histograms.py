"""Fine histograms of all features at once, which merge by a sum.

The counts of a regular grid are all that a layer of a greedy fit needs from the data:
those of shards, folds, or replicas add up to those of the whole, bit for bit.
"""

from __future__ import annotations

import numpy as np

__all__ = ["edges", "fold_histograms", "histogram"]


def edges(low: float, high: float, num_cells: int) -> np.ndarray:
    """Return the edges of a regular grid, `[G + 1]`."""
    return np.linspace(low, high, num_cells + 1)


def histogram(
    x: np.ndarray,
    low: np.ndarray | float,
    high: np.ndarray | float,
    num_cells: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Count the rows in each cell of a regular grid, for all features at once.

    Args:
        x: Data, `[N, D]`.
        low: Where the grid of each feature starts, `[D]` or one number.
        high: Where it ends.
        num_cells: Number of cells `G`. What lies outside counts to the end cells.
        weights: Weight of each row, `[N]`; `None` for ones.

    Returns:
        Counts, `[D, G]`.
    """
    size = x.shape[1]
    scale = num_cells / (np.asarray(high, np.float64) - low)
    cells = np.clip((x - low) * scale, 0, num_cells - 1).astype(np.intp)
    cells += num_cells * np.arange(size)
    if weights is not None:
        weights = np.repeat(weights, size)
    counts = np.bincount(cells.ravel(), weights, size * num_cells)
    return counts.reshape(size, num_cells).astype(np.float64)


def fold_histograms(
    x: np.ndarray,
    folds: np.ndarray,
    num_folds: int,
    low: float,
    high: float,
    num_cells: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Return one histogram for each fold of the rows.

    Args:
        x: Data, `[N, D]`.
        folds: Number of the fold of each row, `[N]`.
        num_folds: How many folds `F` there are.
        low: Where the grid starts.
        high: Where it ends.
        num_cells: Number of cells `G`.
        weights: Weight of each row, `[N]`; `None` for ones.

    Returns:
        Counts, `[F, D, G]`, whose sum is the histogram of all rows.
    """
    size = x.shape[1]
    scale = num_cells / (high - low)
    cells = np.clip((x - low) * scale, 0, num_cells - 1).astype(np.intp)
    cells += num_cells * (np.arange(size) + size * folds[:, np.newaxis])
    if weights is not None:
        weights = np.repeat(weights, size)
    counts = np.bincount(cells.ravel(), weights, num_folds * size * num_cells)
    return counts.reshape(num_folds, size, num_cells).astype(np.float64)
