"""Means and deviations that hold for data far from zero and for constant channels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

__all__ = ["location_and_scale", "normalize", "split_location"]


def location_and_scale(y: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean and the standard deviation of data, in float64.

    A deviation below the spacing of floating-point numbers at the size of the data is
    rounding, not signal: such a channel counts as constant and gets deviation 1.

    Args:
        y: Data, `[..., *event_shape]`.
        axes: Dimensions to average over.

    Returns:
        Mean and deviation over `axes`, which are dropped.
    """
    is_floating = y.dtype in (tf.float16, tf.float32, tf.float64)
    dtype = y.dtype.as_numpy_dtype if is_floating else np.float64
    resolution = 0.5 * float(np.finfo(dtype).eps)
    y = tf.cast(y, tf.float64)
    mean = tf.reduce_mean(y, axis=axes)
    centered = y - tf.reduce_mean(y, axis=axes, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centered), axis=axes))
    smallest = resolution * tf.reduce_max(tf.abs(y), axis=axes)
    # A NaN compares as false on both sides and stays one.
    is_constant = deviation <= smallest
    return mean, tf.where(is_constant, tf.ones_like(deviation), deviation)


def split_location(location: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Split a float64 location into its rounding to `dtype` and what is left.

    The difference of data and the first part is exact near the location, so that data
    at 1e6 with deviation 1 keep their digits in float32.
    """
    rounded = tf.cast(location, dtype)
    return rounded, tf.cast(location - tf.cast(rounded, tf.float64), dtype)


def normalize(
    y: tf.Tensor, axes: list[int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Centre a batch, and return it with the mean and variance of the batch.

    The mean is taken twice: the second one corrects the rounding of the first, which
    is a constant as far as gradients are concerned.

    Args:
        y: Batch, `[..., *event_shape]`.
        axes: Dimensions to average over.

    Returns:
        The centred batch, and mean and variance with `axes` kept as ones.
    """
    rough = tf.stop_gradient(tf.reduce_mean(y, axis=axes, keepdims=True))
    centered = y - rough
    rest = tf.reduce_mean(centered, axis=axes, keepdims=True)
    centered = centered - rest
    variance = tf.reduce_mean(tf.square(centered), axis=axes, keepdims=True)
    return centered, rough + rest, variance
