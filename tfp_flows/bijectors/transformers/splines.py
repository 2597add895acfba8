"""Rational-quadratic splines."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math.splines import tails as spline_tails

__all__ = ["RationalQuadratic"]


@dataclasses.dataclass(frozen=True)
class RationalQuadratic(base.OnInterval):
    """Monotone rational-quadratic spline on `[range_min, range_max]`.

    Args:
        num_bins: Number of bins, at least 1.
        range_min: First knot.
        range_max: Last knot.
        tails: `"identity"`, `"linear"` or `"circular"`, as in
            `RationalQuadraticSpline`.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    num_bins: int = 8
    range_min: float = -5.0
    range_max: float = 5.0
    tails: str = "identity"

    def __post_init__(self) -> None:
        _checks.at_least(self.num_bins, 1, "num_bins")
        _checks.one_of(self.tails, spline_tails.TAILS, "tails")
        _checks.interval(self.range_min, self.range_max)

    @property
    def params_size(self) -> int:
        """Widths, heights, and slopes."""
        return 2 * self.num_bins + spline_tails.num_slopes(self.num_bins, self.tails)

    def _apply(
        self, value: tf.Tensor, params: tf.Tensor, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        limits = (self.range_min, self.range_max)
        if params.shape[1:].as_list() == value.shape.as_list():
            return spline_tails.apply_logits(
                value, params, self.num_bins, limits, self.tails, inverse=inverse
            )
        # Many scalars share a spline: its knots are worth a table.
        tables = spline_tails.spline_parameters(
            params, self.num_bins, *limits, self.tails
        )
        return spline_tails.apply_spline(value, *tables, self.tails, inverse=inverse)

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the spline."""
        return self._apply(x, params, inverse=False)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluate the inverse spline, at equal cost."""
        return self._apply(y, params, inverse=True)
