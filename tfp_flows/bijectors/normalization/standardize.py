"""Standardisation by a fixed location and scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, DType, Shape, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math import moments
from tfp_flows.math.linear import products

__all__ = ["Standardize"]


class Standardize(base.Bijector):
    """Give each coordinate a fixed location and scale: `y = x * scale + loc`.

    The inverse standardises data; as a part of a flow it keeps densities in the units
    of the data. Location and scale are not trained. Both directions cost `O(D)`, the
    log-det is `sum(log(scale))`.

    Args:
        loc: Location, `[..., *event_shape]`.
        scale: Scale, not zero, `[..., *event_shape]`.
        loc_remainder: What the dtype of `loc` could not hold, of the shape of `loc`;
            `None` for nothing. `adapt` sets it, so that float32 data far from zero are
            centred to full precision.
        event_ndims: Rank of an event; `None` takes the rank of `loc`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If shapes do not agree.

    Shapes:
        `[..., *event_shape]`, any rank; leading dimensions of parameters broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> units = tfpf.bijectors.Standardize.build(2)
        >>> units.adapt([[10., 5.], [14., 5.]])  # the second column is constant
        >>> units.inverse([[10., 5.], [14., 6.]]).numpy().tolist()
        [[-1.0, 0.0], [1.0, 1.0]]
    """

    _of_tensors = True

    def __init__(
        self,
        loc: TensorLike,
        scale: TensorLike,
        *,
        loc_remainder: TensorLike | None = None,
        event_ndims: int | None = None,
        validate_args: bool = False,
        name: str = "standardize",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(loc, scale, loc_remainder, owner=owner)
            self._loc = arguments.as_parameter(loc, "loc", dtype)
            self._scale = arguments.as_parameter(scale, "scale", dtype)
            self._loc_remainder = arguments.as_parameter(
                loc_remainder, "loc_remainder", dtype
            )
            if event_ndims is None:
                event_ndims = self._loc.shape.rank
            _checks.at_least(event_ndims, 0, "event_ndims")
            arguments.require_rank(self._loc.shape, event_ndims, "loc", owner)
            shape = self._loc.shape.as_list()
            shape = tuple(shape[len(shape) - event_ndims :])
            for argument, value in (
                ("scale", self._scale),
                ("loc_remainder", self._loc_remainder),
            ):
                if value is not None:
                    _checks.require_trailing(value.shape, shape, argument, owner)
            self._event_ndims = int(event_ndims)
            # A copy with a batch of locations has events of the same rank.
            parameters.update(event_ndims=self._event_ndims)
            self._event = shape
            super().__init__(
                event_shape=self._event,
                forward_min_event_ndims=self._event_ndims,
                is_constant_jacobian=True,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def build(
        cls,
        event_shape: Shape,
        *,
        dtype: DType = tf.float32,
        name: str = "standardize",
        **kwargs: Any,
    ) -> Standardize:
        """Return a map of new variables, the identity until `adapt` is called.

        Args:
            event_shape: Shape of an event, `()` for scalars.
            dtype: Dtype of the variables, which are not trainable.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        shape = _checks.static_shape(event_shape, "event_shape") or ()
        with tf.name_scope(name):
            zeros = np.zeros(shape)
            loc, scale, remainder = (
                arguments.variable(value, key, dtype, trainable=False)
                for key, value in (
                    ("loc", zeros),
                    ("scale", zeros + 1.0),
                    ("loc_remainder", zeros),
                )
            )
            return cls(loc, scale, loc_remainder=remainder, name=name, **kwargs)

    @property
    def loc(self) -> tf.Tensor | tf.Variable:
        """Location, rounded to its dtype."""
        return self._loc

    @property
    def scale(self) -> tf.Tensor | tf.Variable:
        """Scale."""
        return self._scale

    @property
    def loc_remainder(self) -> tf.Tensor | tf.Variable | None:
        """What the rounding left of the location."""
        return self._loc_remainder

    @property
    def event_ndims(self) -> int:
        """Rank of an event."""
        return self._event_ndims

    _is_increasing = monotone.by_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        def event_ndims(self: Standardize, x_event_ndims: int) -> int:
            return x_event_ndims

        any_number = properties.free(event_ndims)
        positive = properties.positive(event_ndims, dtype)
        return {"loc": any_number, "scale": positive, "loc_remainder": any_number}

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`scale` must not be 0 anywhere. Pass 1 for what does not vary."
        return [arguments.Requirement(("scale",), _not_zero, message)]

    def adapt(self, y: TensorLike, condition: Condition = None) -> None:
        """Set location and scale to the mean and the standard deviation of data.

        The statistics are taken in float64. A coordinate that varies less than the
        dtype of the data resolves counts as constant and gets scale 1.

        Args:
            y: Data, `[..., *event_shape]`.
            condition: Not used; accepted so that all maps adapt alike.

        Raises:
            TypeError: If the parameters are not variables.
            ValueError: If `y` is not finite or has the wrong shape.
        """
        del condition
        owner = type(self).__name__
        arguments.require_variables(owner, loc=self._loc, scale=self._scale)
        y = tf.convert_to_tensor(y)
        _checks.require_trailing(y.shape, self._event, "y", f"`{owner}`")
        arguments.require_rank(y.shape, self._loc.shape.rank, "y", f"`{owner}`")
        axes = moments.sample_axes(
            y.shape.rank,
            batch_ndims=self._loc.shape.rank - self._event_ndims,
            event_ndims=self._event_ndims,
            kept=self._event_ndims,
        )
        self.set_moments(*moments.location_and_scale(y, axes))

    def adapt_range(
        self, y: TensorLike, low: float, high: float, margin: float = 0.05
    ) -> None:
        """Set location and scale such that data lie in an interval.

        Args:
            y: Data, `[N, *event_shape]`.
            low: Lower end of the interval.
            high: Upper end.
            margin: Share of their range that is left free at either end.

        Raises:
            TypeError: If the parameters are not variables.
            ValueError: If `y` is not finite.
        """
        y = tf.cast(y, tf.float64)
        first, last = tf.reduce_min(y, axis=0), tf.reduce_max(y, axis=0)
        width = (1.0 + 2.0 * margin) * (last - first)
        scale = tf.where(width > 0.0, width, 1.0) / (high - low)
        middle = 0.5 * (first + last) - 0.5 * (low + high) * scale
        self.set_moments(middle, scale)

    def set_moments(self, location: TensorLike, scale: TensorLike) -> None:
        """Set location and scale, as float64 numbers of known mean and deviation.

        Args:
            location: `[*event_shape]`.
            scale: `[*event_shape]`, positive.

        Raises:
            TypeError: If the parameters are not variables.
            ValueError: If a number is not finite.
        """
        owner = type(self).__name__
        arguments.require_variables(owner, loc=self._loc, scale=self._scale)
        location, scale = (
            tf.convert_to_tensor(value, tf.float64) for value in (location, scale)
        )
        arguments.require_finite(location + scale, owner)
        loc, remainder = moments.split_location(location, self._loc.dtype)
        self._loc.assign(loc)
        if self._loc_remainder is not None:
            arguments.require_variables(owner, loc_remainder=self._loc_remainder)
            self._loc_remainder.assign(remainder)
        self._scale.assign(tf.cast(scale, self._scale.dtype))

    def _log_det(self, scale: tf.Tensor) -> tf.Tensor:
        log_scale = tf.math.log(tf.abs(scale))
        return tf.reduce_sum(log_scale, axis=list(range(-self._event_ndims, 0)))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = tf.convert_to_tensor(self._scale)
        y = x * scale
        y = y if self._loc_remainder is None else y + self._loc_remainder
        y = y + self._loc
        log_det = self._log_det(scale)
        return y, products.broadcast_log_det(log_det, y, self._event_ndims)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = tf.convert_to_tensor(self._scale)
        # The rounded location first: near it, this difference is exact.
        x = y - self._loc
        x = x if self._loc_remainder is None else x - self._loc_remainder
        x = x / scale
        log_det = -self._log_det(scale)
        return x, products.broadcast_log_det(log_det, x, self._event_ndims)


def _not_zero(value: tf.Tensor) -> tf.Tensor:
    return tf.not_equal(value, 0.0)
