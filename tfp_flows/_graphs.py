"""What maps ask of TensorFlow's graphs: the names that another engine does not have.

Maths and maps use only names of TensorFlow that TensorFlow Probability's own rewrite
for JAX knows; what is left stands here, and in `_tapes`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["current", "spec"]


def current() -> Any:
    """Return the graph that operations are put into."""
    return tf.compat.v1.get_default_graph()


def spec(value: Any) -> Any:
    """Return the type of a composite tensor: structure, shapes and dtypes."""
    return tf.type_spec_from_value(value)
