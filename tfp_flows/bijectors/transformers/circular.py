"""Splines of angles."""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math import circular

__all__ = ["CircularSpline"]


@dataclasses.dataclass(frozen=True)
class CircularSpline(base.OnInterval):
    """Rational-quadratic spline of an angle, with a phase that is trained.

    The ends of `[range_min, range_max]` are one point, at which density and slope have
    no step. Outside, the map is the identity: a density on the circle is 0 there.
    Both directions are equally fast.

    It wraps around, so that it does not increase as a map of the line, and `cdf` and
    `quantile` refuse.

    Args:
        num_bins: Number of bins.
        range_min: Where the period begins.
        range_max: Where it ends.

    References:
        Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
        https://arxiv.org/abs/2002.02428
    """

    num_bins: int = 8
    range_min: float = -math.pi
    range_max: float = math.pi

    def __post_init__(self) -> None:
        _checks.at_least(self.num_bins, 1, "num_bins")
        _checks.interval(self.range_min, self.range_max)

    @property
    def params_size(self) -> int:
        """Widths, heights, slopes, and a phase."""
        return circular.num_params(self.num_bins)

    @property
    def period(self) -> tuple[float, float]:
        """The interval, whose ends are one point."""
        return self.range_min, self.range_max

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the spline, then turn by the phase."""
        limits = self.range_min, self.range_max
        return circular.forward(x, params, self.num_bins, *limits)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turn back, then evaluate the inverse spline."""
        limits = self.range_min, self.range_max
        return circular.inverse(y, params, self.num_bins, *limits)
