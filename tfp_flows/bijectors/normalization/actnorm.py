"""Activation normalisation: a scale and a shift per channel, set from data."""

from __future__ import annotations

from dataclasses import KW_ONLY

import tensorflow as tf

from tfp_flows._types import TensorLike
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.bijectors.normalization.base import EVENT_NDIMS, PerChannel
from tfp_flows.math import moments

__all__ = ["ActNorm"]


class ActNorm(PerChannel):
    """Scale and shift each channel: `y = x * exp(log_scale) + shift + offset`.

    Both directions cost `O(D)`; the log-det is `sum(log_scale)` times the number of
    positions in an event.

    `adapt(y)` sets the parameters from data such that `inverse(y)` has mean 0 and
    deviation 1 in each channel. Nothing is ever set without this call. Log-scales are
    not bounded, since data may have any unit.

    The location is kept as the sum of two numbers. `adapt` puts the rounded mean into
    `offset`, which is fixed, and the rest into `shift`, which is trained. Data at 1e6
    with deviation 1 thus keep their digits in float32, and a small step of an optimizer
    has an effect.

    Shapes:
        `[..., C]`, or `[..., H, W, C]`; leading dimensions of the parameters broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> norm = tfpf.bijectors.ActNorm.trainable(1)
        >>> norm.adapt([[10.], [14.]])
        >>> norm.inverse([[10.], [14.]]).numpy().tolist()
        [[-1.0], [1.0]]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, section 3.1
    """

    log_scale: TensorLike = Parameter("C", "Logarithm of the scale.", start=0.0)
    shift: TensorLike = Parameter("C", "Trained part of the location.", start=0.0)
    _: KW_ONLY
    offset: TensorLike | None = Parameter(
        "C",
        "Fixed part of the location; `None` for nothing.",
        default=None,
        start=0.0,
        trainable=False,
    )
    event_ndims: int = EVENT_NDIMS

    _is_constant_jacobian = True
    _adapted = ("log_scale", "shift", "offset")

    def _set_moments(self, location: tf.Tensor, scale: tf.Tensor) -> None:
        dtype = self.log_scale.dtype
        if self.offset is None:
            self.shift.assign(tf.cast(location, dtype))
        else:
            offset, shift = moments.split_location(location, dtype)
            self.offset.assign(offset)
            self.shift.assign(shift)
        self.log_scale.assign(tf.cast(tf.math.log(scale), dtype))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._require_event(x, "x")
        log_scale = self._expanded(self.log_scale)
        y = x * tf.exp(log_scale) + self._expanded(self.shift)
        y = y if self.offset is None else y + self._expanded(self.offset)
        return y, self._log_det(log_scale, x, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._require_event(y, "y")
        log_factor = -self._expanded(self.log_scale)
        # The offset first: near it, this difference is exact.
        x = y if self.offset is None else y - self._expanded(self.offset)
        x = (x - self._expanded(self.shift)) * tf.exp(log_factor)
        return x, self._log_det(log_factor, y, x)
