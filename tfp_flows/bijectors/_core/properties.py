"""What values the parameters of maps may have, in the form that TFP asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

__all__ = ["fixed", "free", "positive"]


def free(event_ndims: Any = 0) -> tfp.util.ParameterProperties:
    """Return the properties of a parameter that may be any number.

    A parameter of the rank of the event is taken to have the shape of outputs.
    """
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


def fixed(event_ndims: Any = 0) -> tfp.util.ParameterProperties:
    """Return those of one that no map of single numbers makes valid.

    An orthogonal matrix, signs, or the upper end of a range, for example.
    """
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
