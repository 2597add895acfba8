"""Marginal and conditional densities of a flow's columns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Condition
from tfp_flows.flows._model import query_exact
from tfp_flows.flows._model.query_conditional import Conditional
from tfp_flows.flows._model.query_marginal import Marginal

__all__ = ["Queries"]

# Draws with which a condition is compared, and how many of their ranges it may be off.
COMPARED, MOST_RANGES = 4096, 0.5


class Queries:
    """A flow of vectors that is asked for some of its columns."""

    event_shape: tuple[int, ...]
    _maps: Sequence[Any]

    def marginal(
        self,
        columns: Sequence[str | int] | str | int,
        condition: Condition = None,
        *,
        num_draws: int = 1024,
        seed: int = 0,
    ) -> tfd.Distribution:
        """Return the density of some columns, whatever the others are.

        Exact for normal distributions, and for columns that come first in the order of
        the flow. Elsewhere draws are exact, and log-densities are means over draws of
        the other columns, whose `effective_sample_size(x)` says how good they are; a
        warning comes where it is low.

        Args:
            columns: Names or positions.
            condition: `[*condition_shape]`, of a conditional flow.
            num_draws: Draws of the other columns for each log-density.
            seed: Int that fixes these.

        Returns:
            A `tfd.Distribution` over `[len(columns)]`, in the order of `columns`.

        Raises:
            ValueError: If a column is unknown or there twice, or if events are no
                vectors.

        Example:
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("linear", 2, columns=["x", "y"], seed=0)
            >>> round(float(flow.marginal("y").log_prob([0.0])), 4)
            -0.9189
        """
        _checks.count(num_draws, 1, "num_draws")
        flow: Any = self
        places = self._places(columns, "columns")
        condition = self._one(condition)
        density = flow.partial(flow.num_maps, condition)
        gaussian = query_exact.GaussianParts.of(flow, density)
        if gaussian is not None and not flow.is_discrete:
            return gaussian.marginal(places, density.dtype)
        inner = self._inner(places, density)
        if inner is not None and len(places) < flow.event_size:
            return query_exact.Prefix(density, places, inner.tolist())
        return Marginal(
            flow, places, condition=condition, num_draws=num_draws, seed=seed
        )

    def conditional(
        self,
        given: Mapping[str | int, Any],
        condition: Condition = None,
        *,
        num_draws: int = 8192,
        seed: int = 0,
    ) -> tfd.Distribution:
        """Return the density of all other columns, given the values of some.

        Exact for normal distributions, and where the given columns come first in the
        order of the flow. Elsewhere by importance sampling: a proposal is fitted until
        its weights are even, `effective_sample_size` and `tail_shape` say how even, and
        a warning comes where no answer can be relied on.

        Args:
            given: Values by names or positions of columns, such as `{"y": 1.0}`;
                labels of categories are fine.
            condition: `[*condition_shape]`, of a conditional flow.
            num_draws: Number of weighted draws.
            seed: Int that fixes these.

        Returns:
            A `tfd.Distribution` over the other columns, in their order.

        Raises:
            ValueError: If a column is unknown, none is left, a value is none that the
                column can have, or if the density there is 0.

        Example:
            >>> import tfp_flows as tfpf
            >>> flow = tfpf.flows.build("linear", 2, columns=["x", "y"], seed=0)
            >>> round(float(flow.conditional({"y": 1.0}).log_prob([0.0])), 4)
            -0.9189
        """
        _checks.count(num_draws, 1, "num_draws")
        flow: Any = self
        known, values, free = self._split(given)
        values = self._one_of_each(values)
        condition = self._one(condition)
        self._warn_of_far(known, values, condition, seed)
        density = flow.partial(flow.num_maps, condition)
        gaussian = query_exact.GaussianParts.of(flow, density)
        if gaussian is not None and not flow.is_discrete:
            return gaussian.conditional(known, values, free, density.dtype)
        inner = self._inner(known, density)
        if inner is not None:
            return query_exact.GivenPrefix(
                density, known, inner.tolist(), values.tolist()
            )
        return Conditional(
            flow,
            known,
            values.tolist(),
            condition=condition,
            num_draws=num_draws,
            seed=seed,
        )

    def _split(self, given: Any) -> tuple[tuple[int, ...], np.ndarray, list[int]]:
        """Return which columns are given, their values, and which ones are left."""
        if not isinstance(given, Mapping) or not given:
            msg = (
                "`given` must be values by column, such as {'y': 1.0}, got "
                f"{given!r}. For no values at all use `flow.marginal`."
            )
            raise ValueError(msg)
        flow: Any = self
        known = self._places(list(given), "given")
        values = self._values(known, list(given.values()))
        free = [i for i in range(flow.event_size) if i not in known]
        if not free:
            msg = (
                f"`given` must leave a column, got values of all {flow.event_size}. "
                "Use `flow.log_prob`."
            )
            raise ValueError(msg)
        return known, values, free

    def _inner(self, places: Sequence[int], density: Any) -> np.ndarray | None:
        """Return which numbers of the base some columns make, if that is exact."""
        flow: Any = self
        if flow.is_discrete or not hasattr(density, "bijector"):
            return None
        return query_exact.closed_set(flow, self._maps, places)

    def _one(self, condition: Condition) -> Any:
        """Return one condition as the flow takes it."""
        flow: Any = self
        if condition is None and flow.condition_shape is None:
            return None
        owner = f"this flow (`{type(self).__name__}`)"
        _checks.require_condition(condition, flow.condition_shape, owner)
        found = flow.in_order(None, condition)[1]
        found = tf.cast(tf.convert_to_tensor(found), flow.variable_dtype)
        size = int(np.prod(flow.condition_shape))
        if tf.size(found) != size:
            msg = (
                f"`condition` must be one, of shape {flow.condition_shape}, got "
                f"{tuple(found.shape)}. Ask for one condition after the other."
            )
            raise ValueError(msg)
        return tf.reshape(found, flow.condition_shape)

    def _places(self, columns: Any, argument: str) -> tuple[int, ...]:
        """Return the positions of columns that are given by names or positions."""
        flow: Any = self
        if len(self.event_shape) != 1:
            msg = (
                "`marginal` and `conditional` are for flows of vectors, this one has "
                f"events of shape {self.event_shape}. Use `log_prob` and `sample`."
            )
            raise ValueError(msg)
        if isinstance(columns, (str, int, np.integer)):
            columns = [columns]
        size, names = flow.event_size, flow.columns
        found = []
        for column in columns:
            if isinstance(column, (int, np.integer)) and -size <= column < size:
                found.append(int(column) % size)
            elif names is not None and column in names:
                found.append(names.index(column))
            else:
                have = f"has the columns {list(names)}" if names else "has no names"
                msg = (
                    f"`{argument}` must be columns of the flow, got {column!r}: it "
                    f"{have}, and positions 0 to {size - 1}. Take one of these."
                )
                raise ValueError(msg)
        if not found or len(set(found)) < len(found):
            msg = f"`{argument}` must name each column once, got {list(columns)}."
            raise ValueError(msg)
        return tuple(found)

    def _values(self, known: Sequence[int], given: Sequence[Any]) -> np.ndarray:
        """Return values of columns as numbers, `[..., B]`, if they can have them."""
        flow: Any = self
        names = flow.columns or [f"column {i}" for i in range(flow.event_size)]
        labels = flow.category_labels()
        found = []
        for place, value in zip(known, given, strict=True):
            name = names[place]
            own = list(labels.get(name, ()))
            numbers = _numbers(value, own)
            if numbers is None or not np.all(np.isfinite(numbers)):
                label = f" or one of {own}" if own else ""
                msg = (
                    f"`given` must be a finite number{label} for {name!r}, got "
                    f"{value!r}. Leave out columns that are not known."
                )
                raise ValueError(msg)
            found.append(numbers)
        try:
            values = np.stack(np.broadcast_arrays(*found), axis=-1)
        except ValueError:
            msg = (
                "`given` must hold as many values of each column, or one, got shapes "
                f"{[part.shape for part in found]}. Align them."
            )
            raise ValueError(msg) from None
        if flow.cells is not None:
            inner = np.array(flow.cells.inner_values(), np.float64)
            rows = np.tile(inner, [*values.shape[:-1], 1])
            rows[..., list(known)] = values
            outside = flow.cells.of(tf.constant(rows, flow.variable_dtype)).outside
            for *row, place in np.argwhere(outside).tolist():
                msg = (
                    f"`given` must hold {flow.cells.spec.columns[place]} for "
                    f"{names[place]!r}, got {rows[(*row, place)]:g}. Pass such a value."
                )
                raise ValueError(msg)
        return values

    def _one_of_each(self, values: np.ndarray) -> np.ndarray:
        """Return one value for each column that is given, `[B]`.

        Raises:
            ValueError: If there are several.
        """
        if values.size != values.shape[-1]:
            msg = (
                "`given` must be one value for each column, got a batch of shape "
                f"{values.shape[:-1]}. Ask for one after the other, or fit with "
                'conditionals="any", whose conditions may be many.'
            )
            raise ValueError(msg)
        return values.reshape(-1)

    def _warn_of_far(
        self, known: Sequence[int], values: np.ndarray, condition: Any, seed: int
    ) -> None:
        """Warn if a value is far outside of those that the flow draws."""
        flow: Any = self
        x = flow.distribution(condition).sample(COMPARED, seed=(seed, 2)).numpy()
        x = x[:, list(known)]
        low, high = x.min(axis=0), x.max(axis=0)
        margin = MOST_RANGES * (high - low)
        far = np.flatnonzero((values < low - margin) | (values > high + margin))
        if far.size:
            i = int(far[0])
            msg = (
                f"`given` is far outside the data: column {known[i]} is {values[i]:g}, "
                f"and {COMPARED} draws of the flow lie between {low[i]:g} and "
                f"{high[i]:g}. The answer is an extrapolation."
            )
            warnings.warn(msg, UserWarning, stacklevel=3)


def _numbers(value: Any, labels: list[Any]) -> np.ndarray | None:
    """Return values as numbers, labels as their positions, `None` if they are none."""
    parts = np.asarray(value, object)
    flat = [labels.index(v) if v in labels else v for v in parts.ravel().tolist()]
    try:
        return np.array(flat, np.float64).reshape(parts.shape)
    except (TypeError, ValueError):
        return None
