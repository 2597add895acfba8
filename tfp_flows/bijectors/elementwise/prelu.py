"""Leaky rectifiers, which are invertible for positive slopes."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Shape, TensorLike
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.parameters import MAX_LOG_SCALE, Parameter
from tfp_flows.bijectors._core.properties import POSITIVE
from tfp_flows.math import leaky
from tfp_flows.math.linear import products

__all__ = ["LeakyReLU", "PReLU"]


def _require_positive(slope: Any) -> None:
    if isinstance(slope, (int, float)) and not 0 < slope < math.inf:
        msg = (
            f"`negative_slope` must be positive and finite, got {slope!r}. A slope of "
            "0 has no inverse; pass for example 0.1."
        )
        raise ValueError(msg)


class LeakyReLU(base.Bijector):
    """Scale negative numbers: `y = x if x >= 0 else x * negative_slope`.

    Both directions cost `O(1)` per scalar. The density has a jump at zero.

    Raises:
        ValueError: If the slope is a number that is not positive.

    Shapes:
        Scalars; with slopes `[..., C]` inputs are `[..., C]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> leaky = tfpf.bijectors.LeakyReLU(0.5)
        >>> leaky.forward([-2., 2.]).numpy().tolist()
        [-1.0, 2.0]
    """

    negative_slope: TensorLike = Parameter(
        "",
        "Positive slope left of zero, a scalar or one number per channel `[..., C]`.",
        default=0.2,
        constraint=POSITIVE,
        remedy="A slope of 0 has no inverse.",
        exact=True,
    )

    _event = ""
    _default_name = "leaky_relu"
    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        _require_positive(self.negative_slope)
        shape = getattr(self.negative_slope, "shape", ())
        return {"event_shape": tuple(shape[-1:]) or None}

    def _log_slope(self, dtype: tf.DType) -> tf.Tensor:
        return tf.math.log(tf.convert_to_tensor(self.negative_slope, dtype))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.forward(x, self._log_slope(x.dtype))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.inverse(y, self._log_slope(y.dtype))


class PReLU(base.Bijector):
    """Scale negative numbers by a learned slope, `exp(s)`.

    `y = x if x >= 0 else x * exp(s)`. Both directions cost `O(1)` per scalar.

    Shapes:
        Scalars; with slopes `[..., C]` inputs are `[..., C]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> prelu = tfpf.bijectors.PReLU.trainable(negative_slope=0.5)
        >>> prelu.forward([-2., 2.]).numpy().tolist()
        [-1.0, 2.0]

    References:
        He et al. (2015). Delving Deep into Rectifiers. https://arxiv.org/abs/1502.01852
    """

    log_slope: TensorLike = Parameter(
        "", "Gives `s`, a scalar or one number per channel `[..., C]`."
    )
    _: KW_ONLY
    max_log_scale: float | None = MAX_LOG_SCALE

    _event = ""
    _default_name = "prelu"
    _is_increasing = monotone.increasing

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        return {"event_shape": tuple(self.log_slope.shape[-1:]) or None}

    @classmethod
    def trainable(
        cls,
        shape: Shape = (),
        *,
        negative_slope: float = 1.0,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> PReLU:
        """Return a map of a new variable that starts as the identity.

        Args:
            shape: Shape of the slopes: `()` for one, the number of channels for one
                per channel.
            negative_slope: Slope to start from; 1 is the identity.
        """
        _require_positive(negative_slope)
        sizes = _checks.static_shape(shape, "shape")
        with tf.init_scope():
            start = tf.constant(math.log(negative_slope), tf.float64)
            start = products.unbounded_log_scale(start, max_log_scale)
            start = start + np.zeros(sizes)
        kwargs.update(log_slope=start, max_log_scale=max_log_scale)
        return cls._of_variables({}, dtype, **kwargs)

    def _bounded(self) -> tf.Tensor:
        log_slope = tf.convert_to_tensor(self.log_slope)
        return products.bounded_log_scale(log_slope, self.max_log_scale)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.forward(x, self._bounded())

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.inverse(y, self._bounded())
