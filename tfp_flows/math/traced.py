"""Functions of tensors that arrays are given to: traced once, for any size."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["traced"]


@functools.lru_cache(maxsize=32)
def traced(
    function: Callable[..., Any], *shapes: tuple[int | None, ...] | None
) -> Callable[..., Any]:
    """Return a function of float64 arrays of given shapes as a graph.

    Args:
        function: Takes as many tensors, and returns tensors.
        shapes: Of each argument, `None` for a size that may change; or `None` for any
            shape.
    """
    signature = [tf.TensorSpec(shape, tf.float64) for shape in shapes]
    return tf.function(function, autograph=False, input_signature=signature)
