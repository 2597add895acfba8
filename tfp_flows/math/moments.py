"""Means and deviations that hold for data far from zero and for constant channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = [
    "expand_channels",
    "location_and_scale",
    "normalize",
    "num_positions",
    "sample_axes",
    "split_location",
]


# Beyond this size, and below its inverse, squares leave float64.
_EXTREME = 1e140


def expand_channels(parameter: Any, event_ndims: int) -> tf.Tensor:
    """Shape numbers per channel, `[..., C]`, to broadcast with events.

    Args:
        parameter: Tensor or variable, `[..., C]`.
        event_ndims: Rank of the event, whose last axis are the channels.

    Returns:
        `[..., 1, 1, C]` for a batch of parameters, `[C]` for one of them.
    """
    parameter = tf.convert_to_tensor(parameter)
    if parameter.shape.rank > 1:
        for _ in range(event_ndims - 1):
            parameter = parameter[..., tf.newaxis, :]
    return parameter


def num_positions(value: tf.Tensor, event_ndims: int) -> tf.Tensor | float:
    """Return the number of positions of an event that share the channels' numbers.

    Args:
        value: Events, `[..., H, W, C]`.
        event_ndims: Rank of the event.

    Returns:
        `H * W`, a float if it is known beforehand.
    """
    if event_ndims == 1:
        return 1.0
    if value.shape.rank is not None:
        positions = value.shape[value.shape.rank - event_ndims : -1]
        if positions.is_fully_defined():
            return float(positions.num_elements())
    return tf.cast(tf.reduce_prod(tf.shape(value)[-event_ndims:-1]), value.dtype)


def sample_axes(
    rank: int, *, batch_ndims: int, event_ndims: int, kept: int
) -> list[int]:
    """Return the dimensions of data `[..., *batch, *event]` to average over.

    Args:
        rank: Rank of the data.
        batch_ndims: Number of dimensions that belong to batches of parameters.
        event_ndims: Rank of the event.
        kept: Number of trailing dimensions that have statistics of their own.

    Returns:
        Non-negative axes.
    """
    samples = range(rank - event_ndims - batch_ndims)
    return [*samples, *range(rank - event_ndims, rank - kept)]


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
    largest = tf.reduce_max(tf.abs(y), axis=axes, keepdims=True)
    # Squares of such numbers are no numbers of float64.
    is_extreme = (largest > _EXTREME) | ((largest > 0.0) & (largest < 1.0 / _EXTREME))
    unit = tf.where(is_extreme, largest, tf.ones_like(largest))
    y = y / unit
    mean = tf.reduce_mean(y, axis=axes)
    centered = y - tf.reduce_mean(y, axis=axes, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centered), axis=axes))
    smallest = resolution * tf.reduce_max(tf.abs(y), axis=axes)
    # A NaN compares as false on both sides and stays one.
    is_constant = deviation <= smallest
    unit = tf.reduce_max(unit, axis=axes)
    return mean * unit, tf.where(is_constant, tf.ones_like(deviation), deviation * unit)


def split_location(location: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Split a float64 location into its rounding to `dtype` and what is left.

    The difference of data and the first part is exact near the location, so that data
    at 1e6 with deviation 1 keep their digits in float32.
    """
    rounded = tf.cast(location, dtype)
    return rounded, tf.cast(location - tf.cast(rounded, tf.float64), dtype)


def normalize(y: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
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
