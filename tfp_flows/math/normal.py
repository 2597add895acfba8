"""The normal CDF and its inverse by the smaller of the two tails.

`ndtr(6.)` is 1 in float32, and whatever is computed from it is lost. Its complement is
not: a probability is kept here as the pair of both tails, and each half of the line
uses its own one.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

__all__ = ["cell_probabilities", "log_prob", "quantile", "tails"]

LOG_NORMALISER = 0.5 * math.log(2.0 * math.pi)


def log_prob(x: tf.Tensor) -> tf.Tensor:
    """Return the log-density of the standard normal law."""
    return -0.5 * tf.square(x) - LOG_NORMALISER


def tails(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the probabilities below and above `x`, each to full precision.

    Args:
        x: Positions, `[...]`.

    Returns:
        `ndtr(x)` and `ndtr(-x)`.
    """
    scaled = x * math.sqrt(0.5)
    return 0.5 * tf.math.erfc(-scaled), 0.5 * tf.math.erfc(scaled)


def quantile(below: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    """Return where the probabilities below and above are these, from the smaller one.

    Args:
        below: Probability below, `[...]`, in (0, 1).
        above: Probability above, `[...]`, in (0, 1); both sum to 1.

    Returns:
        Positions, `[...]`.
    """
    lower = below < above
    smaller = _lower_quantile(tf.where(lower, below, above))
    return tf.where(lower, smaller, -smaller)


def _lower_quantile(p: tf.Tensor) -> tf.Tensor:
    """Return the normal quantile of probabilities up to 1/2.

    `tf.math.ndtri` would do, but for XLA, whose own loses all digits in the tail:
    infinite at 6e-16 in float32. A rational start of error 4.5e-4 (Abramowitz and
    Stegun, 26.2.23) and steps of Newton on the log of the probability need no branch.
    """
    # Off the least number, below which a step would divide by 0.
    p = tf.maximum(p, 16.0 * np.finfo(p.dtype.as_numpy_dtype).tiny)
    log_p = tf.math.log(p)
    t = tf.sqrt(-2.0 * log_p)
    over = 2.515517 + t * (0.802853 + t * 0.010328)
    x = over / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    # One step less has all digits, but for those of the gradient, which is that of the
    # last step: it does not depend on where the step begins.
    for _ in range(3 if p.dtype == tf.float64 else 2):
        x = tf.stop_gradient(x)
        below = tails(x)[0]
        x -= (tf.math.log(below) - log_p) * below * tf.exp(-log_prob(x))
    return x


def cell_probabilities(edges: np.ndarray) -> np.ndarray:
    """Return the probability of each cell between edges, exact in both tails.

    Args:
        edges: Increasing edges, `[..., G + 1]`.

    Returns:
        `[..., G]`; the end cells have what lies beyond the edges as well.
    """
    below, above = (t.numpy() for t in tails(tf.constant(edges, tf.float64)))
    from_left, from_right = np.diff(below), -np.diff(above)
    out = np.where(edges[..., 1:] < 0, from_left, from_right)
    out[..., 0] += below[..., 0]
    out[..., -1] += above[..., -1]
    return out
