"""Marginal maps to the normal distribution by quantiles, with fitted tails.

Within the data, the knots of a map are empirical quantiles at regular levels of the
normal distribution; beyond, they are those of generalised Pareto tails fitted to
exceedances.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["affine_knots", "fit_pareto", "harmonic_slopes", "quantile_knots"]

# Levels of the normal distribution beyond which maps are straight. Tails with an end
# become straight already where one row of this many times the data is expected.
OUTER_LEVEL, LIGHT_ROWS = 5.0, 2.0
# Exceedances of which a tail is fitted: a share of the rows, with bounds.
TAIL_SHARE, TAIL_ROWS = 0.04, (12, 400)
# Of the tails: negative shapes have an end, those from 1/2 on no variance.
SHAPES = (-0.9, 0.6)
# Shapes are shrunk towards the exponential tail by so many prior exceedances.
PRIOR_ROWS = 10.0
# In standard deviations of the normal distribution per standard deviation of the data.
STEEPEST_TAIL = 12.0
# Smallest bin relative to the spread, for data with ties.
MIN_BIN = 1e-6


def affine_knots(
    loc: np.ndarray, scale: np.ndarray, num_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the knots of `z = (x - loc) / scale`.

    Args:
        loc: Location of each feature, `[D]`.
        scale: Scale of each feature, `[D]`.
        num_bins: Number of bins `K`.

    Returns:
        Positions, values, and log-slopes, each `[D, K + 1]`.
    """
    values = np.linspace(-OUTER_LEVEL, OUTER_LEVEL, num_bins + 1)
    values = np.broadcast_to(values, [len(loc), num_bins + 1])
    log_slopes = np.zeros_like(values) - np.log(scale)[:, np.newaxis]
    return loc[:, np.newaxis] + scale[:, np.newaxis] * values, values, log_slopes


def harmonic_slopes(x_knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return logs of slopes at knots: those of the neighbouring bins, averaged.

    The average is the geometric one with the weights that are exact for a parabola of
    the logarithm; end knots take the slope of their bin.

    Args:
        x_knots: `[D, K + 1]`, increasing.
        values: `[D, K + 1]`, increasing.

    Returns:
        Log-slopes, `[D, K + 1]`.
    """
    widths, heights = np.diff(x_knots), np.diff(values)
    secants = np.log(heights) - np.log(widths)
    left = heights[:, 1:] / (heights[:, 1:] + heights[:, :-1])
    inner = left * secants[:, :-1] + (1.0 - left) * secants[:, 1:]
    return np.concatenate([secants[:, :1], inner, secants[:, -1:]], axis=1)


def fit_pareto(exceedances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit generalised Pareto distributions to exceedances, of all features at once.

    Args:
        exceedances: Distances beyond a threshold in increasing order, `[M, D]`.

    Returns:
        Shapes and scales, each `[D]`, by probability-weighted moments.

    References:
        Hosking, Wallis (1987). Parameter and quantile estimation for the generalized
        Pareto distribution. https://doi.org/10.2307/1269343
    """
    rows = len(exceedances)
    above = 1.0 - (np.arange(rows)[:, np.newaxis] + 0.65) / rows
    first = exceedances.mean(axis=0)
    second = np.mean(above * exceedances, axis=0)
    rest = np.maximum(first - 2.0 * second, 1e-12 * first)
    shape = 2.0 - first / np.where(rest > 0, rest, 1.0)
    shape = np.clip(shape * rows / (rows + PRIOR_ROWS), *SHAPES)
    # The scale that keeps the mean under the shape that was shrunk.
    return np.where(np.abs(shape) < 1e-6, 1e-6, shape), first * (1.0 - shape)


def _tail(
    exceedances: np.ndarray, threshold: float, share: float, rows: int, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return levels and distances of the knots beyond a threshold, `[D, L]` each."""
    shape, scale = fit_pareto(exceedances)
    straight = -float(tf.math.ndtri(tf.constant(1.0 / (LIGHT_ROWS * rows), tf.float64)))
    straight = min(max(straight, threshold + 0.1), OUTER_LEVEL)
    end = np.where(shape > 0, OUTER_LEVEL, straight)
    parts = np.arange(1, number + 1) / number
    levels = threshold + (end - threshold)[:, np.newaxis] * parts
    exceed = normal.tails(tf.constant(levels))[1].numpy() / share
    shape, scale = shape[:, np.newaxis], scale[:, np.newaxis]
    return levels, scale * np.expm1(-shape * np.log(exceed)) / shape


def quantile_knots(
    x: np.ndarray, num_inner: int, num_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the knots of a map to the normal distribution through empirical quantiles.

    Args:
        x: Data in increasing order along the rows, `[N, D]`.
        num_inner: Number of bins between the thresholds of both tails.
        num_bins: Number of all bins `K`; the rest is divided between the tails.

    Returns:
        Positions, values, and log-slopes, each `[D, K + 1]`.
    """
    rows = len(x)
    in_tail = int(np.clip(TAIL_SHARE * rows, *TAIL_ROWS))
    in_tail = max(2, min(in_tail, rows // 4))
    share = in_tail / rows
    threshold = -float(tf.math.ndtri(tf.constant(share, tf.float64)))
    inner = np.linspace(-threshold, threshold, num_inner + 1)
    below, _ = (t.numpy() for t in normal.tails(tf.constant(inner)))
    # Between the two order statistics whose mean levels enclose the level.
    position = np.clip(below * rows - 0.5, 0, rows - 1)
    index = np.minimum(position.astype(int), rows - 2)
    part = (position - index)[:, np.newaxis]
    middle = (1 - part) * x[index] + part * x[index + 1]
    count = (num_bins - num_inner) // 2
    tail = (threshold, share, rows)
    lower = np.maximum(middle[0] - x[:in_tail][::-1], 0.0)
    upper = np.maximum(x[rows - in_tail :] - middle[-1], 0.0)
    down, below = _tail(lower, *tail, count)
    up, above = _tail(upper, *tail, num_bins - num_inner - count)
    inner = np.broadcast_to(inner, [x.shape[1], num_inner + 1])
    values = np.concatenate([-down[:, ::-1], inner, up], axis=1)
    middle = middle.T
    knots = np.concatenate(
        [middle[:, :1] - below[:, ::-1], middle, middle[:, -1:] + above], axis=1
    )
    spread = x[-1] - x[0]
    spread = np.where(spread > 0, spread, 1.0)[:, np.newaxis]
    # Ties give bins of no width: each knot is at least a little above the last one.
    ramp = MIN_BIN * spread * np.arange(num_bins + 1)
    knots = np.maximum.accumulate(knots - ramp, axis=1) + ramp
    knots += MIN_BIN * spread * 1e-3 * np.arange(num_bins + 1)
    log_slopes = harmonic_slopes(knots, values)
    # Straight tails steeper than this would make huge levels of points outside.
    steepest = np.log(STEEPEST_TAIL / np.maximum(x.std(axis=0), 1e-3 * spread[:, 0]))
    for end in (0, -1):
        log_slopes[:, end] = np.minimum(log_slopes[:, end], steepest)
    return knots, values, log_slopes
