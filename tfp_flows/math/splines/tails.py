"""Rational-quadratic splines on a range, with tails outside it.

Parameters have the bin axis first. Tails are `"identity"` (slope 1 at the ends),
`"linear"` (straight on with the slope of the end) or `"circular"` (one slope for both
ends, which are the same point).
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math.splines import rational_quadratic, search

__all__ = [
    "TAILS",
    "all_slopes",
    "apply_logits",
    "apply_spline",
    "num_slopes",
    "spline_parameters",
]

TAILS = ("identity", "linear", "circular")
# Ratios of bins stay within exp(2 * 4.5), slopes within exp(+-6.9): what float32 can
# carry through a deep stack without losing digits of the log-density.
BIN_BOUND = 4.5
SLOPE_BOUND = 6.9
# Relative to the whole range.
MIN_BIN = 1e-3


def num_slopes(num_bins: int, tails: str) -> int:
    """Return how many free slopes a spline with these tails has."""
    return num_bins + {"identity": -1, "linear": 1, "circular": 0}[tails]


def all_slopes(inner: tf.Tensor, tails: str) -> tf.Tensor:
    """Complete free slopes, bin axis first, to one per knot."""
    if tails == "linear":
        return inner
    if tails == "circular":
        return tf.concat([inner, inner[:1]], axis=0)
    one = tf.ones_like(inner[:1])
    return tf.concat([one, inner, one], axis=0)


def spline_parameters(
    params: tf.Tensor, num_bins: int, low: float, high: float, tails: str
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Turn unconstrained numbers, parameter axis first, into knots and slopes."""
    widths, heights, inner = tf.split(
        params, [num_bins, num_bins, num_slopes(num_bins, tails)], axis=0
    )
    low, high = tf.cast(low, params.dtype), tf.cast(high, params.dtype)
    x_knots = rational_quadratic.knots(
        rational_quadratic.bin_sizes(widths, MIN_BIN, BIN_BOUND), low, high
    )
    y_knots = rational_quadratic.knots(
        rational_quadratic.bin_sizes(heights, MIN_BIN, BIN_BOUND), low, high
    )
    if num_slopes(num_bins, tails) == 0:
        one = tf.ones_like(x_knots[:1])
        return x_knots, y_knots, tf.concat([one, one], axis=0)
    slopes = all_slopes(rational_quadratic.slopes(inner, SLOPE_BOUND), tails)
    return x_knots, y_knots, slopes


def _linear_tails(
    value: tf.Tensor,
    out: tf.Tensor,
    log_det: tf.Tensor,
    source: tf.Tensor,
    target: tf.Tensor,
    slopes: tf.Tensor,
    *,
    inverse: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Continue a spline by straight lines, given the knots and slopes of its ends."""
    zero = tf.zeros_like(log_det)
    sign = -1.0 if inverse else 1.0
    for outside, edge in ((value < source[0], 0), (value > source[-1], -1)):
        log_slope = sign * tf.math.log(slopes[edge])
        # The other branch gets a harmless step, so that its gradient is finite.
        step = tf.where(outside, value - source[edge], zero)
        tail = target[edge] + step * tf.exp(log_slope)
        out = tf.where(outside, tail, out)
        log_det = tf.where(outside, log_slope + zero, log_det)
    return out, log_det


def apply_spline(
    value: tf.Tensor,
    x_knots: tf.Tensor,
    y_knots: tf.Tensor,
    slopes: tf.Tensor,
    tails: str,
    *,
    inverse: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a spline with its tails, bin axis first in all parameters."""
    source, target = (y_knots, x_knots) if inverse else (x_knots, y_knots)
    # Clip before and select after: no branch ever sees a value it cannot take.
    clipped = tf.clip_by_value(value, source[0], source[-1])
    function = rational_quadratic.inverse if inverse else rational_quadratic.forward
    out, log_det = function(clipped, x_knots, y_knots, slopes)
    below, above = value < source[0], value > source[-1]
    zero = tf.zeros_like(log_det)
    if tails == "linear":
        return _linear_tails(
            value, out, log_det, source, target, slopes, inverse=inverse
        )
    inside = ~(below | above)
    inside &= tf.math.equal(value, value)  # NaN passes through, unseen by the bins
    # Zero unless heights and widths have different sums.
    shift = tf.where(above, target[-1] - source[-1], zero)
    return tf.where(inside, out, value + shift), tf.where(inside, log_det, zero)


def apply_logits(
    value: tf.Tensor,
    params: tf.Tensor,
    num_bins: int,
    limits: tuple[float, float],
    tails: str,
    *,
    inverse: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate splines straight from unconstrained numbers, one spline per scalar.

    Args:
        value: Scalars, `[...]`.
        params: Numbers of each scalar's spline, `[P, ...]`; see `spline_parameters`.
        num_bins: Number of bins.
        limits: First and last knot.
        tails: One of `TAILS`.
        inverse: Whether to evaluate the inverse.

    Returns:
        Value and log-derivative, `[...]`.
    """
    widths, heights, inner = tf.split(
        params, [num_bins, num_bins, num_slopes(num_bins, tails)], axis=0
    )
    if tails == "circular":
        inner = tf.concat([inner, inner[:1]], axis=0)
    elif tails == "identity":
        zero = tf.zeros_like(widths[:1])  # the logit of slope 1
        inner = tf.concat([zero, inner, zero], axis=0)
    low, high = limits
    clipped = tf.clip_by_value(value, low, high)
    bounds = search.Bounds(low, high, MIN_BIN, BIN_BOUND, SLOPE_BOUND)
    found = search.pick_bin(clipped, widths, heights, inner, bounds, inverse=inverse)
    function = (
        rational_quadratic.inverse_in_bin
        if inverse
        else rational_quadratic.forward_in_bin
    )
    out, log_det = function(clipped, *found)
    if tails == "linear":
        edges = rational_quadratic.slopes(tf.stack([inner[0], inner[-1]]), SLOPE_BOUND)
        knots = tf.constant([low, high], value.dtype)
        return _linear_tails(value, out, log_det, knots, knots, edges, inverse=inverse)
    inside = (value >= low) & (value <= high)  # false for NaN, which passes through
    zeros = tf.zeros_like(log_det)
    return tf.where(inside, out, value), tf.where(inside, log_det, zeros)
