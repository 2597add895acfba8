"""The density of each cell of a row given the others, by integrals along lines.

Lines of columns with a step are sums over the grid, and atoms are added to integrals.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows._model import query_values
from tfp_flows.preprocessing.supports import CIRCLES

__all__ = ["log_given_others"]

# Nodes that a round adds to each line, and rounds at least and at most.
ADDED, FEWEST_ROUNDS, MOST_ROUNDS = 10, 2, 12
# A round that changes the logarithm of an integral by less was the last one; where the
# last still changes it by more than the second, a warning says so.
ENOUGH, DOUBTFUL = 0.02, 0.1
# Points of one call of a flow, and lines that are integrated along together.
POINTS, LINES = 2**14, 2**15
# First nodes: what is expected given the others, and so many deviations around it;
# quantiles of the column alone, with so much of their range beyond; and its values in
# so many draws whose other cells are nearest.
AROUND = np.array([-6.0, -3.0, -1.6, -0.8, 0.0, 0.8, 1.6, 3.0, 6.0])
SHARES = np.array([0.005, 0.1, 0.3, 0.5, 0.7, 0.9, 0.995])
BEYOND, NEAREST = 0.5, 12
# So much of the variance of a column is added, so that copies have a regression.
RIDGE = 1e-6


def log_given_others(
    flow: Any, x: np.ndarray, draws: np.ndarray, columns: Sequence[int]
) -> np.ndarray:
    """Return log-densities of cells given the other cells of their rows, `[N, C]`.

    The joint density over its integral along the line of the cell. Integrals are sums
    over nodes, and nodes are added where the mass is until sums do not change any more;
    a warning says for how many cells they do. Of columns with masses, sums over their
    values: all labels, and all values of a short grid. NaN where the others have no
    density.

    Args:
        flow: A flow of vectors, of any kind.
        x: Rows, `[N, D]`.
        draws: Draws of the flow, `[S, D]`, which say where to begin.
        columns: Positions of columns, `[C]`.
    """
    x, draws = np.asarray(x, np.float64), np.asarray(draws, np.float64)
    cells = getattr(flow, "cells", None)
    grid = query_values.Grid(cells, x.shape[1])
    summed = {}
    if cells is not None:
        found = {
            j: query_values.values_of(cells, grid, j, draws[:, j]) for j in columns
        }
        summed = {j: values for j, values in found.items() if values is not None}
    is_line = np.array([j not in summed or grid.has_lines(j) for j in columns], bool)
    totals = np.full([len(x), len(columns)], -np.inf)
    doubtful = 0
    if is_line.any():
        lines = _Lines(flow, draws, np.asarray(columns, int)[is_line], grid)
        size = max(1, LINES // int(is_line.sum()))
        for i in range(0, len(x), size):
            totals[i : i + size, is_line], count = lines.log_totals(x[i : i + size])
            doubtful += count
    joint = np.asarray(flow.log_prob(x), np.float64)
    for place, j in enumerate(columns):
        if j in summed:
            sums = query_values.log_sums(flow.log_prob, x, joint, j, summed[j], grid)
            totals[:, place] = np.logaddexp(totals[:, place], sums)
    if doubtful:
        msg = (
            f"{doubtful} of {len(x) * len(columns)} densities of cells given the "
            f"others are known to no more than {DOUBTFUL:g} nats: the flow has peaks "
            "that are too narrow for the points at which it was looked at. Fit with "
            "noise, or float64."
        )
        warnings.warn(msg, UserWarning, stacklevel=3)
    with np.errstate(invalid="ignore"):  # density 0 whatever the cell is
        given: np.ndarray = joint[:, np.newaxis] - totals
    return given


class _Lines:
    """The density of a flow along the lines of some columns.

    Args:
        flow: The flow.
        draws: Of the flow, `[S, D]`.
        places: Positions of the columns, `[C]`.
        grid: Which values are on grids, or atoms.
    """

    def __init__(
        self,
        flow: Any,
        draws: np.ndarray,
        places: np.ndarray,
        grid: query_values.Grid,
    ) -> None:
        self._flow, self._places, self._grid = flow, places, grid
        self._cells = cells = getattr(flow, "cells", None)
        self._supports = None if cells is None else cells.supports
        kinds = () if self._supports is None else self._supports.kinds
        self._is_circle = np.array([kind in CIRCLES for kind in kinds], bool)
        u = self._positions(draws)
        quantiles = np.quantile(u, SHARES, axis=0)
        low, high = quantiles[0], quantiles[-1]
        u = np.clip(u, low, high)
        self._loc = u.mean(axis=0)
        self._scale = np.maximum(u.std(axis=0), np.finfo(np.float64).tiny)
        self._draws, self._z = u, (u - self._loc) / self._scale
        covariance = self._z.T @ self._z / len(u) + RIDGE * np.eye(u.shape[1])
        self._precision = np.linalg.inv(covariance)
        margin = BEYOND * (high - low)
        self._alone = np.concatenate([[low - margin], quantiles, [high + margin]]).T

    def log_totals(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Return logs of integrals along lines, `[N, C]`, and how many are doubtful.

        Args:
            x: Rows, `[N, D]`.
        """
        row, place = (i.ravel() for i in np.indices([len(x), len(self._places)]))
        column = self._places[place]
        nodes = self._grid.rounded(self._first(x)[row, column], column)
        nodes = np.sort(nodes, axis=-1)
        values = self._log_density(x, row, column, nodes)
        steps = self._grid.steps[column]
        total = _log_total(nodes, values, steps)
        change, left = np.zeros(len(row)), np.arange(len(row))
        for step in range(MOST_ROUNDS):
            more = _middles(nodes, values, steps[left])
            more = self._grid.rounded(more, column[left])
            new = self._log_density(x, row[left], column[left], more)
            nodes, values = _merged((nodes, more), (values, new))
            found = _log_total(nodes, values, steps[left])
            with np.errstate(invalid="ignore"):  # both minus infinity
                change[left] = np.abs(found - total[left])
            total[left] = found
            open_ = change[left] > ENOUGH
            if step + 1 >= FEWEST_ROUNDS:
                left, nodes, values = left[open_], nodes[open_], values[open_]
            if not left.size:
                break
        totals = total.reshape(len(x), len(self._places))
        return totals, int(np.sum(change > DOUBTFUL))

    def _positions(self, x: np.ndarray) -> np.ndarray:
        """Return where values are on the lines of their columns, `[N, D]`.

        Values on a grid are their own positions, others those on the unfolded axis.
        """
        if self._cells is None:
            return x
        v = tf.constant(x, self._flow.variable_dtype)
        if self._grid.has_atoms:
            v = self._cells.of(v).at(tf.constant(0.5, v.dtype))
        if self._supports is not None:
            v = self._supports.inverse_each(v)[0]
        u = v.numpy().astype(np.float64)
        # Where there is none, any number tells the other columns something.
        u = np.where(np.isfinite(u), u, 0.0)
        return np.where(self._grid.steps > 0.0, x, u)

    def _first(self, x: np.ndarray) -> np.ndarray:
        """Return the first nodes of each line, `[N, D, K]`."""
        own = self._positions(x)
        z = (own - self._loc) / self._scale
        diagonal = np.diagonal(self._precision)
        expected = z - (z @ self._precision) / diagonal
        around = expected[..., np.newaxis] + AROUND / np.sqrt(diagonal)[:, np.newaxis]
        around = self._loc[:, np.newaxis] + self._scale[:, np.newaxis] * around
        alone = np.broadcast_to(self._alone, (*own.shape, self._alone.shape[-1]))
        near = self._near(z)
        nodes = np.concatenate([around, alone, near, own[..., np.newaxis]], axis=-1)
        if self._is_circle.any():
            turn = np.clip(nodes, -1.0, 1.0)
            turn[..., :2] = (-1.0, 1.0)
            nodes = np.where(self._is_circle[:, np.newaxis], turn, nodes)
        return nodes

    def _near(self, z: np.ndarray) -> np.ndarray:
        """Return values of columns in draws with the nearest others, `[N, D, K]`."""
        square = np.square(z).sum(axis=1)[:, np.newaxis] - 2.0 * z @ self._z.T
        square += np.square(self._z).sum(axis=1)
        count = min(NEAREST, len(self._z))
        found = np.zeros((*z.shape, count))
        for j in self._places:
            rest = square - np.square(z[:, j, np.newaxis] - self._z[:, j])
            near = np.argpartition(rest, count - 1, axis=1)[:, :count]
            found[:, j] = self._draws[near, j]
        return found

    def _log_density(
        self, x: np.ndarray, row: np.ndarray, column: np.ndarray, nodes: np.ndarray
    ) -> np.ndarray:
        """Return log-densities along lines, `[L, K]`.

        Args:
            x: Rows, `[N, D]`.
            row: The row of each line, `[L]`.
            column: Its column, `[L]`.
            nodes: Positions on it, `[L, K]`.
        """
        count = nodes.shape[1]
        size = max(1, POINTS // count)
        found = np.empty(nodes.shape)
        for start in range(0, len(nodes), size):
            part = slice(start, start + size)
            places = np.repeat(column[part], count)
            rows = np.repeat(x[row[part]], count, axis=0)
            values, log_det = self._values(rows, places, nodes[part].ravel())
            rows[np.arange(len(rows)), places] = values
            log_prob = np.asarray(self._flow.log_prob(rows), np.float64) + log_det
            found[part] = log_prob.reshape(-1, count)
        return found

    def _values(
        self, rows: np.ndarray, places: np.ndarray, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | float]:
        """Return values at positions on lines, and the log-derivatives by these."""
        if self._cells is None:
            return positions, 0.0
        each = np.arange(len(rows))
        on_grid = self._grid.steps[places] > 0.0
        log_det = self._grid.log_steps(positions, places)
        if on_grid.all():
            return positions, log_det
        u = self._positions(rows)
        u[each, places] = np.where(on_grid, u[each, places], positions)
        v = tf.constant(u, self._flow.variable_dtype)
        if self._supports is not None:
            v = self._supports.forward(v)
            slope = -self._supports.inverse_each(v)[1].numpy()[each, places]
            log_det = np.where(on_grid, log_det, slope)
        if self._grid.has_atoms:
            v = self._cells.fold(v)
        values = np.where(on_grid, positions, v.numpy()[each, places])
        # Masses of atoms are added to the integral over all else.
        beside = ~on_grid & self._grid.is_atom(values, places)
        return values, np.where(beside, -np.inf, log_det)


def _log_total(nodes: np.ndarray, values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return logs of integrals along lines, `[L]`, in units of the step of grids."""
    parts = _log_parts(nodes, values, steps)
    ends = np.where(
        steps[:, np.newaxis] > 0.0, values[:, [0, -1]] - np.log(2.0), -np.inf
    )
    return np.logaddexp.reduce(np.concatenate([parts, ends], axis=1), axis=1)


def _log_parts(nodes: np.ndarray, values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return logs of integrals between neighbours, `[L, K - 1]`.

    Of what is exponential in between: exact in tails, and as good as any at peaks. On
    grids sums over the values in between, and half of both ends.
    """
    a, b = values[:, :-1], values[:, 1:]
    top = np.maximum(a, b)
    step = steps[:, np.newaxis]
    width = np.diff(nodes, axis=1) / np.where(step > 0.0, step, 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fall = np.abs(a - b)
        mean = np.where(fall > 1e-6, -np.expm1(-fall) / fall, 1.0 - 0.5 * fall)
        # Next to a place without density half of the other end, as nobody knows.
        mean = np.where(np.isinf(fall), 0.5, mean)
        half = 0.5 * fall / width
        of_grid = np.where(half > 1e-6, half / np.tanh(half), 1.0) * mean
        of_grid = np.where(np.isinf(fall), 0.5 / width, of_grid)
        mean = np.where(step > 0.0, of_grid, mean)
        parts = top + np.log(mean) + np.log(width)
    return np.where(np.isneginf(top) | (width == 0.0), -np.inf, parts)


def _middles(nodes: np.ndarray, values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return middles of intervals with the most mass at most, `[L, ADDED]`."""
    width = np.diff(nodes, axis=1)
    with np.errstate(divide="ignore"):
        most = np.maximum(values[:, :-1], values[:, 1:]) + np.log(width)
    # Between neighbours on a grid there is nothing.
    most = np.where(width > 1.5 * steps[:, np.newaxis], most, -np.inf)
    chosen = np.argpartition(-most, ADDED - 1, axis=-1)[:, :ADDED]
    ends = [
        np.take_along_axis(part, chosen, -1) for part in (nodes[:, :-1], nodes[:, 1:])
    ]
    return 0.5 * (ends[0] + ends[1])


def _merged(
    nodes: tuple[np.ndarray, np.ndarray], values: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes in order, with their values."""
    joined = np.concatenate(nodes, axis=-1)
    order = np.argsort(joined, axis=-1)
    found = np.concatenate(values, axis=-1)
    return np.take_along_axis(joined, order, -1), np.take_along_axis(found, order, -1)
