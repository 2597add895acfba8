"""Rows of tables, as loops read and write them, with derivatives of every kind.

The gradients of TensorFlow's gathers are slices, with which some gradients of gradients
cannot compute; its forward mode does not pass the gradient of a scattered update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows import _tapes

__all__ = ["dense_gradient", "put", "take"]


@tf.custom_gradient
def dense_gradient(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return `x`, whose gradient is a tensor where a gather would hand over slices."""
    return tf.identity(x), tf.convert_to_tensor


def take(table: tf.Tensor, places: Any) -> tf.Tensor:
    """Return the rows at `places`, with a gradient that is a tensor."""
    return tf.gather(dense_gradient(table), places)


def put(table: tf.Tensor, i: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Replace row `i`."""
    row = tf.cast(row, table.dtype)[tf.newaxis]
    if tf.executing_eagerly() and _tapes.is_recording():
        places = tf.reshape(
            tf.range(tf.shape(table)[0]), [-1] + [1] * row.shape[1:].rank
        )
        updated = tf.where(tf.equal(places, i), row, table)
    else:
        updated = tf.tensor_scatter_nd_update(table, [[i]], row)
    updated.set_shape(table.shape)
    return updated
