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
    # Each half sees only numbers at most 1/2, where `ndtri` is exact.
    smaller = tf.math.ndtri(tf.where(lower, below, above))
    return tf.where(lower, smaller, -smaller)


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
