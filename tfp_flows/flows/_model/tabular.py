"""Flows whose columns are more than numbers: supports, grids, atoms, categories."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _context, _findings
from tfp_flows._types import Condition, TensorLike
from tfp_flows.bijectors._core.base import Bijector
from tfp_flows.flows._model.batch import Batch
from tfp_flows.preprocessing import Column, Preprocessing, values
from tfp_flows.preprocessing.cells import Cells

__all__ = ["SPREAD", "Tabular"]

# So many coordinates of points of cells are evaluated at once: bounds the memory of
# networks, and of transformers, which take tens of numbers for each coordinate.
NUMBERS_AT_ONCE = 262_144
# Under this name `call` gets values spread over their cells, in training.
SPREAD = "spread"
# Step whose noise `adapt` takes: none of those of training.
_ADAPT_STEP = -2


class Tabular:
    """A flow with the slot `preprocessing`, for a class that has shapes.

    Attributes:
        cells: What the flow does with columns that are no plain numbers, or `None`.
    """

    event_shape: tuple[int, ...]
    cells: Cells | None = None
    takes_kinds = True  # whether columns may be more than numbers
    takes_angles = False  # whether some coordinates may be angles
    answers_any = False  # whether values of some columns may be missing
    spreads_values = True  # whether training spreads discrete values over their cells
    _spread_seed = 0

    def _read_preprocessing(self, columns: Any, given: Any, dtype: Any) -> None:
        """Set `cells` from kinds by name, or from a preprocessing.

        Raises:
            ValueError: If both are given, or if there is not one kind for each column.
        """
        spec = Preprocessing.read(given)
        if isinstance(columns, Mapping):
            kinds = Preprocessing([Column.read(k, str(n)) for n, k in columns.items()])
            if spec is not None and not kinds.is_plain:
                msg = (
                    "`columns` must be names where there is a `preprocessing`, got "
                    f"the kinds {kinds}, too. Give one of both."
                )
                raise ValueError(msg)
            spec = spec or kinds
        if spec is None:
            return
        if len(self.event_shape) > 1:
            msg = (
                "`preprocessing` must be left out for events of shape "
                f"{self.event_shape}: it is for the columns of tables."
            )
            raise ValueError(msg)
        spec.require_size(self.event_shape[0] if self.event_shape else 1)
        if not spec.is_plain:
            self.cells = Cells(spec, dtype)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the columns are, `None` if all of them are plain numbers."""
        return None if self.cells is None else self.cells.current_spec()

    @property
    def is_discrete(self) -> bool:
        """Whether single values of some column have a positive mass."""
        return self.cells is not None and self.cells.spec.is_discrete

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each column is an angle, whose period has one point at both ends."""
        if self.cells is None:
            return (False,) * math.prod(self.event_shape)
        return tuple(column.periodic for column in self.cells.spec.columns)

    def _require_periodic(self) -> tuple[bool, ...]:
        """Return which columns are angles, for a flow that has maps of angles.

        Raises:
            ValueError: If there are some, and the flow has no maps of angles.
        """
        if any(self.periodic) and not self.takes_angles:
            msg = (
                "`columns` that are periodic need layers of splines on a circle, as "
                f"'nsf-ar', 'nsf', 'maf' and 'circular' have, got a "
                f"`{type(self).__name__}`. Take one of these, or sine and cosine as "
                "two columns."
            )
            raise ValueError(msg)
        return self.periodic

    @property
    def averages_cells(self) -> bool:
        """Whether `log_prob` averages the density over many points of each cell."""
        return self.cells is not None and self.cells.is_coarse

    def log_prob_at_points(self, x: Any, condition: Condition, seed: Any) -> tf.Tensor:
        """Return `log_prob` of discrete values from one point of each cell: rough.

        Args:
            x: Events, `[N, ..., *event_shape]`.
            condition: `[..., *condition_shape]`, or `None`.
            seed: Stateless seed `[2]`.

        Returns:
            `[N, ...]`, whose mean over points lies below `log_prob`.
        """
        flow: Any = self
        x = tf.convert_to_tensor(x, flow.variable_dtype)
        batch = x.shape[: x.shape.rank - len(self.event_shape)]
        if condition is not None:
            shape = flow.condition_shape
            condition = flow.in_order(None, condition)[1]
            condition = _arrays.as_tensor(condition, flow.variable_dtype, "condition")
            condition = tf.broadcast_to(condition, [*batch, *shape])
            condition = tf.reshape(condition, [-1, *shape])
        x = tf.reshape(x, [-1, *self.event_shape])
        given = {"x": x, SPREAD: self.spread(x, seed)}
        given |= {} if condition is None else {"condition": condition}
        return tf.reshape(flow.call(given), batch)

    def _rows_at_once(self) -> int | None:
        """Return how many rows are evaluated at once, each by many points."""
        if self.cells is None or not self.cells.is_coarse:
            return None
        size = max(1, math.prod(self.event_shape))
        return max(1, NUMBERS_AT_ONCE // (self.cells.num_points * size))

    def _support_maps(self) -> list[Bijector]:
        """Return the map onto the supports of the columns, if there is one."""
        supports = None if self.cells is None else self.cells.supports
        return [] if supports is None else [supports]

    def _columns_of(self, x: tf.Tensor) -> tf.Tensor:
        return x if self.event_shape else x[..., tf.newaxis]

    def _events_of(self, columns: tf.Tensor) -> tf.Tensor:
        return columns if self.event_shape else columns[..., 0]

    def spread(self, x: TensorLike, seed: Any = 0) -> tf.Tensor:
        """Return values spread evenly over their cells, on the unfolded axes.

        What `bijector` and `partial` are about, where columns are discrete.

        Args:
            x: Events, `[..., *event_shape]`.
            seed: Int or stateless seed `[2]`.
        """
        flow: Any = self
        x = _arrays.as_tensor(flow.in_order(x, None)[0], flow.variable_dtype)
        if self.cells is None:
            return x
        return self._events_of(_spread(self.cells.of(self._columns_of(x)), seed))

    def on_lines(self, x: Any, seed: Any) -> tuple[Any, Any]:
        """Return rows with each column on the whole line, and the log-dets of that.

        Args:
            x: Rows, `[N, D]`; discrete values are spread over their cells.
            seed: Int that fixes the noise.

        Returns:
            `[N, D]` in float64, and `[N]`, which turns log-densities of them into those
            of the rows; without a preprocessing the rows themselves, and 0.
        """
        flow: Any = self
        cells = self.cells
        if cells is None:
            return x, 0.0
        rows = tf.constant(x, flow.variable_dtype)
        cell = cells.of(rows)
        v, log_det = _spread(cell, seed), cell.log_masses()
        if cells.supports is not None:
            v, more = cells.supports.inverse_and_log_det(v)
            log_det += more
        return v.numpy().astype(np.float64), log_det.numpy().astype(np.float64)

    def _adapt_cells(self, x: Any) -> tf.Tensor:
        """Set what depends on data, and return them spread over their cells.

        Raises:
            ValueError: If a value is none of its column.
        """
        flow: Any = self
        cells = self.cells
        if cells is None:
            return x
        rows = np.asarray(x, np.float64).reshape(-1, len(cells.spec.columns))
        before = cells.fine
        values.require(cells, rows, flow.columns)
        cells.adapt(rows)
        if cells.fine != before:  # what was compiled averages over other columns
            flow.forget_compiled()
        return self.spread(x, tf.constant([self._spread_seed, _ADAPT_STEP]))

    def require_values(self, x: Any) -> None:
        """Raise unless events are such as their columns may have.

        Values between steps that were found are noticed.

        Args:
            x: Events, `[..., *event_shape]`.

        Raises:
            ValueError: Naming the first row and column.
        """
        if self.cells is not None:
            rows = np.asarray(x, np.float64).reshape(-1, len(self.cells.spec.columns))
            flow: Any = self
            values.require(self.cells, rows, flow.columns)
            self._notice_values(rows)

    def _notice_values(self, x: Any) -> None:
        """Say that values lie between steps that were found, in data at hand."""
        flow: Any = self
        if self.cells is None or not self.cells.found.any():
            return
        if tf.is_tensor(x) and not hasattr(x, "numpy"):  # in a graph
            return
        rows = np.asarray(x, np.float64)
        size = len(self.cells.spec.columns)
        if rows.size and (not self.event_shape or rows.shape[-1:] == (size,)):
            rows = rows.reshape(-1, size)
            _findings.report(values.rounded(self.cells, rows, flow.columns))

    def _prepared(self, batch: Batch | None, step: tf.Tensor) -> Batch | None:
        """Spread discrete values over their cells, alike in each validation."""
        spreads = self.is_discrete and self.spreads_values
        if batch is None or batch.x is None or not spreads:
            return batch
        seed = tf.stack([self._spread_seed, step])
        return dataclasses.replace(batch, extra={SPREAD: self.spread(batch.x, seed)})

    def _folded_log_prob(
        self, x: tf.Tensor, spread: tf.Tensor | None, condition: Condition
    ) -> tf.Tensor:
        """Return `log_prob` of values: exact, or a bound of values that are spread."""
        flow: Any = self
        cells: Any = self.cells
        cell = cells.of(self._columns_of(x))
        if spread is not None:
            spread = tf.cast(spread, x.dtype)
            return flow.continuous_log_prob(spread, condition) + cell.log_masses()
        return cells.log_mean(
            lambda v: flow.continuous_log_prob(self._events_of(v), condition), cell
        )


def _spread(cell: Any, seed: Any) -> tf.Tensor:
    """Return random values of cells."""
    share = tf.random.stateless_uniform(
        tf.shape(cell.start), _context.stateless_seed(seed), dtype=cell.start.dtype
    )
    return cell.at(share)
