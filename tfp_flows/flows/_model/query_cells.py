"""The density of each cell of a row given the others, by integrals along lines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

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
    a warning says for how many cells they do. NaN where the others have no density.

    Args:
        flow: A flow of vectors, of any kind.
        x: Rows, `[N, D]`.
        draws: Draws of the flow, `[S, D]`, which say where to begin.
        columns: Positions of columns whose values have no masses, `[C]`.
    """
    lines = _Lines(flow, draws, np.asarray(columns, int))
    size = max(1, LINES // max(1, len(columns)))
    parts = [lines.given_others(x[i : i + size]) for i in range(0, len(x), size)]
    doubtful = sum(count for _, count in parts)
    if doubtful:
        msg = (
            f"{doubtful} of {len(x) * len(columns)} densities of cells given the "
            f"others are known to no more than {DOUBTFUL:g} nats: the flow has peaks "
            "that are too narrow for the points at which it was looked at. Fit with "
            "noise, or float64."
        )
        warnings.warn(msg, UserWarning, stacklevel=3)
    return np.concatenate([found for found, _ in parts])


class _Lines:
    """The density of a flow along the lines of some columns.

    Args:
        flow: The flow.
        draws: Of the flow, `[S, D]`.
        places: Positions of the columns, `[C]`.
    """

    def __init__(self, flow: Any, draws: np.ndarray, places: np.ndarray) -> None:
        self._flow, self._places = flow, places
        cells = getattr(flow, "cells", None)
        self._supports = None if cells is None else cells.supports
        kinds = () if self._supports is None else self._supports.kinds
        self._is_circle = np.array([kind in CIRCLES for kind in kinds], bool)
        u = self._positions(np.asarray(draws, np.float64))
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

    def given_others(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Return log-densities of cells, `[N, C]`, and how many are doubtful.

        Args:
            x: Rows, `[N, D]`.
        """
        row, place = (i.ravel() for i in np.indices([len(x), len(self._places)]))
        column = self._places[place]
        nodes = np.sort(self._first(x)[row, column], axis=-1)
        values = self._log_density(x, row, column, nodes)
        total = _log_total(nodes, values)
        change, left = np.zeros(len(row)), np.arange(len(row))
        for step in range(MOST_ROUNDS):
            more = _middles(nodes, values)
            new = self._log_density(x, row[left], column[left], more)
            nodes, values = _merged((nodes, more), (values, new))
            found = _log_total(nodes, values)
            with np.errstate(invalid="ignore"):  # both minus infinity
                change[left] = np.abs(found - total[left])
            total[left] = found
            open_ = change[left] > ENOUGH
            if step + 1 >= FEWEST_ROUNDS:
                left, nodes, values = left[open_], nodes[open_], values[open_]
            if not left.size:
                break
        joint = np.asarray(self._flow.log_prob(x), np.float64)
        shape = len(x), len(self._places)
        with np.errstate(invalid="ignore"):  # density 0 whatever the cell is
            given = joint[:, np.newaxis] - total.reshape(shape)
        return given, int(np.sum(change > DOUBTFUL))

    def _positions(self, x: np.ndarray) -> np.ndarray:
        """Return where values are on the lines of their columns, `[N, D]`."""
        if self._supports is None:
            return x
        kind = self._flow.variable_dtype
        u = self._supports.inverse_each(tf.constant(x, kind))[0]
        # Of columns of masses any number tells the other columns something.
        return np.where(np.isfinite(u), u, 0.0).astype(np.float64)

    def _first(self, x: np.ndarray) -> np.ndarray:
        """Return the first nodes of each line, `[N, D, K]`."""
        own = self._positions(np.asarray(x, np.float64))
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
        if self._supports is None:
            return positions, 0.0
        kind = self._flow.variable_dtype
        each = np.arange(len(rows))
        u = self._positions(rows)
        u[each, places] = positions
        values = self._supports.forward(tf.constant(u, kind))
        log_det = self._supports.inverse_each(values)[1]
        return values.numpy()[each, places], -log_det.numpy()[each, places]


def _log_total(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return logs of integrals along lines, `[L]`, the sums between neighbours.

    Of what is exponential in between: exact in tails, and as good as any at peaks.
    """
    a, b = values[:, :-1], values[:, 1:]
    top = np.maximum(a, b)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fall = np.abs(a - b)
        mean = np.where(fall > 1e-6, -np.expm1(-fall) / fall, 1.0 - 0.5 * fall)
        # Next to a place without density half of the other end, as nobody knows.
        mean = np.where(np.isinf(fall), 0.5, mean)
        parts = top + np.log(mean) + np.log(np.diff(nodes, axis=1))
    parts = np.where(np.isneginf(top), -np.inf, parts)
    return np.logaddexp.reduce(parts, axis=-1)


def _middles(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return middles of intervals with the most mass at most, `[L, ADDED]`."""
    with np.errstate(divide="ignore"):
        most = np.maximum(values[:, :-1], values[:, 1:]) + np.log(
            np.diff(nodes, axis=1)
        )
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
