"""Marginal densities from counts, as smooth ratios to the normal density.

A layer of a Gaussianization sees data that are nearly normal. What is smoothed is
therefore not the density but its ratio to the normal one: `r = (S n + a) / (S N e + a)`
with counts `n`, normal cell probabilities `e`, a Gaussian kernel `S` of peak 1 and `a`
pseudo-counts. Wide kernels and few counts lead to `r = 1`, which is "no change". The
bandwidth of each feature is the one whose ratio gains most on counts held out.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["choose", "gaussianize", "kernel", "smooth_ratio"]

# Prior counts, at ratio 1, within the width of the kernel.
PSEUDO_COUNTS = 2.0
# Slopes of a single layer stay within exp(+-4): a layer is no place for atoms.
LOG_SLOPE_BOUND = 4.0


def kernel(edges: np.ndarray, bandwidth: float) -> np.ndarray:
    """Return the Gaussian kernel between the cells of a regular grid, `[G, G]`."""
    centres = 0.5 * (edges[1:] + edges[:-1])
    distance = (centres[:, np.newaxis] - centres) / bandwidth
    return np.exp(-0.5 * distance * distance)


def smooth_ratio(
    counts: np.ndarray, expected: np.ndarray, smoother: np.ndarray
) -> np.ndarray:
    """Return the smoothed ratio of counts to the normal distribution, `[..., G]`.

    Args:
        counts: Counts of each cell, `[..., G]`.
        expected: Normal probability of each cell, `[G]`, summing to 1.
        smoother: Kernel, `[G, G]`.

    Returns:
        Ratios, whose mean under `expected` is 1.
    """
    total = np.sum(counts, axis=-1, keepdims=True)
    above = counts @ smoother + PSEUDO_COUNTS
    out = above / (total * (expected @ smoother) + PSEUDO_COUNTS)
    return out / (out @ expected)[..., np.newaxis]


def choose(
    counts: np.ndarray, edges: np.ndarray, bandwidths: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the bandwidth of each feature by what it gains on folds held out.

    A candidate must gain more than its standard error.

    Args:
        counts: Counts of each fold, `[F, D, G]`.
        edges: Edges of the cells, `[G + 1]`.
        bandwidths: Candidates, in the units of the edges; "no change" is always one.

    Returns:
        Ratios `[D, G]`, ones where nothing gains, and the gains `[D]` held out, in nats
        per row.
    """
    expected = normal.cell_probabilities(edges)
    total = counts.sum(axis=0)
    rows = total.sum(axis=-1)
    best = np.zeros(total.shape[0])
    out = np.ones_like(total)
    for bandwidth in bandwidths:
        smoother = kernel(edges, bandwidth)
        others = smooth_ratio(total - counts, expected, smoother)
        gains = np.sum(counts * np.log(others), axis=-1)
        gain = gains.sum(axis=0) / rows
        error = gains.std(axis=0, ddof=1) * np.sqrt(len(gains)) / rows
        better = gain - error > np.maximum(best, 0.0)
        best = np.where(better, gain - error, best)
        ratio = smooth_ratio(total, expected, smoother)
        out = np.where(better[:, np.newaxis], ratio, out)
    return out, best


def gaussianize(
    ratio: np.ndarray, edges: np.ndarray, step: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the map to a normal at the edges, and the logs of its slopes.

    Args:
        ratio: Density over the normal one in each cell, `[D, G]`.
        edges: Edges of the cells, `[G + 1]`.
        step: Exponent of the ratio, `[D]` or one number: the share of the change.

    Returns:
        Values `[D, G + 1]` and log-slopes `[D, G + 1]`.
    """
    expected = normal.cell_probabilities(edges)
    log_ratio = np.log(ratio) * np.reshape(step, [-1, 1])
    log_ratio -= np.log(np.exp(log_ratio) @ expected)[:, np.newaxis]
    ratio = np.exp(log_ratio)
    below, above = (t.numpy() for t in normal.tails(tf.constant(edges, tf.float64)))
    mass = ratio * np.concatenate(
        [
            [expected[0] - below[0]],
            expected[1:-1],
            [expected[-1] - above[-1]],
        ]
    )
    first, last = ratio[:, :1] * below[0], ratio[:, -1:] * above[-1]
    left = np.cumsum(np.concatenate([first, mass], axis=1), axis=1)
    right = np.cumsum(np.concatenate([mass, last], axis=1)[:, ::-1], axis=1)[:, ::-1]
    values = normal.quantiles_of_arrays(left, right)
    ends = log_ratio[:, :1], log_ratio[:, -1:]
    at_edges = np.concatenate(
        [ends[0], 0.5 * (log_ratio[:, 1:] + log_ratio[:, :-1]), ends[1]], axis=1
    )
    log_slopes = at_edges + 0.5 * (values**2 - edges**2)
    return values, np.clip(log_slopes, -LOG_SLOPE_BOUND, LOG_SLOPE_BOUND)
