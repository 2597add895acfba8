"""Scalar maps with parameters of their own, or parameters made from a condition."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Given, Pair, TensorLike
from tfp_flows.bijectors._core import base, conditioned, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter, Part
from tfp_flows.math.linear import products

__all__ = ["ConditionalElementwise", "Elementwise"]


def _params_first(params: tf.Tensor) -> tf.Tensor:
    rank = params.shape.rank
    return products.transpose(params, [rank - 1, *range(rank - 1)])


class Elementwise(base.Bijector):
    """A transformer with parameters of its own: a bijector on each scalar.

    Raises:
        ValueError: If `P` is not `transformer.params_size`.

    Example:
        >>> import tfp_flows as tfpf
        >>> affine = tfpf.bijectors.Affine()([[1., 0.], [2., 0.]])
        >>> affine.forward([0., 0.]).numpy().tolist()
        [1.0, 2.0]
    """

    transformer: Any = Option("The scalar map.")
    params: TensorLike = Parameter(
        "P?", "Its unconstrained parameters; tensor or `tf.Variable`."
    )

    _event = ""
    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        width, owner = self.transformer.params_size, type(self.transformer).__name__
        _checks.require_trailing(self.params.shape, (width,), "params", f"`{owner}`")
        return {}

    def _broadcast(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        params = tf.convert_to_tensor(self.params)
        shape = tf.broadcast_dynamic_shape(tf.shape(value), tf.shape(params)[:-1])
        static = tf.broadcast_static_shape(value.shape, params.shape[:-1])
        value = tf.broadcast_to(value, shape)
        value.set_shape(static)
        # Leading dimensions that only the value has become ones behind the parameters.
        first = _params_first(params)
        ones = tf.ones([static.rank - (first.shape.rank - 1)], tf.int32)
        shape = tf.shape(first)
        padded = tf.concat([shape[:1], ones, shape[1:]], axis=0)
        out = tf.reshape(first, padded)
        missing = [1] * (static.rank - first.shape.rank + 1)
        out.set_shape([first.shape[0], *missing, *first.shape[1:]])
        return value, out

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.transformer.forward(*self._broadcast(x))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.transformer.inverse(*self._broadcast(y))


class ConditionalElementwise(conditioned.OnColumns):
    """A transformer on each coordinate whose parameters depend on the condition only.

    Without a condition the parameters are the conditioner's own numbers. This is what
    a coupling layer becomes for events of one coordinate.

    Both directions cost one conditioner pass.
    """

    transformer: Any = Option("The scalar map.")
    conditioner: Any = Part(
        "Conditioner of input size 0 with output shape `(D, transformer.params_size)`."
    )

    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        conditioner, wanted = self.conditioner, self.transformer.params_size
        sizes["D"], width = conditioner.output_shape
        if width != wanted or conditioner.input_size != 0:
            msg = (
                f"`conditioner` must have input size 0 and output_shape (D, {wanted}), "
                f"got input size {conditioner.input_size} and "
                f"{conditioner.output_shape}. Build it for this transformer."
            )
            raise ValueError(msg)
        return {}

    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        params = self.conditioner.columns(value[:0], condition)
        return self._transformed(value, params, inverse=inverse)
