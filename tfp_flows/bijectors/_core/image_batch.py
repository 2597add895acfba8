"""The layout in which maps of images compute: one batch dimension in front."""

from __future__ import annotations

import math

import tensorflow as tf

from tfp_flows.bijectors._core import batch

__all__ = ["ImageBatch", "to_images"]


class ImageBatch(batch.Batch):
    """The leading dimensions of images, to be put back after the computation."""

    def images(self, value: tf.Tensor) -> tf.Tensor:
        """Return `[N, H, W, C]` as `[..., H, W, C]`."""
        trailing = value.shape[1:].as_list()
        out = tf.reshape(value, self._shape(trailing))
        out.set_shape(self._static.concatenate(trailing))
        return out


def to_images(
    x: tf.Tensor,
    condition: tf.Tensor | None = None,
    condition_ndims: int = 1,
    *,
    flat: bool = True,
) -> tuple[tf.Tensor, tf.Tensor | None, ImageBatch]:
    """Flatten the leading dimensions of images and of a condition that broadcasts.

    Args:
        x: Images, `[..., H, W, C]`, with static sizes.
        condition: `[..., *condition_shape]`, or `None`.
        condition_ndims: Rank of one condition.
        flat: Whether to flatten the shape of one condition as well.

    Returns:
        Images `[N, H, W, C]`, conditions `[N, C]` (`[N, *condition_shape]` unless
        `flat`) or `None`, and the batch.
    """
    event = x.shape[-3:].as_list()
    static, dynamic = x.shape[:-3], tf.shape(x)[:-3]
    if condition is not None:
        cut = condition.shape.rank - condition_ndims
        trailing = condition.shape[cut:].as_list()
        trailing = [math.prod(trailing)] if flat else trailing
        condition_batch = tf.shape(condition)[:cut]
        same = static.is_fully_defined() and static == condition.shape[:cut]
        static = tf.broadcast_static_shape(static, condition.shape[:cut])
        if not same:
            dynamic = tf.broadcast_dynamic_shape(dynamic, condition_batch)
            x = tf.broadcast_to(x, tf.concat([dynamic, event], axis=0))
            shape = tf.concat([condition_batch, trailing], axis=0)
            condition = tf.reshape(condition, shape)
            shape = tf.concat([dynamic, trailing], axis=0)
            condition = tf.broadcast_to(condition, shape)
        condition = tf.reshape(condition, [-1, *trailing])
    return tf.reshape(x, [-1, *event]), condition, ImageBatch(static, dynamic)
