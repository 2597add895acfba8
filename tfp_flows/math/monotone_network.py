"""Increasing functions whose slope is a small network, and their inverse.

    y = shift + centre + integral from centre to x of exp(s(t)) dt
    s(t) = c[0] + sum_j c[j] * tanh(a[j] * (t - m[j]))

on an interval, and lines outside. The integral is a rule with a fixed number of nodes.
What bends more quickly than the nodes resolve would be a wrong density, so that `a` is
bounded: the rule is then right to some 1e-7 of its value.

References:
    Antoine Wehenkel, Gilles Louppe (2019). Unconstrained Monotonic Neural Networks.
    https://arxiv.org/abs/1908.05164, eq. 2
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import quadrature, roots

__all__ = ["integral", "max_bend"]

# Logs of slopes stay within this.
LOG_SLOPE_BOUND = 5.0
# Bends of all units, in half lengths of the interval, stay below so much for each node.
BEND_PER_NODE = 0.3


def max_bend(num_nodes: int, low: float, high: float) -> float:
    """Return the bound of `a`, which the nodes resolve."""
    return BEND_PER_NODE * num_nodes * 2.0 / (high - low)


def integral(num_nodes: int, low: float, high: float) -> roots.Function:
    """Return the function on the interval; `lines` continues and inverts it.

    Args:
        num_nodes: Nodes of the rule.
        low: Where the network begins.
        high: Where it ends.

    Returns:
        Function of scalars, `[...]`, and of the shift, `c` before it is bounded, raw
        `a`, and `m`, `[2 + 3 * H, ...]`; zeros give the identity. Its values and their
        log-derivatives are `[...]`.
    """
    centre, bend = 0.5 * (low + high), max_bend(num_nodes, low, high)

    def inside(x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        units = (params.shape[0] - 2) // 3
        shift, raw, bends, centres = tf.split(params, [1, units + 1, units, units])
        total = tf.reduce_sum(tf.abs(raw), axis=0)
        weights = raw / (1.0 + total / LOG_SLOPE_BOUND)
        bends = bend * tf.sigmoid(bends)

        def log_slope(places: tf.Tensor) -> tf.Tensor:
            # Units behind the nodes: [N, H, ...].
            hidden = tf.tanh(bends * (places[:, tf.newaxis] - centres))
            return weights[0] + tf.reduce_sum(weights[1:] * hidden, axis=1)

        area, log_here = quadrature.antiderivative(log_slope, x, centre, num_nodes)
        return shift[0] + centre + area, log_here

    return inside
