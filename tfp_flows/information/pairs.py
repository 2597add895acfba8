"""Pairs of columns that depend on each other in ways that a covariance does not show.

Many columns hide a sharp dependence of two of them: what few rows leave of it in the
space of all is hard to tell from noise. In the plane of the pair it is not.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = ["matched"]

# Rows of a cell of the table of a pair, on average, and the cells of a side.
ROWS_PER_CELL, CELLS = 8, (4, 16)
# Standard deviations of the value that independent columns have.
DEVIATIONS = 5.0


def matched(z: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of columns, each column in one at most, the strongest pair first.

    The mutual information of a table of counts, less what independent columns have on
    average, must exceed that of the normal distribution of the same correlation.

    Args:
        z: Rows whose columns are nearly normal, `[N, D]`.
    """
    count, size = z.shape
    cells = int(np.clip(math.sqrt(count / ROWS_PER_CELL), *CELLS))
    # Equally many rows in each cell of a column.
    place = np.argsort(np.argsort(z, axis=0), axis=0) * cells // count
    correlation = np.corrcoef(z.T)
    freedom = (cells - 1) ** 2
    found = {}
    for i, j in itertools.combinations(range(size), 2):
        table = np.bincount(place[:, i] * cells + place[:, j], minlength=cells**2)
        share = table[table > 0] / count
        value = float(np.sum(share * np.log(share * cells**2)))
        value -= freedom / (2.0 * count)
        value += 0.5 * math.log1p(-min(correlation[i, j] ** 2, 1.0 - 1e-12))
        if value > DEVIATIONS * math.sqrt(2.0 * freedom) / (2.0 * count):
            found[i, j] = value
    out: list[tuple[int, int]] = []
    free = set(range(size))
    for i, j in sorted(found, key=found.__getitem__, reverse=True):
        if {i, j} <= free:
            out.append((i, j))
            free -= {i, j}
    return out
