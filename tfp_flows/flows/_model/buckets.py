"""Batches of few sizes, for each of which XLA compiles once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows import _tapes
from tfp_flows.math import indexing

__all__ = ["evaluated"]


def evaluated(function: Callable[..., tf.Tensor], *arguments: tf.Tensor) -> tf.Tensor:
    """Call a function of batches with copies of rows up to the next power of two.

    Zeros might be no events, and derivatives there no numbers. Small flows take less
    time than TensorFlow needs to read lists of numbers: sizes are handed over as
    arrays.

    Args:
        function: Called with arguments whose first dimension is a power of two.
        *arguments: Tensors of one first dimension.

    Returns:
        What the function returns of the rows that are there.
    """
    count = arguments[0].shape[0]
    if count is None:
        return _of_unknown_size(function, *arguments)
    missing = max(16, 1 << max(0, count - 1).bit_length()) - count
    if not missing:
        return function(*arguments)
    filled = [_with_copies(value, count, missing) for value in arguments]
    out = function(*filled)
    size = np.full([out.shape.rank], -1, np.int32)
    size[0] = count
    return tf.raw_ops.Slice(input=out, begin=np.zeros_like(size), size=size)


def _with_copies(value: tf.Tensor, count: int, missing: int) -> tf.Tensor:
    """Return rows with copies of some behind them; with zeros if there are none."""
    if 0 < count < missing:  # a mirror shows each row once
        places = np.arange(count + missing, dtype=np.int32) % np.int32(count)
        if _tapes.is_recording():
            value = indexing.dense_gradient(value)
        return tf.raw_ops.GatherV2(params=value, indices=places, axis=0)
    paddings = np.zeros([value.shape.rank, 2], np.int32)
    paddings[0, 1] = missing
    if not count:
        return tf.raw_ops.Pad(input=value, paddings=paddings)
    return tf.raw_ops.MirrorPad(input=value, paddings=paddings, mode="SYMMETRIC")


def _of_unknown_size(
    function: Callable[..., tf.Tensor], *arguments: tf.Tensor
) -> tf.Tensor:
    """Do what `evaluated` does while a function is traced for batches of any size."""
    count = tf.shape(arguments[0])[0]
    # A size is exact in float64, and so is its logarithm if it is a power of two.
    log_size = tf.math.log(tf.cast(tf.maximum(count, 16), tf.float64)) / math.log(2.0)
    exponent = tf.cast(tf.math.ceil(log_size - 1e-9), tf.int32)
    missing = tf.bitwise.left_shift(1, exponent) - count
    copies = tf.fill([missing], tf.maximum(count - 1, 0))
    filled = []
    for value in arguments:
        rest = [[0, 0]] * (value.shape.rank - 1)
        some = tf.pad(value, [[0, tf.cast(count < 1, tf.int32)], *rest])
        filled.append(tf.concat([value, tf.gather(some, copies)], axis=0))
    return function(*filled)[:count]
