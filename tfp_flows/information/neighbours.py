"""What a fitted density has missed, by nearest neighbours in its base space.

A fit that is too smooth leaves structure in the base values `z` of rows that it has not
seen: their distribution `p` is not quite the base density `b`. The mean of `log p(z) -
log b(z)` is what the log-likelihood of these rows falls short of the truth. Distances
to nearest neighbours estimate `log p(z)`, and do so well where they are worst in the
space of the data: there is neither a sharp ridge nor a heavy tail left, and the bias
that they have for a distribution as simple as the base is known from draws of the base
itself.

References:
    Kozachenko, Leonenko (1987). Sample estimate of the entropy of a random vector.
    Ao, Li (2023). Entropy estimation via uniformization.
    https://arxiv.org/abs/2304.09700
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["FEW", "Residual", "residual"]

# Dimensions up to which neighbours are near enough to see all there is.
FEW = 3

# Neighbours whose distance counts, and those of the coarser look: twice the distance in
# the plane. Fewer are noisier, more see less.
NEAR, COARSE = 6, 24
# Pairs of rows that are compared: bounds the time, by fewer rows that are looked from.
MAX_PAIRS = 2**29
# Pairs at once: bounds the memory.
BLOCK_PAIRS = 2**22
# Draws of the normal distribution that the bias is taken from.
NULL_DRAWS = 4
# Fewer rows tell nothing.
MIN_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Residual:
    """What a density has missed at some rows.

    Attributes:
        rows: `log p(z) - log b(z)` of each row, `[N]`; the mean of the others at rows
            that were not looked from.
        variance: Variance of their mean, from noise of the neighbours and the draws.
        unseen: By how much the mean would grow, were there neighbours at distance 0:
            what coarse and near ones differ by beyond noise, extrapolated.
    """

    rows: np.ndarray
    variance: float
    unseen: float


@functools.lru_cache(maxsize=16)
def _search(size: int) -> tf.types.experimental.PolymorphicFunction:
    """Return the function that finds squared distances, traced once for each size."""
    rows = tf.TensorSpec([None, size], tf.float64)

    def search(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        square = tf.reduce_sum(x**2, axis=1)[:, tf.newaxis] + tf.reduce_sum(
            y**2, axis=1
        )
        distance = square - 2.0 * tf.matmul(x, y, transpose_b=True)
        # The nearest of all is the row itself.
        nearest = -tf.math.top_k(-distance, COARSE + 1).values
        return tf.gather(nearest, [NEAR, COARSE], axis=1)

    return tf.function(search, autograph=False, input_signature=[rows, rows])


def _log_density(z: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return rows that were looked from, `[Q]`, and log-densities there, `[Q, 2]`.

    The second axis is that of near and coarse neighbours.
    """
    count, size = z.shape
    queries = min(count, max(MAX_PAIRS // count, 1))
    index = np.sort(rng.permutation(count)[:queries])
    every, block = tf.constant(z), max(BLOCK_PAIRS // count, 1)
    squares = [
        _search(size)(tf.constant(z[index[start : start + block]]), every).numpy()
        for start in range(0, queries, block)
    ]
    # Equal rows have no distance; the dtype tells none below this one.
    smallest = np.finfo(np.float64).eps * np.mean(np.sum(z**2, axis=1))
    log_radius = 0.5 * np.log(np.maximum(np.concatenate(squares), smallest))
    log_ball = 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size + 1.0)
    counts = tf.math.digamma(tf.constant([NEAR, COARSE, count], tf.float64)).numpy()
    return index, counts[:2] - counts[2] - log_ball - size * log_radius


@functools.lru_cache(maxsize=64)
def _bias(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the estimates are too high by at rows of the normal distribution.

    Returns:
        Means and variances of these means, `[2]` each.
    """
    rng = np.random.default_rng(count)
    means = []
    for _ in range(NULL_DRAWS):
        z = rng.normal(size=(count, size))
        index, found = _log_density(z, rng)
        means.append(np.mean(found - _normal_log_prob(z[index])[:, np.newaxis], axis=0))
    return np.mean(means, axis=0), np.var(means, axis=0, ddof=1) / NULL_DRAWS


def _normal_log_prob(z: np.ndarray) -> np.ndarray:
    return -0.5 * np.sum(z**2, axis=1) - z.shape[1] * normal.LOG_NORMALISER


def residual(
    z: np.ndarray, log_base: np.ndarray, rng: np.random.Generator
) -> Residual | None:
    """Estimate what a density has missed at rows that its fit has not seen.

    Args:
        z: Base values of the rows, `[N, D]`.
        log_base: Log-densities that the fit gives these, `[N]`.
        rng: Chooses the rows that are looked from, if they are many.

    Returns:
        The estimate; `None` for fewer than 64 rows.
    """
    count, size = z.shape
    if count < MIN_ROWS:
        return None
    index, found = _log_density(z, rng)
    bias, bias_variance = _bias(count, size)
    near, coarse = (found - log_base[index, np.newaxis] - bias).T
    rows = np.full(count, np.mean(near))
    rows[index] = near
    variance = float(np.var(near) / len(index) + bias_variance[0])
    grown = near - coarse
    noise = math.sqrt(np.var(grown) / len(index) + bias_variance.sum())
    # Missed detail of size r in D dimensions: a share r of the width, r**D of the rows.
    growth = (COARSE / NEAR) ** (1.0 / size) - 1.0
    unseen = max(0.0, float(np.mean(grown)) - 1.64 * noise) / growth
    return Residual(rows, variance, unseen)
