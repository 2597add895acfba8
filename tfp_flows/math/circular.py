"""Splines of angles: increasing on the circle, with a phase.

    y = wrap(spline(x) + shift)

on an interval whose ends are the same point. The spline maps the ends onto themselves,
with one slope for both, so that densities have no step there; the shift moves the one
point that every spline would keep. Outside of the interval the map is the identity:
what is no angle of this period stays so, and a density on the circle is 0 there.

References:
    Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
    https://arxiv.org/abs/2002.02428, section 2.1
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.math.splines import tails

__all__ = [
    "features",
    "forward",
    "inverse",
    "mixed_features",
    "num_params",
    "turn_forward",
    "turn_inverse",
    "wrap",
]


def num_params(num_bins: int) -> int:
    """Return how many numbers a spline with a phase takes."""
    return 2 * num_bins + tails.num_slopes(num_bins, "circular") + 1


def features(x: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return cosines, then sines, of angles: functions of the point on the circle.

    Args:
        x: Angles by row, `[D, N]`.
        low: Where the period begins.
        high: Where it ends.

    Returns:
        `[2 * D, N]`.
    """
    turn = (x - low) * (2.0 * math.pi / (high - low))
    return tf.concat([tf.cos(turn), tf.sin(turn)], axis=0)


def mixed_features(
    x: tf.Tensor, numbers: tf.Tensor, is_angle: np.ndarray, low: float, high: float
) -> tf.Tensor:
    """Return cosines, then sines, of angles among other inputs.

    Args:
        x: Inputs by row, `[D, N]`.
        numbers: What stands for those that are no angles, `[D, N]`; zeros stand in the
            second half.
        is_angle: Which inputs are angles, `[D]`.
        low: Where the period begins.
        high: Where it ends.

    Returns:
        `[2 * D, N]`.
    """
    angles = is_angle[:, np.newaxis]
    safe = tf.where(angles, x, tf.zeros_like(x) + low)
    cos, sin = tf.split(features(safe, low, high), 2)
    return tf.concat([tf.where(angles, cos, numbers), sin], axis=0)


def wrap(y: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Return the angle in `[low, high)`, of any turn; its derivative is that of `y`.

    Args:
        y: Angles, `[...]`.
        low: Where the period begins.
        high: Where it ends.
    """
    inside = low + tf.math.floormod(y - low, high - low)
    return y + tf.stop_gradient(inside - y)


def turn_forward(
    x: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return angles in `[low, high)` of those in `[-1, 1]`, and the log-det.

    Args:
        x: Angles, `[...]`.
        low: Where the period begins.
        high: Where it ends.
    """
    half = 0.5 * (high - low)
    y = low + half * (x + 1.0)
    # Both ends are one point, and samples have the first one.
    at_end = tf.stop_gradient(tf.where(y >= high, y - low, tf.zeros_like(y)))
    return y - at_end, tf.math.log(half) + tf.zeros_like(y)


def turn_inverse(
    y: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `turn_forward`; outside of the period the log-det is minus infinity.

    Args:
        y: Angles, `[...]`.
        low: Where the period begins.
        high: Where it ends.
    """
    half = 0.5 * (high - low)
    x = (y - low) / half - 1.0
    x += tf.stop_gradient(tf.clip_by_value(x, -1.0, 1.0) - x)
    log_det = -tf.math.log(half) + tf.zeros_like(y)
    outside = (y < low) | (y > high)
    return x, tf.where(outside, tf.cast(-math.inf, y.dtype), log_det)


def forward(
    x: tf.Tensor, params: tf.Tensor, num_bins: int, low: float, high: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a spline of angles.

    Args:
        x: Scalars, `[...]`.
        params: Widths, heights and slopes before they are bounded, and the phase in
            radians, `[P, ...]`; zeros give the identity.
        num_bins: Number of bins.
        low: Where the period begins.
        high: Where it ends.

    Returns:
        Value and log-derivative, `[...]`.
    """
    spline, shift = params[:-1], _shift(params, low, high)
    y, log_slope = _spline(x, spline, num_bins, (low, high), inverse=False)
    return tf.where(_inside(x, low, high), _wrapped(y + shift, low, high), y), log_slope


def inverse(
    y: tf.Tensor, params: tf.Tensor, num_bins: int, low: float, high: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `forward`, at equal cost; the arguments are the same."""
    spline, shift = params[:-1], _shift(params, low, high)
    turned = _wrapped(y - shift, low, high)
    y = tf.where(_inside(y, low, high), turned, y + tf.zeros_like(turned))
    return _spline(y, spline, num_bins, (low, high), inverse=True)


def _shift(params: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return params[-1] * ((high - low) / (2.0 * math.pi))


def _inside(x: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return (x >= low) & (x <= high)


def _wrapped(x: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return the angle in the period; its derivative is that of `x`."""
    period = high - low
    turns = tf.floor((x - low) * (1.0 / period))
    turns = tf.where(_inside(x, low, high), tf.zeros_like(x), turns)
    # Rounding may leave an angle just outside.
    inside = x - tf.stop_gradient(turns) * period
    outside = tf.stop_gradient(tf.clip_by_value(inside, low, high) - inside)
    return inside + outside


def _spline(
    value: tf.Tensor,
    params: tf.Tensor,
    num_bins: int,
    limits: tuple[float, float],
    *,
    inverse: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    if params.shape[1:].as_list() == value.shape.as_list():
        return tails.apply_logits(
            value, params, num_bins, limits, "circular", inverse=inverse
        )
    tables = tails.spline_parameters(params, num_bins, *limits, "circular")
    return tails.apply_spline(value, *tables, "circular", inverse=inverse)
