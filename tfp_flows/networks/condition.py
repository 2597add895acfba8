"""What a condition passes through on its way into a flow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Shape, TensorLike

__all__ = ["ConditionEmbedding"]


class ConditionEmbedding(tf.Module):
    """Standardise a condition, and pass it through a network if there is one.

    Args:
        condition_shape: Shape of one condition.
        network: Keras network or callable from `[N, *condition_shape]` to `[N, C]`;
            without one the standardised condition is flattened.
        dtype: `"float32"` or `"float64"`.
        name: Name.

    Raises:
        ValueError: If the network does not return vectors.
    """

    def __init__(
        self,
        condition_shape: Shape,
        network: Callable[..., Any] | None = None,
        *,
        dtype: Any = "float32",
        name: str = "condition_embedding",
    ) -> None:
        super().__init__(name=name)
        self.condition_shape = _checks.static_shape(condition_shape, "condition_shape")
        self.network = network
        self._dtype = tf.as_dtype(dtype)
        zeros = np.zeros(self.condition_shape)
        self._loc = tf.Variable(zeros, trainable=False, dtype=dtype, name="loc")
        self._scale = tf.Variable(
            zeros + 1.0, trainable=False, dtype=dtype, name="scale"
        )
        self.output_shape = (math.prod(self.condition_shape),)
        if network is not None:
            out = network(tf.zeros([1, *self.condition_shape], dtype))
            if len(out.shape) != 2:
                msg = (
                    "`embedding` must return one vector per condition, got shape "
                    f"{tuple(out.shape)} for one. End it with a dense layer."
                )
                raise ValueError(msg)
            self.output_shape = (int(out.shape[-1]),)
            found = getattr(network, "variables", ())
            # Keras 3 hides its variables from `tf.Module`: hand over the raw ones.
            self._raw = [v if isinstance(v, tf.Variable) else v.value for v in found]

    def adapt(self, condition: TensorLike) -> None:
        """Set location and scale from conditions `[..., *condition_shape]`.

        A component that does not vary keeps scale 1.
        """
        values = np.asarray(condition, np.float64)
        values = values.reshape([-1, *self.condition_shape])
        scale = values.std(axis=0)
        self._loc.assign(values.mean(axis=0))
        tiny = 1e-6 * np.maximum(np.abs(values).max(axis=0), 1e-30)
        self._scale.assign(np.where(scale > tiny, scale, 1.0))

    def __call__(self, condition: TensorLike) -> tf.Tensor:
        """Return `[..., C]` for conditions `[..., *condition_shape]`."""
        value = tf.convert_to_tensor(condition, dtype_hint=self._dtype)
        scale = tf.cast(self._scale, value.dtype)
        value = (value - tf.cast(self._loc, value.dtype)) / scale
        rank = value.shape.rank - len(self.condition_shape)
        batch = tf.shape(value)[:rank]
        if self.network is not None:
            flat = tf.reshape(value, [-1, *self.condition_shape])
            value = tf.cast(tf.convert_to_tensor(self.network(flat)), value.dtype)
        static = value.shape[:rank] if self.network is None else None
        out = tf.reshape(value, tf.concat([batch, self.output_shape], axis=0))
        if static is not None:
            out.set_shape(static.concatenate(self.output_shape))
        return out
