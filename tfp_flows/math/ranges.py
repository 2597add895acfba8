"""Maps between the whole line and an interval or a half-line, and their log-dets.

Each uses the side of its input on which no digit is lost: positions near an upper bound
come from the probability above, not from 1 minus that below.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = [
    "half_line_forward",
    "half_line_inverse",
    "interval_forward",
    "interval_inverse",
    "log_line_forward",
    "log_line_inverse",
]

# From here on the hazard rate is its asymptotic series, whose error is 1e-13 there.
SERIES_FROM, SERIES_TERMS = 8.0, 20
ValueAndLogDet = tuple[tf.Tensor, tf.Tensor]


def _at_bound(dtype: tf.DType) -> float:
    """Return the share of the range at which a value exactly on a bound counts.

    A quarter of the spacing of numbers near 1, so that the density is finite there.
    """
    return 0.25 * float(np.finfo(dtype.as_numpy_dtype).eps)


def _off_bound(share: tf.Tensor) -> tf.Tensor:
    """Return shares of a range, those that are 0 or below moved off the bound."""
    least = tf.constant(_at_bound(share.dtype), share.dtype)
    return tf.where(share <= 0.0, least, share)


def interval_forward(x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> ValueAndLogDet:
    """Return `low + (high - low) * ndtr(x)`, and its log-det.

    What is uniform between the bounds is exactly normal on the line.

    Args:
        x: Positions on the line, `[...]`.
        low: Lower bound.
        high: Upper bound.
    """
    below, above = normal.tails(x)
    width = high - low
    y = tf.where(x < 0.0, low + width * below, high - width * above)
    return y, tf.math.log(width) + normal.log_prob(x)


def interval_inverse(y: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> ValueAndLogDet:
    """Return where `interval_forward` has a value, and the log-det of the inverse.

    Args:
        y: Positions, `[...]`; outside of the bounds the log-det is minus infinity.
        low: Lower bound.
        high: Upper bound.
    """
    width = high - low
    below, above = _off_bound((y - low) / width), _off_bound((high - y) / width)
    x = normal.quantile(tf.minimum(below, 1.0), tf.minimum(above, 1.0))
    inverse = -(tf.math.log(width) + normal.log_prob(x))
    return _checked(x, inverse, y, (y < low) | (y > high))


def _log_hazard(x: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Return the log of the normal density over the probability above.

    Args:
        x: Positions.
        amount: Minus the log of the probability above.
    """
    near = normal.log_prob(tf.minimum(x, SERIES_FROM)) + tf.where(
        x < SERIES_FROM, amount, tf.ones_like(amount)
    )
    far = tf.maximum(x, SERIES_FROM)
    part, ratio = 1.0 / tf.square(far), tf.ones_like(far)
    for term in range(SERIES_TERMS, 0, -1):
        ratio = 1.0 - (2 * term - 1) * part * ratio
    return tf.where(x < SERIES_FROM, near, tf.math.log(far) - tf.math.log(ratio))


def half_line_forward(x: tf.Tensor, low: tf.Tensor, scale: tf.Tensor) -> ValueAndLogDet:
    """Return `low - scale * log(ndtr(-x))`, and its log-det.

    What is exponential from the bound on is exactly normal on the line. The map is
    `scale * x^2 / 2` far out, so that tails become lighter.

    Args:
        x: Positions on the line, `[...]`.
        low: Lower bound.
        scale: Scale, positive.
    """
    amount = _amount(x)
    return low + scale * amount, tf.math.log(scale) + _log_hazard(x, amount)


def _amount(x: tf.Tensor) -> tf.Tensor:
    """Return minus the log of the normal probability above, precise on both sides."""
    left = -tf.math.log1p(-normal.tails(tf.minimum(x, 0.0))[0])
    right = -normal.log_tails(tf.maximum(x, 0.0))[1]
    return tf.where(x < 0.0, left, right)


def half_line_inverse(y: tf.Tensor, low: tf.Tensor, scale: tf.Tensor) -> ValueAndLogDet:
    """Return where `half_line_forward` has a value, and the log-det of the inverse.

    Args:
        y: Positions, `[...]`; below the bound the log-det is minus infinity.
        low: Lower bound.
        scale: Scale, positive.
    """
    amount = _off_bound((y - low) / scale)
    is_end = tf.math.is_inf(amount)
    finite = tf.where(is_end, tf.ones_like(amount), amount)
    # From about 37 on in float64 the probability below is 1.
    x = normal.quantile_of_logs(_log1mexp(finite), -finite)
    x = tf.where(is_end, amount, x)
    inverse = -(tf.math.log(scale) + _log_hazard(x, amount))
    return _checked(x, inverse, y, y < low)


def _log1mexp(amount: tf.Tensor) -> tf.Tensor:
    """Return `log(1 - exp(-amount))` for positive amounts."""
    small = amount < math.log(2.0)
    near = tf.where(small, amount, tf.ones_like(amount))
    far = tf.where(small, tf.ones_like(amount), amount)
    return tf.where(
        small, tf.math.log(-tf.math.expm1(-near)), tf.math.log1p(-tf.exp(-far))
    )


def log_line_forward(x: tf.Tensor, low: tf.Tensor, scale: tf.Tensor) -> ValueAndLogDet:
    """Return `low + scale * exp(x)`, and its log-det.

    Args:
        x: Positions on the line, `[...]`.
        low: Lower bound.
        scale: Scale, positive.
    """
    return low + scale * tf.exp(x), tf.math.log(scale) + x


def log_line_inverse(y: tf.Tensor, low: tf.Tensor, scale: tf.Tensor) -> ValueAndLogDet:
    """Return where `log_line_forward` has a value, and the log-det of the inverse.

    Args:
        y: Positions, `[...]`; below the bound the log-det is minus infinity.
        low: Lower bound.
        scale: Scale, positive.
    """
    x = tf.math.log(_off_bound((y - low) / scale))
    return _checked(x, -(tf.math.log(scale) + x), y, y < low)


def _checked(
    x: tf.Tensor, log_det: tf.Tensor, y: tf.Tensor, outside: tf.Tensor
) -> ValueAndLogDet:
    """Return value and log-det, the density 0 outside; NaN in, NaN out."""
    log_det += tf.math.log(tf.cast(~outside, log_det.dtype))
    return tf.where(tf.math.is_nan(y), y, x), log_det
