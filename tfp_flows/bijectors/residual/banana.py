"""A parabola under coordinates: the plainest map that makes no Gaussian of one."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import base
from tfp_flows.bijectors._core.parameters import Parameter

__all__ = ["Banana"]


class Banana(base.Bijector):
    """Add multiples of the square of the first coordinate: `y_i = x_i + c_i * x_0**2`.

    With a shift, `y_i = x_i + c_i * x_0**2 + s_i`. The first coordinate stays. A
    correlated Gaussian of two coordinates becomes a banana, and the map keeps volumes:
    the log-det is 0, and the entropy that of the Gaussian.

    Both directions cost `O(D)` per event. Beyond 1e19 a square overflows in float32.

    Example:
        >>> import tfp_flows as tfpf
        >>> banana = tfpf.bijectors.Banana([-1.], [-1.])
        >>> banana.forward([2., 0.]).numpy().tolist()
        [2.0, -5.0]

    References:
        L. C. Tiao (2018). Building probability distributions with the TensorFlow
        Probability bijector API. https://tiao.io/post/building-probability-distributions-with-tensorflow-probability-bijector-api/
    """

    curvature: TensorLike = Parameter(
        "D-1", "The multiples `c`, for each coordinate but the first.", start=0.0
    )
    shift: TensorLike | None = Parameter(
        "D-1", "The shifts `s`, or `None`.", default=None, start=0.0
    )

    _is_constant_jacobian = True

    @classmethod
    def trainable(
        cls, size: int, *, dtype: DType = tf.float32, **kwargs: Any
    ) -> Banana:
        """Return a map of new variables that starts as the identity.

        Args:
            size: Number of coordinates `D`, 2 or more.
        """
        return cls._of_variables({"D": size}, dtype, **kwargs)

    def _bend(self, first: tf.Tensor) -> tf.Tensor:
        bend = tf.convert_to_tensor(self.curvature) * tf.square(first)
        return bend if self.shift is None else bend + self.shift

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first, others = x[..., :1], x[..., 1:]
        others += self._bend(first)
        first = tf.broadcast_to(first, tf.concat([tf.shape(others)[:-1], [1]], 0))
        return tf.concat([first, others], -1), tf.zeros_like(first[..., 0])

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first, others = y[..., :1], y[..., 1:]
        others -= self._bend(first)
        first = tf.broadcast_to(first, tf.concat([tf.shape(others)[:-1], [1]], 0))
        return tf.concat([first, others], -1), tf.zeros_like(first[..., 0])
