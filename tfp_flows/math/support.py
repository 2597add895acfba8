"""Values outside the support of a map, and infinite ones: their density is 0."""

from __future__ import annotations

import tensorflow as tf

from tfp_flows import _tapes

__all__ = ["log_inside", "without_mass_at_infinity"]

# From this part of the largest number on, sums in a map may exceed it, and differences
# of what exceeds it are NaN.
_PART = 2.0**-20


def log_inside(value: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return 0 from `low` to `high`, both included, and minus infinity outside.

    Added to an inverse log-det it makes the density 0, with gradients of 0. NaN gives
    0, since the value itself says so.

    Args:
        value: Scalars, `[...]`.
        low: Lower end.
        high: Upper end.
    """
    outside = (value < low) | (value > high)
    return tf.math.log(tf.cast(~outside, value.dtype))


def without_mass_at_infinity(
    log_prob: tf.Tensor, value: tf.Tensor, event_ndims: int
) -> tf.Tensor:
    """Return log-densities that are minus infinity at events with infinite numbers.

    There, and at numbers that nearly exceed their type, maps subtract infinities, and
    what they find is NaN. NaN in, NaN out: such events stay as they are.

    Args:
        log_prob: Log-densities, `[...]`.
        value: Events that they are of, `[..., *event_shape]`.
        event_ndims: Rank of an event.
    """
    with _tapes.explained("a density", [log_prob, value]):
        none = _is_infinite(log_prob, value, list(range(-event_ndims, 0)))
        # A constant of minus infinity would not pass numeric checks.
        nothing = tf.math.log(tf.cast(~none, log_prob.dtype))
        return tf.where(none, nothing, log_prob)


def _is_infinite(log_prob: tf.Tensor, value: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return which events have infinite numbers, or so large ones that maps fail."""
    size = tf.abs(value)
    known = tf.reduce_all(~tf.math.is_nan(size), axis=axes)
    infinite = tf.reduce_any(tf.math.is_inf(size), axis=axes)
    huge = tf.reduce_any(size >= _PART * value.dtype.max, axis=axes)
    return known & (infinite | (huge & tf.math.is_nan(log_prob)))
