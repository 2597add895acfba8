"""What values the parameters of maps may have: in words, as a check, and for TFP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

__all__ = [
    "FIXED",
    "FREE",
    "NOT_NEGATIVE",
    "NOT_ZERO",
    "ORTHOGONAL",
    "POSITIVE",
    "SIGN",
    "Constraint",
    "fixed",
    "free",
    "positive",
    "same_event_ndims",
]

# How far products of rows of a matrix may be off for it to count as orthogonal.
TOLERANCE = 1e-3


class Constraint(NamedTuple):
    """What the values of a parameter must fulfil.

    Args:
        properties: Function of the rank and the dtype of a parameter that returns its
            properties.
        words: What the parameter "must", for messages.
        holds: Function of the values that returns booleans; `None` for no check.
    """

    properties: Callable[[Any, Any], tfp.util.ParameterProperties]
    words: str = ""
    holds: Callable[[tf.Tensor], tf.Tensor] | None = None


def free(event_ndims: Any = 0, dtype: Any = None) -> tfp.util.ParameterProperties:
    """Return the properties of a parameter that may be any number.

    A parameter of the rank of the event is taken to have the shape of outputs.
    """
    del dtype
    return tfp.util.ParameterProperties(
        event_ndims=event_ndims, shape_fn=_shape(event_ndims)
    )


def positive(event_ndims: Any = 0, dtype: Any = None) -> tfp.util.ParameterProperties:
    """Return the properties of a parameter that must be positive."""
    kind = tf.as_dtype(dtype or tf.float32).as_numpy_dtype
    least = np.finfo(kind).eps

    def softplus() -> tfb.Bijector:
        return tfb.Softplus(low=least)

    return tfp.util.ParameterProperties(
        event_ndims=event_ndims,
        shape_fn=_shape(event_ndims),
        default_constraining_bijector_fn=softplus,
    )


def fixed(event_ndims: Any = 0, dtype: Any = None) -> tfp.util.ParameterProperties:
    """Return those of one that no map of single numbers makes valid.

    An orthogonal matrix, signs, or the upper end of a range, for example.
    """
    del dtype
    return tfp.util.ParameterProperties(
        event_ndims=event_ndims,
        shape_fn=_unknown,
        default_constraining_bijector_fn=_no_bijector,
    )


def _shape(event_ndims: Any) -> Callable[[Any], Any]:
    """Return the shape function of scalars and vectors; of matrices it is unknown."""
    return _unknown if event_ndims == 2 else _same


def _same(shape: Any) -> Any:
    return shape


def _unknown(shape: Any) -> Any:
    msg = f"The shape of this parameter does not follow from that of outputs, {shape}."
    raise NotImplementedError(msg)


def _no_bijector() -> tfb.Bijector:
    msg = (
        "No map of unconstrained numbers is known for this parameter. Pass values that "
        "are valid, or build the map by a classmethod."
    )
    raise NotImplementedError(msg)


def _is_positive(value: tf.Tensor) -> tf.Tensor:
    return value > 0.0


def _is_not_negative(value: tf.Tensor) -> tf.Tensor:
    return value >= 0.0


def _is_not_zero(value: tf.Tensor) -> tf.Tensor:
    return tf.not_equal(value, 0.0)


def _is_sign(value: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.abs(value), 1.0)


def _is_orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    gram = tf.matmul(matrix, matrix, transpose_b=True)
    eye = tf.eye(matrix.shape[-1], dtype=matrix.dtype)
    return tf.abs(gram - eye) < TOLERANCE


FREE = Constraint(free)
FIXED = Constraint(fixed)
POSITIVE = Constraint(positive, "be positive", _is_positive)
NOT_NEGATIVE = Constraint(positive, "not be negative", _is_not_negative)
NOT_ZERO = Constraint(positive, "not be 0 anywhere", _is_not_zero)
SIGN = Constraint(fixed, "be 1 or -1", _is_sign)
ORTHOGONAL = Constraint(fixed, "be orthogonal", _is_orthogonal)


def same_event_ndims(_: Any, x_event_ndims: int) -> int:
    """Return how many dimensions an event has for a part that acts on whole events."""
    return x_event_ndims
