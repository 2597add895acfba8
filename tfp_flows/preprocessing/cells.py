"""The axis of each column with room for its atoms, and the cells of its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.preprocessing import axes
from tfp_flows.preprocessing.lattice import lattice
from tfp_flows.preprocessing.spec import Preprocessing
from tfp_flows.preprocessing.supports import CIRCLES, Supports

__all__ = ["GRID_TOLERANCE", "ROUNDINGS", "Cell", "Cells"]

# By this part of a step, and so many roundings of the value, a value may miss the grid.
GRID_TOLERANCE, ROUNDINGS = 1e-3, 4.0
# Where missing ends and atoms lie: infinities would not pass numeric checks.
FAR = 1e30
# Points of up to two discrete columns, and of more.
POINTS = (64, 128)
# An atom gets the length that gives it the mean density of the other values, and one
# without any rows this share of theirs.
LEAST_ATOM = 0.01
# Columns whose step is below this part of their deviation count as fine, if no more
# than this share of the rows lies in the cell at a bound.
FINE_STEP, FINE_SHARE = 0.25, 0.01


@dataclasses.dataclass(frozen=True)
class Cell:
    """Cells of values on the unfolded axis, each `[..., D]`.

    Args:
        start: Where the cells begin.
        width: Their widths, 0 for values of no mass.
        is_atom: Whether the value is an atom.
        outside: Whether no sample has such a value.
    """

    start: tf.Tensor
    width: tf.Tensor
    is_atom: tf.Tensor
    outside: tf.Tensor

    def at(self, share: tf.Tensor) -> tf.Tensor:
        """Return positions in the cells, `share` of the width from their start."""
        return self.start + share * self.width

    def log_masses(self) -> tf.Tensor:
        """Return what turns the mean density of cells into `log_prob`, `[...]`."""
        width = tf.where(self.is_atom, self.width, tf.ones_like(self.width))
        log_width = tf.reduce_sum(tf.math.log(width), axis=-1)
        inside = tf.reduce_all(~self.outside, axis=-1)
        return log_width + tf.math.log(tf.cast(inside, width.dtype))


class Cells(tf.Module):
    """What a flow does with the columns of a `Preprocessing`.

    The axis of a column with atoms is unfolded: at each atom an interval is inserted,
    over which its mass is spread. A value with a step has the cell of this width around
    it, and a category the unit cell around its position.

    Args:
        spec: The columns.
        dtype: Dtype of values.
        name: Name.
    """

    def __init__(self, spec: Preprocessing, dtype: Any, name: str = "cells") -> None:
        super().__init__(name=name)
        self.spec = spec
        self.dtype = tf.as_dtype(dtype)
        self._columns = [axes.coded(column) for column in spec.columns]
        self._steps = np.array([c.step or 0.0 for c in self._columns])
        self._offsets = np.array([c.offset for c in self._columns])
        self.found = np.array([c.found for c in self._columns])
        ends = np.array([c.first_and_last for c in self._columns])
        ends = np.clip(ends, -FAR, FAR)
        self._first, self._last = ends[:, 0], ends[:, 1]
        count = max((len(c.atoms) for c in self._columns), default=0)
        self._atoms = np.full([count, len(self._columns)], FAR)
        for j, column in enumerate(self._columns):
            self._atoms[: len(column.atoms), j] = column.atoms
        self.fine = spec.fine or (False,) * len(self._columns)
        self._widths = None
        if count:
            widths = np.where(self._atoms < FAR, 1.0, 0.0)
            self._widths = tf.Variable(
                widths, dtype=dtype, trainable=False, name="atom_widths"
            )
        self.supports = self._make_supports()
        self._set_supports(np.ones(len(self._columns)))

    def _make_supports(self) -> Supports | None:
        kinds = [axes.kind(column) for column in self._columns]
        if set(kinds) == {"line"}:
            return None
        return Supports.trainable(kinds, dtype=self.dtype)

    def _set_supports(self, scale: np.ndarray) -> None:
        """Set ends, which lie farther apart by the length of the atoms, and scales."""
        if self.supports is None:
            return
        low = self._first - 0.5 * self._steps
        high = self._last + 0.5 * self._steps
        if self._widths is not None:
            high = high + self._widths.numpy().sum(axis=0)
        self.supports.low.assign(np.where(low > -FAR, low, 0.0))
        self.supports.high.assign(np.where(high < FAR, high, 1.0))
        self.supports.scale.assign(scale)

    @property
    def coarse(self) -> np.ndarray:
        """Whether the mean over the cell is needed, for each column."""
        discrete = [column.is_discrete for column in self._columns]
        return np.array(discrete) & ~np.array(self.fine)

    @property
    def is_coarse(self) -> bool:
        """Whether it is for any column."""
        return bool(self.coarse.any())

    @property
    def num_points(self) -> int:
        """Number of points over which densities are averaged, about."""
        few, many = POINTS
        return self.spec.points or (few if self.coarse.sum() < 3 else many)

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """The lengths of the atoms; the maps onto supports are part of the flow."""
        return () if self._widths is None else (self._widths,)

    def current_spec(self) -> Preprocessing:
        """Return the columns, and which are fine."""
        return dataclasses.replace(self.spec, fine=self.fine)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return shares of a cell over which densities are averaged, and weights.

        Returns:
            `[M, D]` and the logs of the weights, `[M]`, whose sum is 1.
        """
        coarse = self.coarse
        # At a bound, a density on the line that is off the normal one is infinite or 0.
        smooth = ("line", *CIRCLES)
        ends = tuple(axes.kind(c) not in smooth for c in self._columns)
        steep = tuple(
            end for end, is_coarse in zip(ends, coarse, strict=True) if is_coarse
        )
        points, weights = lattice(self.num_points, steep)
        nodes = np.full([len(points), len(coarse)], 0.5)
        nodes[:, coarse] = points
        return nodes, np.log(weights)

    def log_mean(
        self, log_density: Callable[[tf.Tensor], tf.Tensor], cell: Cell
    ) -> tf.Tensor:
        """Return the log of the mean density over cells, and what makes it a mass.

        Args:
            log_density: Log-density of positions on the unfolded axes.
            cell: The cells, `[..., D]`.

        Returns:
            `log_prob` of the values, `[...]`.
        """
        points, log_weights = self.nodes()
        if len(points) == 1:
            share = tf.constant(points[0], cell.start.dtype)
            return log_density(cell.at(share)) + cell.log_masses()
        ones = [1] * (cell.start.shape.rank - 1)
        share = points.reshape([len(points), *ones, points.shape[1]])
        log_densities = log_density(cell.at(tf.constant(share, cell.start.dtype)))
        weights = tf.constant(log_weights.reshape([-1, *ones]), log_densities.dtype)
        mean = tf.reduce_logsumexp(log_densities + weights, axis=0)
        return mean + cell.log_masses()

    def of(self, x: tf.Tensor) -> Cell:
        """Return the cells of values, `[..., D]`."""
        size = len(self._columns)
        _checks.require_trailing(x.shape, (size,), "x", f"a table of {size} columns")
        x, unknown = self._to_codes(x)
        x = self.wrapped(x)
        step, offset, first, last = self._constants(x.dtype)
        stepped = self._steps > 0.0
        infinite = tf.abs(x) > FAR
        x = tf.where(infinite, tf.zeros_like(x), x)
        grid = tf.where(stepped, axes.multiple(x, step, offset), x)
        miss = tf.abs(x - grid)
        eps = np.finfo(x.dtype.as_numpy_dtype).eps
        tolerance = GRID_TOLERANCE * step + ROUNDINGS * eps * tf.abs(x)
        # A step that was found is no promise of later values: the nearest cell.
        outside = unknown | infinite | ((miss > tolerance) & ~self.found)
        at_end = tf.where(stepped, tolerance, tf.zeros_like(x))
        outside |= (grid < first - at_end) | (grid > last + at_end)
        # Somewhere inside, so that gradients there are finite.
        safe = tf.constant(self._inside(), x.dtype)
        x = tf.where(outside, safe, grid)
        width = tf.zeros_like(x) + step
        start = x - 0.5 * step
        is_atom = tf.zeros_like(outside)
        for atom, length in self._lengths(x.dtype):
            here = tf.abs(x - atom) <= at_end
            start += tf.where((x > atom) & ~here, length, tf.zeros_like(x))
            width += tf.where(here, length, tf.zeros_like(x))
            is_atom |= here
        return Cell(start, width, is_atom, outside)

    def wrapped(self, x: tf.Tensor) -> tf.Tensor:
        """Return values, `[..., D]`, with those of any turn in their period."""
        wraps = np.array([column.wrap for column in self._columns])
        if not wraps.any():
            return x
        low = tf.constant([c.low if c.wrap else 0.0 for c in self._columns], x.dtype)
        span = [c.high - c.low if c.wrap else 1.0 for c in self._columns]
        inside = low + tf.math.floormod(x - low, tf.constant(span, x.dtype))
        # Half a step before the period, a value rounds to the first one.
        return tf.where(wraps, inside, x)

    def fold(self, v: tf.Tensor) -> tf.Tensor:
        """Return the values whose cells hold positions on the unfolded axis."""
        step, offset, first, last = self._constants(v.dtype)
        stepped = self._steps > 0.0
        x, before = v, tf.zeros_like(step)
        atoms = []
        for atom, length in self._lengths(v.dtype):
            start = atom + before  # in the middle of the cell of a step
            x -= tf.clip_by_value(v - start, tf.zeros_like(length), length)
            inside = (v >= start) & (v <= start + length) & ~stepped
            atoms.append((inside, atom))
            before += length
        grid = axes.multiple(x, step, offset)
        # A value exactly on a lower end comes back as itself, none lies beyond it.
        x = tf.where(stepped, grid, x)
        x = tf.where(x == 0.0, tf.zeros_like(x), x)  # no minus zero
        x = tf.minimum(tf.maximum(x, first), last)
        for inside, atom in atoms:
            x = tf.where(inside, atom, x)
        return self._from_codes(x)

    def on_columns(self, lines: np.ndarray) -> np.ndarray:
        """Return values that columns may have, of numbers on the whole line.

        Args:
            lines: `[N, D]`.
        """
        v = tf.constant(lines, self.dtype)
        v = v if self.supports is None else self.supports.forward(v)
        return self.fold(v).numpy()

    def edge(self, x: tf.Tensor) -> tf.Tensor:
        """Return where the cell of the largest value up to `x` ends, `[..., D]`."""
        step, offset, first, last = self._constants(x.dtype)
        whole = axes.multiple(x, step, offset)
        whole = tf.where(whole > x + GRID_TOLERANCE * step, whole - step, whole)
        known = tf.where(self._steps > 0.0, whole, x)
        clipped = tf.minimum(tf.maximum(known, first), last)
        cell = self.of(clipped)
        return tf.where(known < first, cell.start, cell.at(tf.ones_like(x)))

    def _constants(self, dtype: tf.DType) -> list[tf.Tensor]:
        parts = (self._steps, self._offsets, self._first, self._last)
        return [tf.constant(part, dtype) for part in parts]

    def _lengths(self, dtype: tf.DType) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Return the atoms of each column in their order, and their lengths."""
        if self._widths is None:
            return []
        widths = tf.unstack(tf.cast(tf.convert_to_tensor(self._widths), dtype))
        pairs = zip(self._atoms, widths, strict=True)
        return [(tf.constant(atom, dtype), width) for atom, width in pairs]

    def inner_values(self) -> np.ndarray:
        """Return one value that each column may have, `[D]`."""
        codes = tf.constant(self._inside(), self.dtype)
        return self._from_codes(codes).numpy()

    def _inside(self) -> np.ndarray:
        """Return one value of each column, in codes."""
        return np.array([axes.inner_value(column) for column in self._columns])

    def _to_codes(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return values with categories by their positions, and which are unknown."""
        unknown = tf.zeros_like(x, tf.bool)
        if all(column.categories is None for column in self.spec.columns):
            return x, unknown
        columns, strange = tf.unstack(x, axis=-1), tf.unstack(unknown, axis=-1)
        for j, column in enumerate(self.spec.columns):
            if column.values is None:
                continue
            values = tf.constant(column.values, x.dtype)
            same = tf.equal(columns[j][..., tf.newaxis], values)
            lost = ~tf.reduce_any(same, axis=-1)
            strange[j] = lost & ~tf.math.is_nan(columns[j])
            code = tf.cast(tf.argmax(tf.cast(same, tf.int32), axis=-1), x.dtype)
            columns[j] = tf.where(tf.math.is_nan(columns[j]), columns[j], code)
        return tf.stack(columns, axis=-1), tf.stack(strange, axis=-1)

    def _from_codes(self, x: tf.Tensor) -> tf.Tensor:
        if all(column.categories is None for column in self.spec.columns):
            return x
        columns = tf.unstack(x, axis=-1)
        for j, column in enumerate(self.spec.columns):
            if column.values is not None:
                places = tf.cast(columns[j], tf.int32)
                columns[j] = tf.gather(tf.constant(column.values, x.dtype), places)
        return tf.stack(columns, axis=-1)

    def adapt(self, x: np.ndarray) -> None:
        """Set what depends on data: lengths of atoms, scales, and which are fine.

        Args:
            x: Values, `[N, D]`, such as their columns may have.
        """
        codes = self._to_codes(tf.constant(x, tf.float64))[0].numpy()
        if self._widths is not None:
            self._widths.assign(self._atom_widths(codes))
        self.fine = tuple(self._is_fine(j, codes[:, j]) for j in range(codes.shape[1]))
        middle = self.of(tf.constant(x, tf.float64)).at(tf.constant(0.5, tf.float64))
        self._set_supports(self._scales(middle.numpy()))

    def _atom_widths(self, x: np.ndarray) -> np.ndarray:
        widths = np.zeros(self._atoms.shape)
        for j, column in enumerate(self._columns):
            atoms = np.array(column.atoms)
            near = 0.5 * self._steps[j]
            is_atom = np.abs(x[:, j, np.newaxis] - atoms) <= near
            rest = x[~is_atom.any(axis=1), j]
            shares = is_atom.mean(axis=0)
            length = axes.length(rest)
            share = max(1.0 - shares.sum(), 1.0 / len(x))
            widths[: len(atoms), j] = length * np.maximum(shares / share, LEAST_ATOM)
        return widths

    def _is_fine(self, j: int, x: np.ndarray) -> bool:
        column, step = self._columns[j], self._steps[j]
        if self.spec.columns[j].categories is not None or column.atoms or not step:
            return False
        at_end = (x <= self._first[j] + 0.5 * step) | (x >= self._last[j] - 0.5 * step)
        return bool(step < FINE_STEP * x.std() and at_end.mean() <= FINE_SHARE)

    def _scales(self, v: np.ndarray) -> np.ndarray:
        """Return the mean distance from the end, or the typical one of decades."""
        scales = np.ones(v.shape[1])
        for j, column in enumerate(self._columns):
            kind = axes.kind(column)
            if kind in ("line", "interval", *CIRCLES):
                continue
            end = self._first[j] - 0.5 * self._steps[j]
            if kind.endswith("below"):
                end = self._last[j] + 0.5 * self._steps[j]
                end = end + np.sum(0.0 if self._widths is None else self._widths[:, j])
            distance = np.abs(v[:, j] - end)
            # Single values far out must not set the scale.
            typical = np.minimum(distance, np.quantile(distance, 0.99)).mean()
            if kind.startswith("log"):
                typical = np.median(distance)
            scales[j] = typical if typical > 0.0 else 1.0
        return scales
