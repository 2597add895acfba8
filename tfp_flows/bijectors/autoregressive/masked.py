"""Masked autoregressive maps: each coordinate is mapped given those before it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows._context import is_training
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core import batch as columns
from tfp_flows.bijectors.autoregressive import orders, sampling
from tfp_flows.bijectors.transformers.base import Transformer

__all__ = ["MaskedAutoregressive"]


class MaskedAutoregressive(base.Bijector):
    """Map each coordinate given the data coordinates before it, and a condition.

    `inverse`, and with it the density of data, is fast: one conditioner pass.
    `forward`, and with it sampling, goes through the coordinates one after the other:
    `D` steps that cost about one pass in total with `networks.MADE`, and `D` passes
    with a conditioner of another kind.
    `Invert` of this map is an inverse autoregressive one (IAF): fast sampling, slow
    density of data that it did not sample itself.

    Args:
        transformer: The scalar map of each coordinate.
        conditioner: `networks.MADE`, or any conditioner from `D` inputs to
            `(D, transformer.params_size)` that keeps an order of coordinates. One
            that states no `order` is checked by values, in eager mode.
        order: The rank of each coordinate, for a conditioner that does not state it;
            by default the conditioner's `order`, else from left to right.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If the conditioner does not fit the transformer, or does not keep
            the order.

    Shapes:
        Events `[..., D]`; conditions broadcast against `[...]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> made = tfpf.networks.MADE(2, 2, hidden_units=(8,), seed=0)
        >>> maf = tfpf.bijectors.MaskedAutoregressive(tfpf.bijectors.Affine(), made)
        >>> maf.inverse([[1., 2.]]).numpy().tolist()
        [[1.0, 2.0]]

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
        Kingma et al. (2016). Inverse Autoregressive Flow.
        https://arxiv.org/abs/1606.04934
    """

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Any,
        *,
        order: Any = None,
        validate_args: bool = False,
        name: str = "masked_autoregressive",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            self._conditioner = conditioner
            size = conditioner.input_size
            wanted = (size, transformer.params_size)
            if tuple(conditioner.output_shape) != wanted:
                msg = (
                    f"`conditioner` must have output_shape {wanted} for this "
                    f"transformer, got {tuple(conditioner.output_shape)}. Build it "
                    "with params_size=transformer.params_size."
                )
                raise ValueError(msg)
            self._kept_order = orders.Order(conditioner, order)
            self._order = self._kept_order.ranks
            self._kept_order.check(conditioner)
            super().__init__(
                event_shape=(size,),
                condition_shape=conditioner.condition_shape,
                dtype=conditioner.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Transformer:
        """The scalar map."""
        return self._transformer

    @property
    def conditioner(self) -> Any:
        """What turns earlier coordinates into parameters."""
        return self._conditioner

    @property
    def order(self) -> tuple[int, ...]:
        """The rank of each coordinate."""
        return self._order

    @property
    def repeatable(self) -> bool:
        """Whether the conditioner may be rebuilt from other weights."""
        return getattr(self._conditioner, "repeatable", False)

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self._kept_order.check(self._conditioner)
        ndims = len(self.condition_shape or ())
        y, condition, batch = columns.to_columns(y, condition, ndims)
        params = self._conditioner.columns(y, condition)
        x, log_det = self._transformer.inverse(y, params)
        return batch.events(x), batch.scalars(tf.reduce_sum(log_det, axis=0))

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self._kept_order.check(self._conditioner)
        ndims = len(self.condition_shape or ())
        x, condition, batch = columns.to_columns(x, condition, ndims)
        # Dropout is for passes of whole networks.
        steps = hasattr(self._conditioner, "sequential") and not is_training()
        function = sampling.by_steps if steps else sampling.by_passes
        x, condition, count = columns.at_least_one(x, condition)
        y, log_det = function(
            self._transformer, self._conditioner, self._order, x, condition
        )
        return batch.events(y[:, :count]), batch.scalars(log_det[:count])
