"""The invertible 1x1 convolution: one matrix for the channels of every pixel."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows._types import DType, Seed
from tfp_flows.bijectors._core import arguments, base
from tfp_flows.bijectors._core.parameters import Part
from tfp_flows.bijectors.linear import lu
from tfp_flows.math import moments
from tfp_flows.math.linear import products as linear_maps

__all__ = ["InvertibleConv1x1"]


class InvertibleConv1x1(base.Bijector):
    """Multiply the channels of every pixel by one matrix, kept as an `LU`.

    The matrix (forward) or its inverse (by two triangular solves of a `[C, C]`
    system) is made once per call and then multiplies all pixels: both directions cost
    `O(H * W * C**2 + C**3)`. The log-det is `H * W * sum(s)`.

    Raises:
        ValueError: If the linear map has a shift.

    Shapes:
        `[..., H, W, C]` to `[..., H, W, C]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> conv = tfpf.bijectors.InvertibleConv1x1.trainable(3, seed=0)
        >>> conv.forward(np.ones([5, 8, 8, 3], "float32")).shape.as_list()
        [5, 8, 8, 3]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, section 3.2
    """

    linear: lu.LU = Part("The matrix by its factors, without a shift.", event_ndims=1)

    _is_constant_jacobian = True
    _default_name = "invertible_conv_1x1"

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        if self.linear.shift is not None:
            msg = (
                "`linear` must have no shift in a 1x1 convolution, got one. Build "
                "it with use_shift=False; `ActNorm` shifts."
            )
            raise ValueError(msg)
        self._size = sizes["D"] = int(self.linear.log_diagonal.shape[-1])
        return {"forward_min_event_ndims": 3}

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        init: Any = "orthogonal",
        seed: Seed = None,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> InvertibleConv1x1:
        """Return a map of new variables.

        Args:
            size: Number of channels `C`.
            init: `"orthogonal"` (a random rotation), `"identity"`, or a matrix.
            seed: Seed of the random rotation; `None` draws a new one. The permutation
                of the factors, which is no weight, depends on it.
            max_log_scale: Soft bound of the log-diagonal, see `LU`.
        """
        linear = lu.LU.trainable(
            size,
            init=init,
            seed=seed,
            use_shift=False,
            max_log_scale=max_log_scale,
            dtype=dtype,
        )
        return cls(linear, **kwargs)

    def _multiply(
        self, value: tf.Tensor, rows: tf.Tensor, log_det: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Multiply pixels by the images of the unit vectors; count each pixel."""
        out = tf.matmul(tf.reshape(value, [-1, self._size]), rows)
        out = tf.reshape(out, tf.shape(value))
        out.set_shape(value.shape)
        log_det = log_det[0] * moments.num_positions(value, 3)
        return out, linear_maps.broadcast_log_det(log_det, out, 3)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_rank(x.shape, 3, "x", "`InvertibleConv1x1`")
        eye = tf.eye(self._size, dtype=x.dtype)
        return self._multiply(x, *self.linear.forward_and_log_det(eye))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_rank(y.shape, 3, "y", "`InvertibleConv1x1`")
        eye = tf.eye(self._size, dtype=y.dtype)
        return self._multiply(y, *self.linear.inverse_and_log_det(eye))
