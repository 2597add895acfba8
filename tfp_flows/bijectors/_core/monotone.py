"""Whether a map of one coordinate increases: what `cdf` and `quantile` ask.

`tfd.TransformedDistribution` asks its bijector. Maps that act on each coordinate alone,
and always increase, say so for any number of coordinates: each of them increases.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._types import Condition

__all__ = ["by_slope", "increasing", "increasing_of_one", "of", "require_one"]


def require_one(bijector: Any, shape: tuple[int, ...] | None) -> None:
    """Raise unless events have one coordinate.

    Args:
        bijector: The map.
        shape: Shape of its events, if it is known.
    """
    if shape is None or math.prod(shape) != 1:
        events = "" if shape is None else f" of shape {shape}"
        msg = (
            f"`{type(bijector).__name__}` is not known to increase or to decrease on "
            f"events{events}: `cdf`, `quantile` and `survival_function` are for one "
            "coordinate. Draw samples and count, or fit the coordinate alone."
        )
        raise NotImplementedError(msg)


def increasing(bijector: Any, condition: Condition = None) -> bool:
    """Say that each coordinate increases, whatever the parameters are."""
    del condition
    _require_line(bijector)
    return True


def increasing_of_one(bijector: Any, condition: Condition = None) -> bool:
    """Say that a map of one coordinate increases, whatever its parameters are."""
    del condition
    require_one(bijector, bijector.checked_shape)
    _require_line(bijector)
    return True


def _require_line(bijector: Any) -> None:
    """Raise for maps of angles, which wrap around."""
    transformer = getattr(bijector, "transformer", None)
    if getattr(transformer, "period", None) is not None:
        msg = (
            f"`{type(bijector).__name__}` maps angles, which have no first one: `cdf`, "
            "`quantile` and `survival_function` are for numbers. Integrate the density "
            "from the angle where you want to begin."
        )
        raise NotImplementedError(msg)


def by_slope(bijector: Any, condition: Condition = None) -> tf.Tensor:
    """Return whether an affine map of one coordinate has a positive slope, `[...]`."""
    del condition
    shape = bijector.checked_shape
    require_one(bijector, shape)
    # Parameters may have a batch shape, which the input then has, too.
    start = tf.zeros(shape, bijector.dtype or tf.float32)
    x = tf.zeros_like(bijector.forward_and_log_det(start)[0])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = bijector.forward_and_log_det(x)[0]
    slope = tape.gradient(y, x)
    return tf.reshape(slope, tf.shape(slope)[: slope.shape.rank - len(shape)]) > 0.0


def of(bijector: tfb.Bijector, condition: Condition = None) -> tf.Tensor:
    """Return whether a map, ours or TFP's, increases.

    Args:
        bijector: The map.
        condition: Passed on to maps that take one.
    """
    takes = getattr(bijector, "condition_shape", None) is not None
    given = {"condition": condition} if takes and condition is not None else {}
    return bijector._internal_is_increasing(**given)
