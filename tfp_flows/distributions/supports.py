"""Where the events of a distribution lie."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._numpy_guard import NumPyError

__all__ = ["bounds"]


def bounds(distribution: tfd.Distribution) -> tuple[float, float] | None:
    """Return the ends of the interval in which each coordinate lies.

    Args:
        distribution: A density of events.

    Returns:
        Both ends, of which one may be infinite; `None` for the whole line.

    Raises:
        ValueError: If events are not numbers, if coordinates bound each other, as those
            of a Dirichlet distribution do, or if their intervals differ.
    """
    name = type(distribution).__name__
    inner = _inner(distribution)
    try:
        onto = inner.experimental_default_event_space_bijector()
    except NotImplementedError:
        return None
    except NumPyError as error:  # of maps that pad: onto a simplex or a sphere
        raise ValueError(_bound_each_other(name)) from error
    if onto is None:
        msg = f"`base` must be a density, got {name}, whose events are discrete."
        raise ValueError(msg)
    shape = inner.batch_shape + inner.event_shape
    if onto.inverse_event_shape(shape) != shape:
        raise ValueError(_bound_each_other(name))
    infinite = tf.fill(shape, tf.constant(np.inf, inner.dtype))
    ends = onto.forward(-infinite).numpy(), onto.forward(infinite).numpy()
    if np.any(np.isnan(ends)):
        return None
    # Some maps decrease, as onto the support of an inverse gamma distribution.
    low, high = np.minimum(*ends), np.maximum(*ends)
    if np.ptp(np.nan_to_num(low)) > 0.0 or np.ptp(np.nan_to_num(high)) > 0.0:
        msg = (
            f"`base` must have one interval for all coordinates, got {name} with "
            f"lower ends {low.tolist()} and upper ends {high.tolist()}."
        )
        raise ValueError(msg)
    found = float(np.max(low)), float(np.max(high))
    return None if np.all(np.isinf(found)) else found


def _bound_each_other(name: str) -> str:
    return (
        "`base` must have coordinates of which each has an interval of its own, "
        f"got {name}, whose coordinates bound each other."
    )


def _inner(distribution: tfd.Distribution) -> tfd.Distribution:
    """Return the distribution of the coordinates, where that is the same for all."""
    while True:
        if isinstance(distribution, (tfd.Independent, tfd.Sample)):
            distribution = distribution.distribution
        elif isinstance(distribution, tfd.MixtureSameFamily):
            distribution = distribution.components_distribution
        else:
            return distribution
