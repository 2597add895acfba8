"""The generalised Pareto distribution of the largest weights of a sample.

A share `(1 + k * y / s) ** (-1 / k)` of the exceedances over a high threshold lies
above `y`, with shape `k` and scale `s`. Moments of order `1 / k` and above are
infinite: means of weights with `k` above 0.7 cannot be relied on at any practical
number of draws, and from 1 on they do not exist.

Functions take and return NumPy arrays in float64: the tail of a sample is short.

References:
    Zhang, Stephens (2009). A New and Efficient Estimation Method for the Generalized
    Pareto Distribution. https://doi.org/10.1198/tech.2009.08017
    Vehtari, Simpson, Gelman, Yao, Gabry (2024). Pareto Smoothed Importance Sampling.
    https://arxiv.org/abs/1507.02646
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["fit", "quantile", "smooth", "tail_size"]

# Weight of the prior on the grid of Zhang and Stephens, section 4.
GRID_PRIOR = 3.0
# Shapes are drawn to 1/2 as if by so many exceedances: Vehtari et al., appendix.
PRIOR_COUNT = 10.0
PRIOR_SHAPE = 0.5
# A shape cannot be told from fewer exceedances.
FEWEST = 5
# Exceedances over a threshold may underflow: the smallest is a normal number.
TINY = float(np.finfo(np.float64).tiny)
# Means of exponents below this are zero: the distribution is the exponential one.
FLAT = 1e-12


def tail_size(count: int, relative_efficiency: float = 1.0) -> int:
    """Return how many of the largest weights make the tail.

    Args:
        count: Number of weights.
        relative_efficiency: Effective size of the draws over their number, below 1 for
            draws of a Markov chain.
    """
    wide = math.ceil(3.0 * math.sqrt(count / relative_efficiency))
    return min(count // 5, wide)


def fit(exceedances: Any) -> tuple[float, float]:
    """Estimate shape and scale: the posterior mean over a grid of a profile likelihood.

    The shape is drawn a little to 1/2, which takes noise from short tails.

    Args:
        exceedances: Positive numbers, how far values are above a threshold, `[M]`.

    Returns:
        Shape `k` and scale; `-inf` and `nan` where all are equal, `inf` and `nan` for
        fewer than 5 of them.
    """
    x = np.sort(np.maximum(np.asarray(exceedances, np.float64), TINY))
    count = len(x)
    if count < FEWEST:
        return math.inf, math.nan
    if x[-1] == x[0]:
        return -math.inf, math.nan
    size = 30 + math.isqrt(count)
    quartile = x[int(count / 4.0 + 0.5) - 1]
    steps = 1.0 - np.sqrt(size / (np.arange(1.0, size + 1.0) - 0.5))
    theta = 1.0 / x[-1] + steps / (GRID_PRIOR * quartile)
    theta = theta[np.abs(theta) > FLAT / x[-1]]
    shapes = np.mean(np.log1p(-theta[:, None] * x), axis=1)
    profile = count * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(profile - profile.max())
    best = float(np.sum(weights * theta) / np.sum(weights))
    if abs(best) < FLAT / x[-1]:
        shape, scale = 0.0, float(np.mean(x))
    else:
        shape = float(np.mean(np.log1p(-best * x)))
        scale = -shape / best
    prior = PRIOR_COUNT * PRIOR_SHAPE
    return (count * shape + prior) / (count + PRIOR_COUNT), scale


def quantile(p: Any, shape: float, scale: float) -> np.ndarray:
    """Return the values below which shares `p` of the distribution lie."""
    tail = -np.log1p(-np.asarray(p, np.float64))
    if abs(shape) < FLAT:
        return scale * tail
    return scale * np.expm1(shape * tail) / shape


def smooth(
    log_weights: Any, relative_efficiency: float = 1.0
) -> tuple[np.ndarray, float]:
    """Replace the largest weights by quantiles of the distribution fitted to them.

    Args:
        log_weights: Logarithms of weights, up to a constant, `[N]`; `-inf` is weight 0.
        relative_efficiency: See `tail_size`.

    Returns:
        The logarithms of the smoothed weights, `[N]`, none above the largest given
        one, and the shape `k` of the tail: `-inf` for weights that are all equal, `inf`
        where fewer than 5 are in the tail.
    """
    given = np.asarray(log_weights, np.float64)
    top = given.max(initial=-math.inf)
    positive = int(np.count_nonzero(given > -math.inf))
    size = min(positive, tail_size(len(given), relative_efficiency))
    if size < FEWEST:
        return given.copy(), math.inf
    order = np.argpartition(given, len(given) - size - 1)
    tail = order[-size:]
    tail = tail[np.argsort(given[tail], kind="stable")]
    cutoff = np.exp(given[order[-size - 1]] - top)
    exceedances = np.exp(given[tail] - top) - cutoff
    shape, scale = fit(exceedances)
    out = given.copy()
    if math.isfinite(shape):
        levels = (np.arange(size) + 0.5) / size
        with np.errstate(over="ignore", divide="ignore"):
            smoothed = np.log(quantile(levels, shape, scale) + cutoff)
        out[tail] = top + np.minimum(smoothed, 0.0)
    return out, shape
