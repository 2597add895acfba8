"""Values outside the support of a map: their density is 0."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["log_inside"]


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
