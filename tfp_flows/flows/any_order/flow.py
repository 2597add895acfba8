"""The flow that answers for any columns, given any others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _serialize
from tfp_flows._types import Condition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors._core.batch import to_columns
from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.objective import Objective
from tfp_flows.flows._model.options import option
from tfp_flows.flows.any_order import chain, lines
from tfp_flows.flows.any_order.density import AnyConditional, AnyDensity
from tfp_flows.flows.any_order.objective import RandomMasks
from tfp_flows.flows.any_order.queries import AnyQueries
from tfp_flows.flows.vectors import base
from tfp_flows.math.linear import products
from tfp_flows.networks import AnyOrder

__all__ = ["AnyOrderFlow"]

# Numbers of the widest layer in one evaluation: bounds its memory.
NUMBERS_AT_ONCE = 2**24
# Base densities that are symmetric, and whose coordinates are independent.
BASES = ("normal", "student-t")


def _one(value: Any, name: str) -> Any:
    options.at_least(1)(value, name)
    if value != 1:
        msg = (
            f"`{name}` of an `AnyOrderFlow` must be 1, got {value}: with more layers "
            "columns had no densities of their own. Give more hidden_units."
        )
        raise ValueError(msg)
    return value


@_serialize.register()
class AnyOrderFlow(AnyQueries, base.VectorFlow):
    """One network for the density of each column, given any of the others.

    The network sees the values of some columns and which these are, and gives each
    other column a mixture of logistics. The chain rule makes of these the density of
    any columns given any others: `conditional`, `marginal` and `impute` are exact for
    their order, which is from left to right. Other orders give other answers, as near
    to each other as the network is to the truth, see `order_spread`.

    Missing cells, NaN, are left out: `log_prob` is the density of what is there.
    Density and sampling cost `D` passes of the network, training one, see
    `training.RandomMasks`. Discrete columns have exact masses.

    References:
        Uria, Murray, Larochelle (2014). A Deep and Tractable Density Estimator.
        https://arxiv.org/abs/1310.1757
        Strauss, Oliva (2021). Arbitrary Conditional Distributions with Energy.
        https://arxiv.org/abs/2102.04426
    """

    num_layers: int = option(
        default=1, doc="Always 1: the chain rule is one layer.", read=_one
    )
    num_components: int = option(
        default=8,
        doc="Logistics in the mixture of each column.",
        read=options.at_least(1),
    )
    hidden_units: Sequence[int] = option(default=(128, 128, 128))
    residual: bool = option(
        default=True,
        doc="Whether the network is residual; then all widths must be equal.",
    )

    fit_policy = policy.FitPolicy(base="student-t", dropout=0.2, average=0.99)
    objective_kind: ClassVar[type[Objective] | None] = RandomMasks
    answers_any = True
    # Masses of discrete values are exact in training, too.
    spreads_values = False

    transformer = base.MixtureLayers.transformer

    @property
    def conditioner(self) -> AnyOrder:
        """The network."""
        layer: Any = self._maps[0]
        return layer.conditioner

    @property
    def standardization(self) -> standardize.Standardize:
        """The map that standardises the data."""
        found: Any = self._maps[1]
        return found

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        if len(self.event_shape) != 1:
            msg = (
                "`event_shape` of an `AnyOrderFlow` must be that of rows of a table, "
                f"got {self.event_shape}. Give the number of columns."
            )
            raise ValueError(msg)
        if self._base.kind not in BASES:
            msg = (
                f"`base` of an `AnyOrderFlow` must be one of {list(BASES)}, got "
                f"{self._base.kind!r}. Leave it out."
            )
            raise ValueError(msg)
        transformer = self.transformer
        net = AnyOrder(
            size,
            transformer.params_size,
            condition_shape=condition_shape,
            initial_output=transformer.initial(),
            **self._network(residual=self.residual),
        )
        return [MaskedAutoregressive(transformer, net)]

    def embedded(self, condition: Any, count: Any) -> tf.Tensor | None:
        """Return conditions as the network takes them, `[C, N]`, or `None`.

        Args:
            condition: `[N, *condition_shape]`, or one, `[*condition_shape]`.
            count: Number of rows.
        """
        if self.condition_shape is None:
            return None
        condition = tf.cast(tf.convert_to_tensor(condition), self.variable_dtype)
        shape = tf.concat([[count], list(self.condition_shape)], axis=0)
        condition = tf.broadcast_to(condition, shape)
        if self._embedding is not None:
            condition = self._embedding(condition)
        return products.transpose(tf.reshape(condition, [count, -1]))

    def distribution(self, condition: Condition = None) -> tfd.Distribution:
        """Return the density over the current weights.

        Args:
            condition: `[..., *condition_shape]`; the leading dimensions become the
                batch shape. Required by a conditional flow.

        Returns:
            A `tfd.TransformedDistribution`; with discrete columns one whose masses are
            exact. Missing values, NaN, are left out of its `log_prob`.

        Raises:
            ValueError: If the condition is missing or not wanted.
        """
        given = self._one_condition(condition)
        if not self.is_discrete:
            return AnyDensity(self, given, name=self.name)
        places = range(self.event_size)
        return AnyConditional(self, places, condition=given, name=str(self.name))

    def pushed(self, z: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        """Return the events that numbers of the base density become.

        Args:
            z: Numbers of the base density, `[..., D]`.
            condition: Conditions, `[..., *condition_shape]`.
        """
        if not self.is_discrete:
            return super().pushed(z, condition)
        rank = len(self.condition_shape or ())
        columns, given, batch = to_columns(z, condition, rank)
        given = self._embedded_columns(given)
        start = tf.zeros_like(columns)
        seen, places = tf.zeros_like(columns, tf.bool), range(self.event_size)
        u = chain.draw(self, start, seen, columns, places, given)
        return batch.events(products.transpose(lines.values(self, u)))

    def _embedded_columns(self, condition: tf.Tensor | None) -> tf.Tensor | None:
        """Return conditions, `[C, N]`, as the network takes them."""
        if condition is None:
            return None
        shape = [-1, *(self.condition_shape or ())]
        rows = tf.reshape(products.transpose(condition), shape)
        return self.embedded(rows, tf.shape(rows)[0])

    def _chain_log_prob(self, x: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density of what is there of rows, `[...]`."""
        owner = f"this flow (`{type(self).__name__}`)"
        _checks.require_trailing(x.shape, self.event_shape, "x", owner)
        if condition is not None:
            condition = tf.cast(condition, x.dtype)
            shape = self.condition_shape
            _checks.require_trailing(condition.shape, shape, "condition", owner)
        rank = len(self.condition_shape or ())
        columns, given, batch = to_columns(x, condition, rank)
        rows = lines.positions(self, products.transpose(columns))
        given = self._embedded_columns(given)
        seen = np.zeros([self.event_size, 1], bool)
        places = range(self.event_size)
        return batch.scalars(chain.log_prob(self, rows, seen, places, given))

    def continuous_log_prob(self, x: tf.Tensor, condition: Condition) -> tf.Tensor:
        """Return the log-density of what is there of rows, `[...]`.

        Args:
            x: Values, `[..., *event_shape]`.
            condition: Conditions, `[..., *condition_shape]`, or `None`.
        """
        return self._chain_log_prob(x, condition)

    def _rows_at_once(self) -> int | None:
        """Return how many rows are evaluated at once, each with a copy by column."""
        widest = max(*self.hidden_units, self.conditioner.output_shape[1])
        return max(1, NUMBERS_AT_ONCE // (widest * self.event_size))

    def _folded_log_prob(
        self, x: tf.Tensor, spread: tf.Tensor | None, condition: Condition
    ) -> tf.Tensor:
        del spread
        return self._chain_log_prob(x, condition)
