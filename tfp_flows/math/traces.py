"""Traces of Jacobians, exact or estimated by random directions.

Jacobians come as `push`: a function that takes directions `[D, K, N]`, `K` for each of
`N` events, and returns what the Jacobian at each event makes of them.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

__all__ = ["all_directions", "random_directions", "trace_and_square"]

Push = Callable[[tf.Tensor], tf.Tensor]


def all_directions(value: tf.Tensor) -> tf.Tensor:
    """Return the axes as directions, with which traces are exact: `[D, D, N]`.

    Args:
        value: Events, `[D, N]`.
    """
    eye = tf.eye(value.shape[0], dtype=value.dtype)[..., tf.newaxis]
    return eye + tf.zeros_like(value)


def random_directions(
    value: tf.Tensor, seed: tf.Tensor, num_probes: int = 1
) -> tf.Tensor:
    """Return random signs as directions, with which traces are unbiased estimates.

    Args:
        value: Events, `[D, N]`.
        seed: Stateless seed `[2]`.
        num_probes: Number `K` of directions of each event, over which to average.

    Returns:
        `[D, K, N]`, divided by the square root of `K`.

    References:
        Hutchinson (1989). A stochastic estimator of the trace of the influence matrix
        for Laplacian smoothing splines. https://doi.org/10.1080/03610919008812866
    """
    shape = [value.shape[0], num_probes, tf.shape(value)[1]]
    uniform = tf.random.stateless_uniform(shape, seed)
    signs = tf.cast(tf.where(uniform < 0.5, -1.0, 1.0), value.dtype)
    signs.set_shape([value.shape[0], num_probes, value.shape[1]])
    return signs * num_probes**-0.5


def trace_and_square(push: Push, directions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the trace of Jacobians, and the sum of their squared entries.

    Args:
        push: See the module.
        directions: Of `all_directions` or `random_directions`, `[D, K, N]`.

    Returns:
        Two times `[N]`: exact, or estimates without bias.

    Example:
        >>> import tensorflow as tf
        >>> from tfp_flows.math import traces
        >>> matrix = tf.constant([[1.0, 2.0], [3.0, 4.0]])
        >>> x = tf.zeros([2, 1])
        >>> found = traces.trace_and_square(
        ...     lambda v: tf.einsum("ij,jkn->ikn", matrix, v), traces.all_directions(x))
        >>> [part.numpy().tolist() for part in found]
        [[5.0], [30.0]]
    """
    moved = push(directions)
    trace = tf.reduce_sum(directions * moved, axis=[0, 1])
    return trace, tf.reduce_sum(tf.square(moved), axis=[0, 1])
