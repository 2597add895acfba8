"""Evaluation of maps on tensors whose shape or rank is not known while tracing.

What comes out of `tf.numpy_function` or a generator has no static shape. A map sees the
rank, and the sizes that it knows by itself, nevertheless: a wrong size is an error when
the function runs. Leading dimensions of a tensor of unknown rank become one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["evaluate"]

Primitive = Callable[..., tuple[tf.Tensor, tf.Tensor]]


def evaluate(
    bijector: Any,
    primitive: Primitive,
    value: tf.Tensor,
    condition: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what `primitive` of a map gives at an input, with known ranks inside."""
    given = () if condition is None else (condition,)
    if any(tensor.shape.rank is None for tensor in (value, *given)):
        return _of_unknown_rank(bijector, primitive, value, condition)
    value = _with_trailing(value, bijector.checked_shape)
    if condition is None:
        return primitive(value)
    return primitive(value, _with_trailing(condition, bijector.condition_shape))


def _with_trailing(tensor: tf.Tensor, trailing: tuple[int, ...] | None) -> tf.Tensor:
    """State the sizes of the last dimensions, where they are not known."""
    count = len(trailing or ())
    cut = tensor.shape.rank - count
    if tensor.shape[cut:].is_fully_defined():
        return tensor
    return tf.ensure_shape(tensor, [*tensor.shape[:cut], *(trailing or ())])


def _of_unknown_rank(
    bijector: Any,
    primitive: Primitive,
    value: tf.Tensor,
    condition: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate with one leading dimension before those of event and parameters."""
    least = bijector.forward_min_event_ndims
    event = max(len(bijector.checked_shape or ()), least)
    kept = event + _batch_ndims(bijector, event)
    shape = tf.shape(value)
    given: tuple[tf.Tensor, ...] = ()
    if condition is not None:
        # Both get the same batch, so that it can be taken apart in the same way.
        trailing = bijector.condition_shape
        sizes = tf.shape(condition)
        cut = tf.size(sizes) - len(trailing)
        batch = tf.broadcast_dynamic_shape(shape[: tf.size(shape) - event], sizes[:cut])
        shape = tf.concat([batch, shape[tf.size(shape) - event :]], axis=0)
        value = tf.broadcast_to(value, shape)
        sizes = tf.concat([batch, sizes[cut:]], axis=0)
        condition = tf.broadcast_to(condition, sizes)
        ndims = kept - event + len(trailing)
        given = (_with_trailing(_merged(condition, sizes, ndims), trailing),)
    value = _with_trailing(_merged(value, shape, kept), bijector.checked_shape)
    out, log_det = primitive(value, *given)
    leading = shape[: tf.size(shape) - kept]
    return _split(out, leading, kept), _split(log_det, leading, kept - least)


def _batch_ndims(bijector: Any, event_ndims: int) -> int:
    """Return the number of batch dimensions of the parameters; 0 if not stated."""
    try:
        rank = bijector.experimental_batch_shape(x_event_ndims=event_ndims).rank
    except NotImplementedError:
        return 0
    if rank is None:
        msg = (
            f"`{bijector.name}` must have parameters of known rank where the rank of "
            "its input is not known. Set the shape of one of them by tf.ensure_shape."
        )
        raise ValueError(msg)
    return rank


def _merged(tensor: tf.Tensor, shape: tf.Tensor, kept: int) -> tf.Tensor:
    """Merge all dimensions but the last `kept`, of which missing ones become one."""
    padded = tf.concat([tf.ones([kept], shape.dtype), shape], axis=0)
    cut = tf.size(padded) - kept
    leading = tf.reduce_prod(padded[:cut], keepdims=True)
    out = tf.reshape(tensor, tf.concat([leading, padded[cut:]], axis=0))
    out.set_shape([None] * (kept + 1))
    return out


def _split(tensor: tf.Tensor, leading: tf.Tensor, kept: int) -> tf.Tensor:
    """Give the leading dimensions back to what has one before the last `kept`."""
    if tensor.shape.rank is not None and tensor.shape.rank <= kept:
        return tensor  # broadcasts
    shape = tf.shape(tensor)
    count = tf.reduce_prod(leading, keepdims=True)
    tensor = tf.broadcast_to(tensor, tf.concat([count, shape[1:]], axis=0))
    return tf.reshape(tensor, tf.concat([leading, shape[1:]], axis=0))
