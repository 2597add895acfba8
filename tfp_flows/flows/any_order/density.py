"""Densities of any columns of a flow, given any others, by the chain rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Seed, TensorLike
from tfp_flows.distributions.transformed import FlowDistribution
from tfp_flows.flows._model.query_lines import Query
from tfp_flows.flows.any_order import chain, lines
from tfp_flows.math.linear import products
from tfp_flows.math.support import without_mass_at_infinity

__all__ = ["AnyConditional", "AnyDensity"]


class AnyDensity(FlowDistribution):
    """The density of all columns: of events with missing values, of what is there.

    Args:
        flow: The `AnyOrderFlow` whose density it is.
        condition: Of the flow, if it needs one, `[..., *condition_shape]`; leading
            dimensions are the batch.
        validate_args: Whether to run value checks.
        name: Name.
    """

    takes_gaps = True

    def __init__(
        self,
        flow: Any,
        condition: tf.Tensor | None = None,
        *,
        validate_args: bool = False,
        name: str | None = None,
    ) -> None:
        parameters = dict(locals())
        self._flow, self._condition = flow, condition
        whole = flow.partial(flow.num_maps, condition)
        super().__init__(
            whole.distribution, whole.bijector, validate_args=validate_args, name=name
        )
        self._parameters = self._no_dependency(parameters)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        del dtype, num_classes
        rank = cls._condition_rank
        return {"condition": tfp.util.ParameterProperties(event_ndims=rank)}

    def _condition_rank(self) -> int:
        return len(self._flow.condition_shape or ())

    def __getitem__(self, slices: Any) -> tfd.Distribution:
        """Return a part of a batch of densities.

        Raises:
            IndexError: If an index is out of the batch's range, or one too many.
        """
        if self._condition is not None:
            return super().__getitem__(slices)
        places = slices if isinstance(slices, tuple) else (slices,)
        _checks.batch_index(places, self.batch_shape, f"`{self.name}`")
        # There is no batch: what is left are new dimensions of size 1.
        return tfd.BatchBroadcast(self, tf.zeros([])[places].shape)

    def _with_condition(self, condition: tf.Tensor) -> AnyDensity:
        return self.copy(condition=condition)

    def _log_prob(self, y: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        del kwargs
        found = self._flow.continuous_log_prob(y, self._condition)
        return without_mass_at_infinity(found, y, 1)


class AnyConditional(Query):
    """The density of some columns given the values of others; the rest is left out.

    Exact for the order from left to right over the columns that are asked for: the sum
    of one density for each of them, which integrates to 1. `log_prob` costs as many
    passes of the network as there are columns, in one batch; sampling as many, one
    after the other. Discrete columns have exact masses. Of one column alone there are
    `cdf`, too. A missing value of a column, NaN, is left out of `log_prob`.

    Args:
        flow: An `AnyOrderFlow`.
        places: Positions of the columns.
        known: Positions of the columns that are given.
        given: Their values, `[..., B]`; leading dimensions are the batch.
        condition: Of the flow, if it needs one, `[..., *condition_shape]`; leading
            dimensions belong to the batch, too.
        validate_args: Whether to run value checks.
        name: Name.

    Attributes:
        columns: Names of the columns, or their positions.
    """

    _parameter_properties = Query.parameter_properties

    takes_gaps = True

    def __init__(
        self,
        flow: Any,
        places: Sequence[int],
        known: Sequence[int] = (),
        given: Any = None,
        *,
        condition: Any = None,
        validate_args: bool = False,
        name: str = "conditional",
    ) -> None:
        parameters = dict(locals())
        self._flow, self._condition = flow, None
        if condition is not None:
            self._condition = tf.cast(condition, flow.variable_dtype)
        self._set_columns(flow, places)
        self._known = tuple(int(i) for i in known)
        dtype = tf.as_dtype(flow.variable_dtype)
        given = np.zeros([0]) if given is None else given
        self._given = tf.convert_to_tensor(given, dtype)
        parameters["given"] = self._given
        kind = (
            tfd.NOT_REPARAMETERIZED if flow.is_discrete else tfd.FULLY_REPARAMETERIZED
        )
        super().__init__(
            dtype=dtype,
            reparameterization_type=kind,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    def _batch_shape(self) -> tf.TensorShape:
        batch = self._given.shape[:-1]
        if self._condition is None:
            return batch
        return tf.broadcast_static_shape(batch, self._condition.shape[: self._cut])

    def _batch_shape_tensor(self) -> tf.Tensor:
        batch = tf.shape(self._given)[:-1]
        if self._condition is None:
            return batch
        own = tf.shape(self._condition)[: self._cut]
        return tf.broadcast_dynamic_shape(batch, own)

    @property
    def _cut(self) -> int:
        """Return how many leading dimensions the condition has."""
        condition: Any = self._condition
        return int(condition.shape.rank) - len(self._flow.condition_shape)

    def __getitem__(self, slices: Any) -> AnyConditional:
        """Return the densities of a part of the conditions."""
        found = slices if isinstance(slices, tuple) else (slices,)
        batch = self._batch_shape_tensor()
        given = _spread(self._given, batch, 1)[(*found, slice(None))]
        condition = self._condition
        if condition is not None:
            shape = self._flow.condition_shape
            every = (slice(None),) * len(shape)
            condition = _spread(condition, batch, len(shape))[(*found, *every)]
        return self.copy(given=given, condition=condition)

    def _rows(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
        """Return all columns of events, NaN where unknown, conditions, and the batch.

        Returns:
            `[N, D]`, `[C, N]` or `None`, and a shape whose size is `N`.
        """
        batch = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], self._batch_shape_tensor())
        count = tf.reduce_prod(batch)
        parts = [
            tf.reshape(_spread(part, batch, 1), [count, part.shape[-1]])
            for part in (x, self._given)
        ]
        free = np.setdiff1d(
            np.arange(self._flow.event_size), (*self._places, *self._known)
        )
        rest = tf.fill([count, len(free)], tf.constant(np.nan, x.dtype))
        back = np.argsort(np.concatenate([self._places, self._known, free]).astype(int))
        rows = tf.gather(tf.concat([*parts, rest], axis=-1), back, axis=-1)
        condition = self._condition
        if condition is not None:
            shape = self._flow.condition_shape
            condition = tf.reshape(_spread(condition, batch, len(shape)), [-1, *shape])
        return rows, self._flow.embedded(condition, count), batch

    def _seen(self) -> np.ndarray:
        """Return which columns are given, `[D, 1]`."""
        seen = np.zeros([self._flow.event_size, 1], bool)
        seen[list(self._known)] = True
        return seen

    def _order(self) -> list[int]:
        """Return the positions of the columns in the order of the chain."""
        return sorted(self._places)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        full, condition, batch = self._rows(tf.cast(x, self.dtype))
        rows = lines.positions(self._flow, full)
        found = chain.log_prob(self._flow, rows, self._seen(), self._order(), condition)
        return tf.reshape(found, batch)

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        ones = [1] * self.batch_shape.rank
        blank = tf.zeros([n, *ones, len(self._places)], self.dtype)
        full, condition, batch = self._rows(blank)
        rows = lines.positions(self._flow, full)
        z = self._flow.base.distribution().sample(tf.shape(full)[0], seed=seed)
        seen = self._seen() & tf.ones_like(rows.missing)
        u = chain.draw(
            self._flow, rows.u, seen, products.transpose(z), self._order(), condition
        )
        x = tf.gather(lines.values(self._flow, u), self._places, axis=-1)
        return tf.reshape(x, tf.concat([batch, [len(self._places)]], axis=0))

    def _cdf(self, x: tf.Tensor) -> tf.Tensor:
        return self.tails(x)[0]

    def tails(self, x: TensorLike) -> tuple[tf.Tensor, tf.Tensor]:
        """Return `P(X <= x)` and `P(X >= x)` of one column.

        Args:
            x: Values, `[..., 1]`.

        Raises:
            NotImplementedError: If the density is of several columns.
        """
        if len(self._places) != 1:
            msg = (
                "`cdf` is that of one column, and this density is of "
                f"{len(self._places)}. Ask for the columns one by one."
            )
            raise NotImplementedError(msg)
        x = tf.cast(tf.convert_to_tensor(x), self.dtype)
        full, condition, batch = self._rows(x)
        rows = lines.positions(self._flow, full)
        seen = self._seen() & tf.ones_like(rows.missing)
        found = chain.tails(self._flow, rows, seen, self._places[0], condition)
        return tf.reshape(found[0], batch), tf.reshape(found[1], batch)


def _spread(value: tf.Tensor, batch: tf.Tensor, rank: int) -> tf.Tensor:
    """Return values, whose last dimensions are no batch, for each of a batch."""
    shape = tf.concat([batch, tf.shape(value)[tf.rank(value) - rank :]], axis=0)
    return tf.broadcast_to(value, shape)
