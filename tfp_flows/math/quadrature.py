"""Integrals of positive functions by the rule of Gauss and Legendre.

`N` nodes integrate polynomials of degree `2 * N - 1` exactly, and analytic functions
with an error that falls geometrically in `N`. All weights are positive, so that
integrals of positive functions are sums of positive numbers, in which nothing cancels.

References:
    Philip Davis, Philip Rabinowitz (1984). Methods of Numerical Integration. Section
    2.7. https://doi.org/10.1016/C2013-0-10566-1
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows import _tapes
from tfp_flows.math import implicit

__all__ = ["antiderivative", "mean", "nodes", "rule"]

# An interval of length zero has derivatives: so many nodes give those of order 6, and
# each further one of two more.
LOCAL_NODES = 3


@functools.cache
def rule(num_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes in (0, 1) and weights that sum to 1, `[N]` each."""
    nodes, weights = np.polynomial.legendre.leggauss(num_nodes)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def mean(values: tf.Tensor, num_nodes: int) -> tf.Tensor:
    """Return the mean over an interval of a function given at its nodes, `[N, ...]`."""
    weights = tf.constant(rule(num_nodes)[1], values.dtype)
    weights = tf.reshape(weights, [num_nodes, *[1] * (values.shape.rank - 1)])
    return tf.reduce_sum(weights * values, axis=0)


def nodes(x: tf.Tensor, start: tf.Tensor | float, num_nodes: int) -> tf.Tensor:
    """Return the nodes between a start and each of `x`, `[N, ...]`."""
    places = tf.constant(rule(num_nodes)[0], x.dtype)
    places = tf.reshape(places, [num_nodes, *[1] * x.shape.rank])
    return start + (x - start) * places


def antiderivative(
    log_integrand: Callable[[tf.Tensor], tf.Tensor],
    x: tf.Tensor,
    start: float,
    num_nodes: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Integrate a positive function from `start` to `x`.

    The value is that of the rule. Its derivatives by `x` are those of the integral
    itself, the integrand and its derivatives, in reverse and in forward mode: to the
    integral up to a copy of `x` that counts as fixed, one from there to `x` is added,
    whose value is 0. They are right to order 6, and to as many as tapes and
    accumulators are open; those above raise `NotImplementedError`.

    Args:
        log_integrand: Takes nodes `[N, ...]` and returns the log of the function there.
        x: Upper ends, `[...]`.
        start: Lower end.
        num_nodes: Number of nodes.

    Returns:
        The integral and the log of its derivative, `[...]`.
    """
    fixed = tf.stop_gradient(x)
    count = max(LOCAL_NODES, ((_tapes.count(x) or 0) + 1) // 2)
    places = [nodes(fixed, start, num_nodes), nodes(x, fixed, count), x[None]]
    sizes = [num_nodes, count, 1]
    whole, local, here = tf.split(log_integrand(tf.concat(places, 0)), sizes)
    value = (fixed - start) * mean(tf.exp(whole), num_nodes)
    value += (x - fixed) * mean(tf.exp(local), count)
    return implicit.limited(value, [x], 2 * count), here[0]
