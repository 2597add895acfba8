"""The leaky rectifier as an invertible map."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["forward", "inverse"]


def forward(x: tf.Tensor, log_slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `x` where it is not negative, else `x * exp(log_slope)`.

    Args:
        x: Scalars, `[...]`.
        log_slope: Logarithm of the slope left of zero; broadcasts with `x`.

    Returns:
        Value and log-derivative, `[...]`.
    """
    log_det = tf.where(x < 0.0, log_slope, tf.zeros_like(log_slope))
    return x * tf.exp(log_det), log_det


def inverse(y: tf.Tensor, log_slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `forward`; return the value and the inverse log-derivative."""
    return forward(y, -log_slope)
