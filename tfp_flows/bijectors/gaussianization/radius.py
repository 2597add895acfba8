"""Radial Gaussianization: a map of the radius, for elliptical distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows._types import DType, Given, Pair
from tfp_flows.bijectors._core import base, conditioned, monotone
from tfp_flows.bijectors._core.parameters import Option, Part, at_least
from tfp_flows.bijectors.gaussianization import marginal_spline

__all__ = ["RadialGaussianize"]


class RadialGaussianize(conditioned.EitherWay, base.Bijector):
    """Give the radius of spherical data another distribution, keep the direction.

    `y = x * exp(S(r) - r)` with `r = log(norm(x))` and a monotone spline `S`. The
    inverse makes spherical data normal exactly, where maps of
    single features need many layers. Near the origin and far out the map is a multiple
    of the identity, if the tails of `S` have slope 1.

    Both directions are closed forms of `O(D)` per event.

    Shapes:
        `[..., D]` to `[..., D]`.

    References:
        Lyu, Simoncelli (2009). Nonlinear Extraction of Independent Components of
        Natural Images Using Radial Gaussianization.
        https://doi.org/10.1162/neco.2009.04-08-773
    """

    bijector: marginal_spline.MarginalSpline = Part(
        "The map of the log-radius, a `MarginalSpline` of one feature.", event_ndims=1
    )
    event_size: int = Option("Number of features `D`.", check=at_least(1))

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        shape = self.bijector.checked_shape
        if shape != (1,):
            msg = (
                "`bijector` must be a map of one feature, got events of shape "
                f"{shape}. Build a MarginalSpline of size 1."
            )
            raise ValueError(msg)
        sizes["D"] = self.event_size
        return {}

    @classmethod
    def trainable(
        cls,
        size: int,
        num_bins: int = 32,
        *,
        dtype: DType = tf.float32,
        name: str = "radial_gaussianize",
    ) -> RadialGaussianize:
        """Return the identity of new variables.

        Args:
            num_bins: Number of bins of the spline.
        """
        with tf.name_scope(name):
            spline = marginal_spline.MarginalSpline.trainable(1, num_bins, dtype=dtype)
            return cls(spline, size, name=name)

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        del condition
        kind = value.dtype.as_numpy_dtype
        # Below, the radius counts as this; the map is linear there.
        smallest = kind(np.finfo(kind).tiny) ** kind(0.25)
        clip_value = kind(np.finfo(kind).max) ** kind(0.8)
        inside = tf.clip_by_value(value, -clip_value, clip_value)
        largest = tf.reduce_max(tf.abs(inside), axis=-1, keepdims=True)
        largest = tf.stop_gradient(tf.maximum(largest, smallest))
        square = tf.reduce_sum(tf.square(inside / largest), -1, keepdims=True)
        floor = tf.square(smallest / largest)
        square = tf.where(square > floor, square, floor)
        radius = tf.math.log(largest) + 0.5 * tf.math.log(square)
        spline = self.bijector
        method = spline.inverse_and_log_det if inverse else spline.forward_and_log_det
        moved, log_slope = method(radius)
        change = moved - radius
        out = value * tf.exp(change)
        log_det = self.event_size * tf.squeeze(change, -1) + log_slope
        return out, log_det
