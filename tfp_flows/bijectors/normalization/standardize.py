"""Standardisation by a fixed location and scale."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, DType, Shape, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Option, Parameter, at_least
from tfp_flows.bijectors._core.properties import NOT_ZERO
from tfp_flows.math import moments
from tfp_flows.math.linear import products

__all__ = ["Standardize"]


class Standardize(base.Bijector):
    """Give each coordinate a fixed location and scale: `y = x * scale + loc`.

    The inverse standardises data; as a part of a flow it keeps densities in the units
    of the data. Location and scale are not trained. Both directions cost `O(D)`, the
    log-det is `sum(log(scale))`.

    Shapes:
        `[..., *event_shape]`, any rank; leading dimensions of parameters broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> units = tfpf.bijectors.Standardize.trainable(2)
        >>> units.adapt([[10., 5.], [14., 5.]])  # the second column is constant
        >>> units.inverse([[10., 5.], [14., 6.]]).numpy().tolist()
        [[-1.0, 0.0], [1.0, 1.0]]
    """

    loc: TensorLike = Parameter("*", "Location.", trainable=False)
    scale: TensorLike = Parameter(
        "*",
        "Scale, not zero.",
        trainable=False,
        constraint=NOT_ZERO,
        remedy="Pass 1 for what does not vary.",
    )
    _: KW_ONLY
    loc_remainder: TensorLike | None = Parameter(
        "*",
        "What the dtype of `loc` could not hold; `None` for nothing. `adapt` sets it, "
        "so that float32 data far from zero are centred to full precision.",
        default=None,
        trainable=False,
    )
    event_ndims: int | None = Option(
        "Rank of an event; `None` takes the rank of `loc`.",
        default=None,
        check=at_least(0),
    )

    _is_constant_jacobian = True
    _is_increasing = monotone.by_slope

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        owner, given = f"`{type(self).__name__}`", self.event_ndims
        # A copy with a batch of locations has events of the same rank.
        self._event_ndims = ndims = int(self.loc.shape.rank if given is None else given)
        arguments.require_rank(self.loc.shape, ndims, "loc", owner)
        shape = tuple(self.loc.shape.as_list())
        shape = shape[len(shape) - ndims :]
        for name in ("scale", "loc_remainder"):
            value = getattr(self, name)
            if value is not None:
                _checks.require_trailing(value.shape, shape, name, owner)
        return {"event_shape": shape, "forward_min_event_ndims": ndims}

    @classmethod
    def trainable(
        cls, event_shape: Shape, *, dtype: DType = tf.float32, **kwargs: Any
    ) -> Standardize:
        """Return a map of new variables, the identity until `adapt` is called.

        Args:
            event_shape: Shape of an event, `()` for scalars.
            dtype: Dtype of the variables, which `adapt` sets and no optimizer trains.
        """
        zeros = np.zeros(_checks.static_shape(event_shape, "event_shape"))
        kwargs.update(loc=zeros, scale=zeros + 1.0, loc_remainder=zeros)
        return cls._of_variables({}, dtype, **kwargs)

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
        arguments.require_variables(owner, loc=self.loc, scale=self.scale)
        y = tf.convert_to_tensor(y)
        _checks.require_trailing(y.shape, self.checked_shape, "y", f"`{owner}`")
        arguments.require_rank(y.shape, self.loc.shape.rank, "y", f"`{owner}`")
        axes = moments.sample_axes(
            y.shape.rank,
            batch_ndims=self.loc.shape.rank - self._event_ndims,
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

    def spare(self, places: TensorLike) -> None:
        """Leave some coordinates as they are.

        Args:
            places: Which of them, bools `[*event_shape]`.
        """
        for value, start in (
            (self.loc, 0.0),
            (self.loc_remainder, 0.0),
            (self.scale, 1.0),
        ):
            if value is not None:
                value.assign(tf.where(places, tf.cast(start, value.dtype), value))

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
        arguments.require_variables(owner, loc=self.loc, scale=self.scale)
        location, scale = (
            tf.convert_to_tensor(value, tf.float64) for value in (location, scale)
        )
        arguments.require_finite(location + scale, owner)
        loc, remainder = moments.split_location(location, self.loc.dtype)
        self.loc.assign(loc)
        if self.loc_remainder is not None:
            arguments.require_variables(owner, loc_remainder=self.loc_remainder)
            self.loc_remainder.assign(remainder)
        self.scale.assign(tf.cast(scale, self.scale.dtype))

    def _log_det(self, scale: tf.Tensor) -> tf.Tensor:
        log_scale = tf.math.log(tf.abs(scale))
        return tf.reduce_sum(log_scale, axis=list(range(-self._event_ndims, 0)))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = tf.convert_to_tensor(self.scale)
        y = x * scale
        y = y if self.loc_remainder is None else y + self.loc_remainder
        y = y + self.loc
        log_det = self._log_det(scale)
        return y, products.broadcast_log_det(log_det, y, self._event_ndims)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = tf.convert_to_tensor(self.scale)
        # The rounded location first: near it, this difference is exact.
        x = y - self.loc
        x = x if self.loc_remainder is None else x - self.loc_remainder
        x = x / scale
        log_det = -self._log_det(scale)
        return x, products.broadcast_log_det(log_det, x, self._event_ndims)
