"""Batch normalisation with frozen statistics outside training."""

from __future__ import annotations

from dataclasses import KW_ONLY

import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows._types import TensorLike
from tfp_flows.bijectors._core.parameters import Option, Parameter, at_least
from tfp_flows.bijectors._core.properties import NOT_NEGATIVE
from tfp_flows.bijectors.normalization.base import EVENT_NDIMS, PerChannel
from tfp_flows.math import moments

__all__ = ["BatchNorm"]


class BatchNorm(PerChannel):
    """Normalise each channel of data with running statistics.

    ```
    inverse(y) = (y - mean) * exp(log_scale) / sqrt(variance + epsilon) + shift
    ```

    Both directions cost `O(D)` with the running mean and variance, which are constants
    outside of training: the map is exactly invertible, and an event has a density of
    its own.

    Inside `bijectors.training_scope(True)` the inverse, which is the direction of the
    likelihood, uses the statistics of its batch, with gradients through them, and
    moves the running ones towards them; `forward` keeps the running ones. The batch
    then needs several events, one evaluation of the inverse is one update, and the
    log-det must come from that evaluation: `inverse_and_log_det`, or `log_prob` with
    the memory of the maps switched on, as it is by default.

    Statistics are kept in the dtype of the map. For data far from zero put a
    `Standardize` in front.

    Shapes:
        `[..., C]`, or `[..., H, W, C]`; leading dimensions of the parameters broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> norm = tfpf.bijectors.BatchNorm.trainable(1)
        >>> norm.adapt([[10.], [14.]])
        >>> norm.inverse([[10.], [14.]]).numpy().round(4).tolist()
        [[-1.0], [1.0]]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, appendix E.
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057, appendix B
    """

    log_scale: TensorLike = Parameter(
        "C", "Logarithm of the scale, trained.", start=0.0
    )
    shift: TensorLike = Parameter("C", "Shift on the base side, trained.", start=0.0)
    moving_mean: TensorLike = Parameter(
        "C", "Running mean.", start=0.0, trainable=False
    )
    moving_variance: TensorLike = Parameter(
        "C",
        "Running variance.",
        start=1.0,
        trainable=False,
        constraint=NOT_NEGATIVE,
        remedy="Pass variances, or ones.",
    )
    _: KW_ONLY
    momentum: float = Option(
        "How much of the running statistics an update keeps.",
        default=0.99,
        check=_checks.fraction,
    )
    epsilon: float = Option(
        "Added to variances; a channel that is constant in a batch stays finite.",
        default=1e-5,
        check=at_least(0),
    )
    event_ndims: int = EVENT_NDIMS

    _adapted = ("moving_mean", "moving_variance")
    _of_tensors = False  # an evaluation in training changes the statistics

    def _set_moments(self, location: tf.Tensor, scale: tf.Tensor) -> None:
        dtype = self.moving_mean.dtype
        self.moving_mean.assign(tf.cast(location, dtype))
        self.moving_variance.assign(tf.cast(tf.square(scale), dtype))

    def _frozen(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the running mean, and the log-derivative of the inverse."""
        variance = self._expanded(self.moving_variance) + self.epsilon
        log_factor = self._expanded(self.log_scale) - 0.5 * tf.math.log(variance)
        return self._expanded(self.moving_mean), log_factor

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._require_event(x, "x")
        mean, log_factor = self._frozen()
        y = (x - self._expanded(self.shift)) * tf.exp(-log_factor) + mean
        return y, self._log_det(-log_factor, x, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._require_event(y, "y")
        if _context.is_training():
            centered, log_factor = self._batch_statistics(y)
        else:
            mean, log_factor = self._frozen()
            centered = y - mean
        x = centered * tf.exp(log_factor) + self._expanded(self.shift)
        return x, self._log_det(log_factor, y, x)

    def _batch_statistics(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Centre a batch by its own mean, and update the running statistics."""
        self._require_variables()
        centered, mean, variance = moments.normalize(
            y, self._axes(y, "y", self.moving_mean)
        )
        for moving, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            now = tf.reshape(tf.stop_gradient(now), tf.shape(moving))
            moving.assign_sub((moving - now) * (1.0 - self.momentum))
        log_variance = tf.math.log(variance + self.epsilon)
        return centered, self._expanded(self.log_scale) - 0.5 * log_variance
