"""Tests of samples against samples, in closed form."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

__all__ = [
    "beyond",
    "distance",
    "effective",
    "kolmogorov",
    "radius_tail",
    "rank_sum",
]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference of two empirical distribution functions.

    Args:
        a: Numbers, `[N]`.
        b: Numbers, `[M]`.
    """
    a, b = np.sort(a), np.sort(b)
    values = np.concatenate([a, b])
    below = np.searchsorted(a, values, side="right") / len(a)
    return float(
        np.abs(below - np.searchsorted(b, values, side="right") / len(b)).max()
    )


def effective(*counts: int) -> float:
    """Return how many rows a comparison of samples of such sizes is worth."""
    return 1.0 / sum(1.0 / count for count in counts)


def kolmogorov(largest: float, count: float) -> float:
    """Return how probable a difference of distribution functions is by chance.

    Args:
        largest: The difference.
        count: Effective number of rows.

    References:
        Stephens, 1970, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and related
        statistics without extensive tables",
        https://doi.org/10.1111/j.2517-6161.1970.tb00821.x
    """
    root = math.sqrt(count)
    scaled = largest * (root + 0.12 + 0.11 / root)
    if scaled < 0.3:  # the series is 1 to all digits, and slow
        return 1.0
    terms = [(-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 50)]
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def rank_sum(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return the chance that a value of `a` exceeds one of `b`, and its p-value.

    Args:
        a: Numbers, `[N]`.
        b: Numbers, `[M]`.
    """
    ordered = np.sort(b)
    low = np.searchsorted(ordered, a, side="left")
    high = np.searchsorted(ordered, a, side="right")
    share = float(np.mean(low + high) / (2 * len(b)))
    spread = math.sqrt((len(a) + len(b) + 1) / (12.0 * len(a) * len(b)))
    return share, math.erfc(abs(share - 0.5) / spread / math.sqrt(2.0))


def beyond(samples: int, outside: int, rows: int) -> float:
    """Return how probable so many samples are beyond the outermost of the rows.

    If rows and samples are of one density, the rows are any of all of these.

    Args:
        samples: Number of samples.
        outside: How many of them lie beyond all rows at one end.
        rows: Number of rows.
    """

    def choose(total: int) -> float:
        rest = total - rows
        return math.lgamma(total + 1) - math.lgamma(rest + 1)

    return math.exp(choose(rows + samples - outside) - choose(rows + samples))


def radius_tail(scores: np.ndarray) -> np.ndarray:
    """Return how probable a normal vector is farther from the origin, `[N]`.

    Args:
        scores: Vectors, `[N, D]`.
    """
    half = 0.5 * np.sum(np.square(scores.astype(np.float64)), axis=1)
    size = tf.constant(0.5 * scores.shape[1], tf.float64)
    return tf.math.igammac(size, tf.constant(half)).numpy()
