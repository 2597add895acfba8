"""Clusters of rows (NumPy)."""

from __future__ import annotations

import numpy as np

__all__ = ["nearest"]

# Rows among which centres are searched, and steps of the search.
ROWS, STEPS = 5_000, 30


def nearest(x: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the cluster of each row, by k-means from spread starts.

    Args:
        x: Rows, `[N, D]`.
        count: Number of clusters; some may stay empty.
        seed: Int that fixes the starts.

    Returns:
        `[N]`, from 0 to `count - 1`.

    References:
        Arthur, Vassilvitskii (2007). k-means++: the advantages of careful seeding.
    """
    rng = np.random.default_rng(seed)
    rows = x if len(x) <= ROWS else x[rng.choice(len(x), ROWS, replace=False)]
    rows = rows.astype(np.float64)
    centres = rows[rng.integers(len(rows), size=1)]
    while len(centres) < count:
        gap = _squares(rows, centres).min(axis=1)
        total = gap.sum()
        chances = gap / total if total > 0.0 else None
        centres = np.concatenate([centres, rows[rng.choice(len(rows), 1, p=chances)]])
    for _ in range(STEPS):
        own = _squares(rows, centres).argmin(axis=1)
        moved = np.array(
            [
                rows[own == i].mean(axis=0) if (own == i).any() else centre
                for i, centre in enumerate(centres)
            ]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    found: np.ndarray = _squares(x.astype(np.float64), centres).argmin(axis=1)
    return found


def _squares(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances, `[N, K]`, one centre after the other."""
    return np.stack([np.square(x - c).sum(axis=1) for c in centres], axis=1)
