"""What a cell may be instead: sums over the values of columns that have masses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfp_flows.preprocessing import axes
from tfp_flows.preprocessing.cells import Cells

__all__ = ["Grid", "log_sums", "values_of"]

# A grid of more values is summed along by nodes; around those of draws, so much of
# their range is looked at on both sides.
MOST_VALUES, BEYOND = 40, 0.5
# Points of one call of a flow.
POINTS = 2**14


class Grid:
    """Which values of columns are the multiples of a step, and which are atoms.

    Args:
        cells: The columns; `None` if all hold any number.
        size: How many columns there are.
    """

    def __init__(self, cells: Cells | None, size: int) -> None:
        self._cells = cells
        columns = [] if cells is None else [axes.coded(c) for c in cells.spec.columns]
        self.steps = np.array([c.step or 0.0 for c in columns] or np.zeros(size))
        self._offsets = np.array([c.offset for c in columns] or np.zeros(size))
        ends = [c.first_and_last for c in columns] or [(-np.inf, np.inf)] * size
        self._first, self._last = np.array(ends).T
        self._atoms = [c.atoms for c in columns] or [()] * size
        self.has_atoms = any(self._atoms)

    def has_lines(self, column: int) -> bool:
        """Return whether there are values of a column between its atoms."""
        return not self.steps[column] > 0.0

    def rounded(self, nodes: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return nodes on lines, `[L, K]`, on grids where columns have one.

        Args:
            nodes: Positions.
            column: The column of each line, `[L]`.
        """
        step = self.steps[column, np.newaxis]
        offset = self._offsets[column, np.newaxis]
        safe = np.where(step > 0.0, step, 1.0)
        near = offset + safe * np.round((nodes - offset) / safe)
        ends = self._first[column, np.newaxis], self._last[column, np.newaxis]
        return np.where(step > 0.0, np.clip(near, *ends), nodes)

    def is_atom(self, values: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return which values are atoms of their columns, both `[M]`."""
        found = np.zeros(values.shape, bool)
        for j, atoms in enumerate(self._atoms):
            near = 0.5 * self.steps[j]
            for atom in atoms:
                found |= (column == j) & (np.abs(values - atom) <= near)
        return found

    def log_steps(self, values: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return what turns `log_prob` of values on grids into masses, `[M]`."""
        step = self.steps[column]
        of_unit = (step == 0.0) | self.is_atom(values, column)
        return np.log(np.where(of_unit, 1.0, step))

    def in_window(self, column: int, draws: np.ndarray) -> np.ndarray | None:
        """Return the values of a grid near draws, `None` if they are too many.

        Args:
            column: Position of the column.
            draws: Values in draws, `[S]`.
        """
        step, offset = self.steps[column], self._offsets[column]
        low, high = draws.min(), draws.max()
        margin = BEYOND * (high - low) + 2.0 * step
        low = max(self._first[column], low - margin)
        high = min(self._last[column], high + margin)
        first, last = (round((end - offset) / step) for end in (low, high))
        if last - first >= MOST_VALUES:
            return None
        found = offset + step * np.arange(first, last + 1)
        return np.clip(found, self._first[column], self._last[column])


def values_of(
    cells: Cells, grid: Grid, column: int, draws: np.ndarray
) -> np.ndarray | None:
    """Return the values over which a column is summed, `None` if it is no such.

    All labels of categories, atoms, and grids of few values.

    Args:
        cells: The columns.
        grid: Their grids.
        column: Position of the column.
        draws: Its values in draws, `[S]`.
    """
    given = cells.spec.columns[column]
    if given.values is not None:
        return np.array(given.values)
    if given.step is None:
        return np.array(given.atoms) if given.atoms else None
    return grid.in_window(column, draws)


def log_sums(
    log_prob: Callable[[np.ndarray], Any],
    x: np.ndarray,
    joint: np.ndarray,
    column: int,
    values: np.ndarray,
    grid: Grid,
) -> np.ndarray:
    """Return logs of sums of masses over values of a column, `[N]`.

    The own value of a row on a grid is one of them, wherever it is.

    Args:
        log_prob: Log-density of rows.
        x: Rows, `[N, D]`.
        joint: Their log-densities, `[N]`.
        column: Position of the column.
        values: Its values, `[K]`.
        grid: Which are on grids, or atoms.
    """
    size = max(1, POINTS // len(values))
    found = np.empty([len(x), len(values)])
    for start in range(0, len(x), size):
        part = x[start : start + size]
        rows = np.repeat(part, len(values), axis=0)
        rows[:, column] = np.tile(values, len(part))
        log_density = np.asarray(log_prob(rows), np.float64)
        found[start : start + size] = log_density.reshape(len(part), -1)
    found += grid.log_steps(values, np.full(len(values), column))
    step, own = grid.steps[column], x[:, column]
    apart = np.abs(own[:, np.newaxis] - values).min(axis=1)
    weight = grid.log_steps(own, np.full(len(x), column))
    extra = np.where((step > 0.0) & (apart > 0.5 * step), joint + weight, -np.inf)
    total = np.logaddexp.reduce(found, axis=1)
    return np.logaddexp(total, extra)
