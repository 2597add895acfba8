"""Scalar maps with parameters of their own, or parameters made from a condition."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.bijectors._core import batch as columns
from tfp_flows.math.linear import products

__all__ = ["ConditionalElementwise", "Elementwise"]


def _params_first(params: tf.Tensor) -> tf.Tensor:
    rank = params.shape.rank
    return products.transpose(params, [rank - 1, *range(rank - 1)])


class Elementwise(base.Bijector):
    """A transformer with parameters of its own: a bijector on each scalar.

    Args:
        transformer: The scalar map.
        params: Its unconstrained parameters, `[..., P]`; tensor or `tf.Variable`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If `P` is not `transformer.params_size`.

    Example:
        >>> import tfp_flows as tfpf
        >>> affine = tfpf.bijectors.Affine()([[1., 0.], [2., 0.]])
        >>> affine.forward([0., 0.]).numpy().tolist()
        [1.0, 2.0]
    """

    _of_tensors = True

    def __init__(
        self,
        transformer: Any,
        params: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "elementwise",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            dtype = arguments.common_dtype(params, owner="`Elementwise`")
            self._params = arguments.as_parameter(params, "params", dtype)
            _checks.require_trailing(
                self._params.shape,
                (transformer.params_size,),
                "params",
                f"`{type(transformer).__name__}`",
            )
            super().__init__(
                forward_min_event_ndims=0,
                dtype=self._params.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Any:
        """The scalar map."""
        return self._transformer

    @property
    def params(self) -> tf.Tensor | tf.Variable:
        """Its parameters, `[..., P]`."""
        return self._params

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {"params": properties.free(1)}

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    def _broadcast(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        params = tf.convert_to_tensor(self._params)
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
        return self._transformer.forward(*self._broadcast(x))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._transformer.inverse(*self._broadcast(y))


class ConditionalElementwise(base.Bijector):
    """A transformer on each coordinate whose parameters depend on the condition only.

    Without a condition the parameters are the conditioner's own numbers. This is what
    a coupling layer becomes for events of one coordinate.

    Both directions cost one conditioner pass.

    Args:
        transformer: The scalar map.
        conditioner: Conditioner of input size 0 with output shape
            `(D, transformer.params_size)`.
        validate_args: Whether to run value checks.
        name: Name of the map.
    """

    def __init__(
        self,
        transformer: Any,
        conditioner: Any,
        *,
        validate_args: bool = False,
        name: str = "conditional_elementwise",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            self._conditioner = conditioner
            size, width = conditioner.output_shape
            if width != transformer.params_size or conditioner.input_size != 0:
                msg = (
                    "`conditioner` must have input size 0 and output_shape (D, "
                    f"{transformer.params_size}), got input size "
                    f"{conditioner.input_size} and {conditioner.output_shape}. Build "
                    "it for this transformer."
                )
                raise ValueError(msg)
            super().__init__(
                event_shape=(size,),
                condition_shape=conditioner.condition_shape,
                dtype=conditioner.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Any:
        """The scalar map."""
        return self._transformer

    @property
    def conditioner(self) -> Any:
        """What turns the condition into parameters."""
        return self._conditioner

    @property
    def repeatable(self) -> bool:
        """Whether the conditioner is."""
        return getattr(self._conditioner, "repeatable", False)

    _is_increasing = monotone.increasing

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    def _evaluate_columns(
        self,
        value: tf.Tensor,
        condition: tf.Tensor | None,
        *,
        inverse: bool,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        ndims = len(self.condition_shape or ())
        value, condition, batch = columns.to_columns(value, condition, ndims)
        params = self._conditioner.columns(value[:0], condition)
        direction = self._transformer.inverse if inverse else self._transformer.forward
        out, log_det = direction(value, params)
        return batch.events(out), batch.scalars(tf.reduce_sum(log_det, axis=0))

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_columns(x, condition, inverse=False)

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_columns(y, condition, inverse=True)
