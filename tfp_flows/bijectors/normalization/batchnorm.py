"""Batch normalisation with frozen statistics outside training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows._types import Condition, DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math import moments
from tfp_flows.math.linear import products

__all__ = ["BatchNorm"]


class BatchNorm(base.Bijector):
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

    Args:
        log_scale: Logarithm of the scale, trained, `[..., C]`.
        shift: Shift on the base side, trained, `[..., C]`.
        moving_mean: Running mean, `[..., C]`.
        moving_variance: Running variance, `[..., C]`.
        momentum: How much of the running statistics an update keeps.
        epsilon: Added to variances; a channel that is constant in a batch stays finite.
        event_ndims: Rank of an event whose last axis are the channels: 1 for vectors
            `[C]`, 3 for images `[H, W, C]`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If sizes do not agree.

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

    def __init__(
        self,
        log_scale: TensorLike,
        shift: TensorLike,
        moving_mean: TensorLike,
        moving_variance: TensorLike,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        event_ndims: int = 1,
        validate_args: bool = False,
        name: str = "batch_norm",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            given = (log_scale, shift, moving_mean, moving_variance)
            dtype = arguments.common_dtype(*given, owner=owner)
            as_parameter = arguments.as_parameter
            self._log_scale = as_parameter(log_scale, "log_scale", dtype)
            self._shift = as_parameter(shift, "shift", dtype)
            self._moving_mean = as_parameter(moving_mean, "moving_mean", dtype)
            self._moving_variance = as_parameter(
                moving_variance, "moving_variance", dtype
            )
            size = arguments.last_size(self._log_scale, "log_scale")
            for argument, value in (
                ("shift", self._shift),
                ("moving_mean", self._moving_mean),
                ("moving_variance", self._moving_variance),
            ):
                _checks.require_trailing(value.shape, (size,), argument, owner)
            _checks.fraction(momentum, "momentum")
            _checks.at_least(epsilon, 0, "epsilon")
            _checks.at_least(event_ndims, 1, "event_ndims")
            self._momentum = momentum
            self._epsilon = epsilon
            self._event_ndims = int(event_ndims)
            self._channels = (size,)
            super().__init__(
                event_shape=self._channels,
                forward_min_event_ndims=self._event_ndims,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        event_ndims: int = 1,
        dtype: DType = tf.float32,
        name: str = "batch_norm",
        **kwargs: Any,
    ) -> BatchNorm:
        """Return a map of new variables that starts as the identity, up to `epsilon`.

        Args:
            size: Number of channels `C`.
            event_ndims: Rank of an event, see the class.
            dtype: Dtype of the variables.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        with tf.name_scope(name):
            variable, zeros = arguments.variable, np.zeros([size])
            return cls(
                variable(zeros, "log_scale", dtype),
                variable(zeros, "shift", dtype),
                variable(zeros, "moving_mean", dtype, trainable=False),
                variable(zeros + 1.0, "moving_variance", dtype, trainable=False),
                event_ndims=event_ndims,
                name=name,
                **kwargs,
            )

    @property
    def log_scale(self) -> tf.Tensor | tf.Variable:
        """Logarithm of the scale."""
        return self._log_scale

    @property
    def shift(self) -> tf.Tensor | tf.Variable:
        """Shift on the base side."""
        return self._shift

    @property
    def moving_mean(self) -> tf.Tensor | tf.Variable:
        """Running mean."""
        return self._moving_mean

    @property
    def moving_variance(self) -> tf.Tensor | tf.Variable:
        """Running variance."""
        return self._moving_variance

    @property
    def momentum(self) -> float:
        """How much of the running statistics an update keeps."""
        return self._momentum

    @property
    def epsilon(self) -> float:
        """What is added to variances."""
        return self._epsilon

    @property
    def event_ndims(self) -> int:
        """Rank of an event."""
        return self._event_ndims

    _is_increasing = monotone.increasing

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        names = ("log_scale", "shift", "moving_mean")
        return {
            **{key: properties.free(1) for key in names},
            "moving_variance": properties.positive(1, dtype),
        }

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`moving_variance` must not be negative. Pass variances, or ones."
        return [arguments.Requirement(("moving_variance",), _not_negative, message)]

    def adapt(self, y: TensorLike, condition: Condition = None) -> None:
        """Set the running statistics to those of data.

        Args:
            y: Data, `[..., C]` or `[..., H, W, C]`.
            condition: Not used; accepted so that all maps adapt alike.

        Raises:
            TypeError: If the statistics are not variables.
            ValueError: If `y` is not finite or has the wrong shape.
        """
        del condition
        owner = type(self).__name__
        self._require_variables()
        y = tf.convert_to_tensor(y)
        _checks.require_trailing(y.shape, self._channels, "y", f"`{owner}`")
        mean, deviation = moments.location_and_scale(y, self._axes(y, "y"))
        arguments.require_finite(mean + deviation, owner)
        dtype = self._moving_mean.dtype
        self._moving_mean.assign(tf.cast(mean, dtype))
        self._moving_variance.assign(tf.cast(tf.square(deviation), dtype))

    def _require_variables(self) -> None:
        arguments.require_variables(
            type(self).__name__,
            moving_mean=self._moving_mean,
            moving_variance=self._moving_variance,
        )

    def _axes(self, value: tf.Tensor, argument: str) -> list[int]:
        """Return the axes over which the events of a batch are averaged."""
        batch_ndims = self._moving_mean.shape.rank - 1
        rank = batch_ndims + self._event_ndims
        owner = f"`{type(self).__name__}`"
        arguments.require_rank(value.shape, rank, argument, owner)
        return moments.sample_axes(
            value.shape.rank,
            batch_ndims=batch_ndims,
            event_ndims=self._event_ndims,
            kept=1,
        )

    def _expanded(self, parameter: Any) -> tf.Tensor:
        return moments.expand_channels(parameter, self._event_ndims)

    def _log_det(
        self, log_factor: tf.Tensor, value: tf.Tensor, output: tf.Tensor
    ) -> tf.Tensor:
        """Sum log-derivatives `[..., 1, 1, C]` over the channels of all positions."""
        ndims = self._event_ndims
        drop = range(-min(ndims, log_factor.shape.rank), 0)
        log_det = tf.reduce_sum(log_factor, axis=list(drop))
        log_det = log_det * moments.num_positions(value, ndims)
        return products.broadcast_log_det(log_det, output, ndims)

    def _frozen(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the running mean, and the log-derivative of the inverse."""
        variance = self._expanded(self._moving_variance) + self._epsilon
        log_factor = self._expanded(self._log_scale) - 0.5 * tf.math.log(variance)
        return self._expanded(self._moving_mean), log_factor

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        owner = f"`{type(self).__name__}`"
        arguments.require_rank(x.shape, self._event_ndims, "x", owner)
        mean, log_factor = self._frozen()
        y = (x - self._expanded(self._shift)) * tf.exp(-log_factor) + mean
        return y, self._log_det(-log_factor, x, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        owner = f"`{type(self).__name__}`"
        arguments.require_rank(y.shape, self._event_ndims, "y", owner)
        if _context.is_training():
            centered, log_factor = self._batch_statistics(y)
        else:
            mean, log_factor = self._frozen()
            centered = y - mean
        x = centered * tf.exp(log_factor) + self._expanded(self._shift)
        return x, self._log_det(log_factor, y, x)

    def _batch_statistics(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Centre a batch by its own mean, and update the running statistics."""
        self._require_variables()
        centered, mean, variance = moments.normalize(y, self._axes(y, "y"))
        for moving, now in (
            (self._moving_mean, mean),
            (self._moving_variance, variance),
        ):
            now = tf.reshape(tf.stop_gradient(now), tf.shape(moving))
            moving.assign_sub((moving - now) * (1.0 - self._momentum))
        log_variance = tf.math.log(variance + self._epsilon)
        return centered, self._expanded(self._log_scale) - 0.5 * log_variance


def _not_negative(value: tf.Tensor) -> tf.Tensor:
    return value >= 0.0
