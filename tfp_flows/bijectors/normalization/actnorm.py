"""Activation normalisation: a scale and a shift per channel, set from data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math import moments
from tfp_flows.math.linear import products

__all__ = ["ActNorm"]


class ActNorm(base.Bijector):
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

    Args:
        log_scale: Logarithm of the scale, `[..., C]`.
        shift: Trained part of the location, `[..., C]`.
        offset: Fixed part of the location, `[..., C]`; `None` for nothing.
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
        >>> norm = tfpf.bijectors.ActNorm.trainable(1)
        >>> norm.adapt([[10.], [14.]])
        >>> norm.inverse([[10.], [14.]]).numpy().tolist()
        [[-1.0], [1.0]]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, section 3.1
    """

    _of_tensors = True

    def __init__(
        self,
        log_scale: TensorLike,
        shift: TensorLike,
        *,
        offset: TensorLike | None = None,
        event_ndims: int = 1,
        validate_args: bool = False,
        name: str = "act_norm",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(log_scale, shift, offset, owner=owner)
            self._log_scale = arguments.as_parameter(log_scale, "log_scale", dtype)
            self._shift = arguments.as_parameter(shift, "shift", dtype)
            self._offset = arguments.as_parameter(offset, "offset", dtype)
            size = arguments.last_size(self._log_scale, "log_scale")
            for argument, value in (("shift", self._shift), ("offset", self._offset)):
                if value is not None:
                    _checks.require_trailing(value.shape, (size,), argument, owner)
            _checks.at_least(event_ndims, 1, "event_ndims")
            self._event_ndims = int(event_ndims)
            self._channels = (size,)
            super().__init__(
                event_shape=self._channels,
                forward_min_event_ndims=self._event_ndims,
                is_constant_jacobian=True,
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
        name: str = "act_norm",
        **kwargs: Any,
    ) -> ActNorm:
        """Return a map of new variables that starts as the identity.

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
                offset=variable(zeros, "offset", dtype, trainable=False),
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
        """Trained part of the location."""
        return self._shift

    @property
    def offset(self) -> tf.Tensor | tf.Variable | None:
        """Fixed part of the location."""
        return self._offset

    @property
    def event_ndims(self) -> int:
        """Rank of an event."""
        return self._event_ndims

    _is_increasing = monotone.increasing

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = properties.free(1)
        return {"log_scale": vector, "shift": vector, "offset": vector}

    def adapt(self, y: TensorLike, condition: Condition = None) -> None:
        """Set the parameters such that `inverse(y)` has mean 0 and deviation 1.

        The statistics are taken in float64. A channel that varies less than the dtype
        of the data resolves counts as constant and gets scale 1.

        Args:
            y: Data, `[..., C]` or `[..., H, W, C]`.
            condition: Not used; accepted so that all maps adapt alike.

        Raises:
            TypeError: If the parameters are not variables.
            ValueError: If `y` is not finite or has the wrong shape.
        """
        del condition
        owner = type(self).__name__
        arguments.require_variables(owner, log_scale=self._log_scale, shift=self._shift)
        y = tf.convert_to_tensor(y)
        _checks.require_trailing(y.shape, self._channels, "y", f"`{owner}`")
        batch_ndims = self._log_scale.shape.rank - 1
        rank = batch_ndims + self._event_ndims
        arguments.require_rank(y.shape, rank, "y", f"`{owner}`")
        axes = moments.sample_axes(
            y.shape.rank, batch_ndims=batch_ndims, event_ndims=self._event_ndims, kept=1
        )
        location, scale = moments.location_and_scale(y, axes)
        arguments.require_finite(location + scale, owner)
        dtype = self._log_scale.dtype
        if self._offset is None:
            self._shift.assign(tf.cast(location, dtype))
        else:
            arguments.require_variables(owner, offset=self._offset)
            offset, shift = moments.split_location(location, dtype)
            self._offset.assign(offset)
            self._shift.assign(shift)
        self._log_scale.assign(tf.cast(tf.math.log(scale), dtype))

    def _read(
        self, value: tf.Tensor, argument: str
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None, tf.Tensor]:
        """Return the parameters, shaped to broadcast with events, and the log-det."""
        owner = f"`{type(self).__name__}`"
        arguments.require_rank(value.shape, self._event_ndims, argument, owner)
        log_scale = tf.convert_to_tensor(self._log_scale)
        log_det = tf.reduce_sum(log_scale, axis=-1)
        log_det = log_det * moments.num_positions(value, self._event_ndims)
        offset = None if self._offset is None else self._expanded(self._offset)
        return self._expanded(log_scale), self._expanded(self._shift), offset, log_det

    def _expanded(self, parameter: Any) -> tf.Tensor:
        return moments.expand_channels(parameter, self._event_ndims)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_scale, shift, offset, log_det = self._read(x, "x")
        y = x * tf.exp(log_scale) + shift
        y = y if offset is None else y + offset
        return y, products.broadcast_log_det(log_det, y, self._event_ndims)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_scale, shift, offset, log_det = self._read(y, "y")
        # The offset first: near it, this difference is exact.
        x = y if offset is None else y - offset
        x = (x - shift) * tf.exp(-log_scale)
        return x, products.broadcast_log_det(-log_det, x, self._event_ndims)
