"""The layout in which coupling and autoregressive maps compute.

Inside, a batch of events is one matrix `[D, N]`: coordinates are rows, so that a split
is a slice, a permutation moves whole rows, and the last product of a conditioner,
`W @ h` with `W` `[P * D, H]`, lands as `[P, D, N]`, the layout of the scalar maps.
"""

from __future__ import annotations

import math

import tensorflow as tf

from tfp_flows.math.linear import products

__all__ = ["Batch", "at_least_one", "to_columns"]


class Batch:
    """The leading dimensions of an input, to be put back after the computation."""

    def __init__(self, static: tf.TensorShape, dynamic: tf.Tensor | None) -> None:
        self._static = static
        self._dynamic = dynamic

    def _shape(self, trailing: list[int]) -> list[int] | tf.Tensor:
        sizes = None if self._static.rank is None else self._static.as_list()
        if sizes is not None and sizes.count(None) == 0:
            return sizes + trailing
        if sizes is not None and sizes.count(None) == 1 and 0 not in sizes:
            return [-1 if size is None else size for size in sizes] + trailing
        return tf.concat([self._dynamic, tf.constant(trailing, tf.int32)], axis=0)

    def events(self, columns: tf.Tensor) -> tf.Tensor:
        """Return `[D, N]` as `[..., D]`."""
        out = tf.reshape(products.transpose(columns), self._shape([columns.shape[0]]))
        out.set_shape(self._static.concatenate([columns.shape[0]]))
        return out

    def scalars(self, values: tf.Tensor) -> tf.Tensor:
        """Return `[N]` as `[...]`."""
        out = tf.reshape(values, self._shape([]))
        out.set_shape(self._static)
        return out


def to_columns(
    x: tf.Tensor,
    condition: tf.Tensor | None = None,
    condition_ndims: int = 1,
) -> tuple[tf.Tensor, tf.Tensor | None, Batch]:
    """Flatten events, and a condition that broadcasts against them, to columns.

    Args:
        x: Events, `[..., D]`, with `D` static.
        condition: `[..., *C]`, or `None`.
        condition_ndims: Rank of one condition.

    Returns:
        `x` as `[D, N]`, the condition as `[C, N]` or `None`, and the batch.
    """
    static = x.shape[:-1]
    batch_of_x = tf.shape(x)[:-1]
    dynamic = batch_of_x
    if condition is not None:
        rank = condition.shape.rank
        cut = rank - condition_ndims
        size = math.prod(condition.shape[cut:])
        condition_batch = tf.shape(condition)[:cut]
        same = static.is_fully_defined() and static == condition.shape[:cut]
        static = tf.broadcast_static_shape(static, condition.shape[:cut])
        if not same:
            dynamic = tf.broadcast_dynamic_shape(batch_of_x, condition_batch)
            event = tf.constant([x.shape[-1]], tf.int32)
            x = tf.broadcast_to(x, tf.concat([dynamic, event], axis=0))
            event = tf.constant([size], tf.int32)
            flat = tf.reshape(condition, tf.concat([condition_batch, event], axis=0))
            condition = tf.broadcast_to(flat, tf.concat([dynamic, event], axis=0))
        condition = products.transpose(tf.reshape(condition, [-1, size]))
    columns = products.transpose(tf.reshape(x, [-1, x.shape[-1]]))
    return columns, condition, Batch(static, dynamic)


def at_least_one(
    x: tf.Tensor, condition: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]:
    """Add an event of zeros to columns that may be none: TensorFlow updates no row.

    Args:
        x: Columns, `[D, N]`.
        condition: Conditions, `[C, N]`, or `None`.

    Returns:
        Both with `max(N, 1)` columns, and `N`, or `None` where nothing was added.
    """
    if x.shape[1]:
        return x, condition, None
    count = tf.shape(x)[1]
    paddings = [[0, 0], [0, tf.cast(tf.equal(count, 0), tf.int32)]]
    if condition is not None:
        condition = tf.pad(condition, paddings)
    return tf.pad(x, paddings), condition, count
