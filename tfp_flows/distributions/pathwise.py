"""Draws whose derivative forward mode gets wrong are refused there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _tapes

__all__ = ["require_right_tangents"]

# What TFP draws by rejection, or by a formula of its own, has a derivative by its shape
# that tapes take and `ForwardAccumulator` may not: it follows the operations inside. Of
# a gamma of shape 2.5 that was up to half as large again. Which parameters of which
# class it gets wrong is found out by a few draws of each class, once.
DRAWS = 8
SEED = (2, 7)
# How far the two derivatives of float32 draws may lie apart.
RTOL = 1e-3
# Where parameters are taken, as free numbers, and how many of each axis.
FREE = 0.5
SIZE = 3
# Of classes, the parameters that they are given, and the one to differentiate by.
_found: dict[tuple[type[Any], frozenset[str], str], bool] = {}


def require_right_tangents(distribution: tfd.Distribution) -> None:
    """Raise if forward mode asks how draws depend on a parameter that it gets wrong.

    Args:
        distribution: What is about to be drawn from, with all that it holds.

    Raises:
        NotImplementedError: If it does; most locations and scales are right.
    """
    if not _tapes.is_recording():
        return
    for part in _parts(distribution):
        for name, value in _tensors(part).items():
            if not _tapes.in_forward_mode([tf.convert_to_tensor(value)]):
                continue
            if not _is_right(part, name):
                msg = (
                    f"Forward mode does not know how draws of a `{type(part).__name__}`"
                    f" depend on its `{name}`. Take a tape, tf.GradientTape(), or keep "
                    f"`{name}` out of what the `ForwardAccumulator` follows."
                )
                raise NotImplementedError(msg)


def _parts(distribution: tfd.Distribution) -> Iterator[tfd.Distribution]:
    """Yield a distribution and those among its arguments, within each other too."""
    yield distribution
    for value in tf.nest.flatten(dict(distribution.parameters)):
        if isinstance(value, tfd.Distribution):
            yield from _parts(value)


def _tensors(part: tfd.Distribution) -> dict[str, Any]:
    """Return the parameters of a distribution that are numbers, not those in parts."""
    try:
        names = type(part).parameter_properties()
    except NotImplementedError:
        return {}
    given = {n: getattr(part, n, None) for n in names if n in part.parameters}
    return {name: value for name, value in given.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    kinds = (tf.Tensor, tf.Variable, tfp.util.DeferredTensor)
    return isinstance(value, kinds) and tf.as_dtype(value.dtype).is_floating


def _is_right(part: tfd.Distribution, name: str) -> bool:
    """Return whether forward mode agrees with a tape about draws of a class.

    Args:
        part: A distribution of the class.
        name: The parameter by which to differentiate.
    """
    key = (type(part), frozenset(_tensors(part)), name)
    if key not in _found:
        # In a thread of its own, which no tape, accumulator or graph of ours sees.
        with futures.ThreadPoolExecutor(1) as pool:
            try:
                _found[key] = pool.submit(_agree, *_examples(part, name)).result()
            except Exception:  # what fails here would fail there
                _found[key] = False
    return _found[key]


def _examples(
    part: tfd.Distribution, name: str
) -> tuple[Callable[[tf.Tensor], tf.Tensor], np.ndarray]:
    """Return a function that draws, given a parameter, and a number for this."""
    tensors = _tensors(part)
    values = {
        key: tf.get_static_value(tf.convert_to_tensor(value))
        for key, value in tensors.items()
    }
    if any(value is None for value in values.values()):  # of a graph
        properties = type(part).parameter_properties()
        with tf.init_scope():
            for key, value in tensors.items():
                dtype = tf.as_dtype(value.dtype).as_numpy_dtype
                values[key] = np.asarray(_example(properties[key]), dtype)
            if isinstance(part.parameters.get("scale"), tf.linalg.LinearOperator):
                values["scale"] = tf.linalg.LinearOperatorIdentity(
                    SIZE, dtype=part.dtype
                )

    def draw(number: tf.Tensor) -> tf.Tensor:
        return part.copy(**{**values, name: number}).sample(DRAWS, seed=SEED)

    return draw, values[name]


def _example(properties: Any) -> tf.Tensor:
    """Return numbers that a class takes as a parameter."""
    constrain = properties.default_constraining_bijector_fn()
    shape = constrain.inverse_event_shape([SIZE] * (properties.event_ndims or 0))
    return constrain.forward(tf.fill(shape, tf.constant(FREE)))


def _agree(draw: Callable[[tf.Tensor], tf.Tensor], number: np.ndarray) -> bool:
    """Return whether two derivatives of draws along a line are equal."""
    probe = tf.constant(number)

    def total() -> tf.Tensor:
        draws = draw(probe)  # weighted, since those of a simplex sum to 1
        return tf.reduce_sum(_uneven(draws) * draws)

    with tf.GradientTape() as tape:
        tape.watch(probe)
        found = total()
    zero = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
    gradient = tape.gradient(found, probe, **zero)
    direction = _uneven(probe)
    with tf.autodiff.ForwardAccumulator(probe, direction) as accumulator:
        found = total()
    tangent = accumulator.jvp(found, **zero)
    by_tape = tf.reduce_sum(gradient * direction)
    return bool(np.allclose(by_tape, tangent, rtol=RTOL, atol=RTOL))


def _uneven(like: tf.Tensor) -> tf.Tensor:
    """Return numbers in the shape of a tensor, no two of them equal."""
    numbers = 1.0 + np.sqrt(np.arange(1.0, 1.0 + int(tf.size(like))))
    return tf.cast(tf.reshape(numbers, tf.shape(like)), like.dtype)
