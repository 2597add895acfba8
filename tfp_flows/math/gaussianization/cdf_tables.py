"""CDF tables on a regular grid, with both tails kept, and Gaussian tails beyond.

A table holds the probability of each cell and of what lies below and above the grid.
Both the CDF and the survival function are interpolated, by TFP's
`batch_interp_regular_1d_grid`, so that each half of the distribution uses its smaller
tail. The density is a step function; see `tables` for splines, whose density is
continuous.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.math import normal
from tfp_flows.math.splines import tables

__all__ = ["gaussianize", "log_masses", "log_masses_at", "sample_map"]

# Of the mass of the grid: what each outer cell has at least.
LEAST_MASS = 1e-7
# Of that, what a cell has above it, so that its log is finite.
THINNEST = 1e-3


def log_masses(counts: np.ndarray, pseudo_counts: float = 0.5) -> np.ndarray:
    """Return the logs of the probabilities of cells, the two outer ones included.

    Args:
        counts: Counts of the cells of the grid, `[D, G]`.
        pseudo_counts: Added to each cell, and to what lies outside at either side.

    Returns:
        `[D, G + 2]`.
    """
    padded = np.pad(np.asarray(counts, np.float64), [(0, 0), (1, 1)]) + pseudo_counts
    return np.log(padded / padded.sum(axis=1, keepdims=True))


def log_masses_at(levels: np.ndarray) -> np.ndarray:
    """Return the log-masses of the table whose edges have given normal levels.

    Args:
        levels: Levels of the edges of the grid, increasing, `[D, G + 1]`.

    Returns:
        `[D, G + 2]`; cells thinner than what a table can hold count as such.
    """
    below, above = (t.numpy() for t in normal.tails(tf.constant(levels, tf.float64)))
    inner = np.where(levels[:, 1:] < 0.0, np.diff(below), -np.diff(above))
    masses = np.concatenate([below[:, :1], inner, above[:, -1:]], axis=1)
    free = (masses - LEAST_MASS) / (1.0 - LEAST_MASS * masses.shape[1])
    return np.log(np.maximum(free, THINNEST * LEAST_MASS))


def _levels(log_masses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return CDF, survival and normal levels at the edges, `[D, G + 1]` each."""
    masses = tf.nn.softmax(log_masses, axis=-1)
    masses = LEAST_MASS + masses * (1.0 - LEAST_MASS * log_masses.shape[-1])
    below = tf.cumsum(masses, axis=-1)[:, :-1]
    above = tf.cumsum(masses, axis=-1, reverse=True)[:, 1:]
    return below, above, normal.quantile(below, above)


def _tail_slopes(
    levels: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the slopes beyond the grid: a tenth of its mean slope, or the end cell's.

    The steeper of the two, so that a thin end cell makes no tail of huge width.
    """
    cells = levels.shape[-1] - 1
    width = (high - low) / cells
    mean = 0.1 * (levels[:, -1] - levels[:, 0]) / (high - low)
    first = (levels[:, 1] - levels[:, 0]) / width
    last = (levels[:, -1] - levels[:, -2]) / width
    return tf.maximum(first, mean), tf.maximum(last, mean)


def gaussianize(
    x: tf.Tensor, low: tf.Tensor, high: tf.Tensor, log_masses: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Make each feature normal: CDF table, then the inverse normal CDF.

    Args:
        x: Positions, `[..., D]`.
        low: Where the grid starts, `[D]`.
        high: Where it ends, `[D]`.
        log_masses: Logs of the probabilities, `[D, G + 2]`, up to a constant.

    Returns:
        Levels of the normal distribution and log-derivatives, both `[..., D]`.
    """
    below, above, levels = _levels(log_masses)
    slopes = _tail_slopes(levels, low, high)
    inside = tf.clip_by_value(x, low, high)
    shape = tf.shape(inside)
    rows = tf.transpose(tf.reshape(inside, [-1, low.shape[0]]))
    cdf, survival = (
        tf.reshape(
            tf.transpose(
                tfp.math.batch_interp_regular_1d_grid(rows, low, high, table, axis=-1)
            ),
            shape,
        )
        for table in (below, above)
    )
    z = normal.quantile(cdf, survival)
    cells = levels.shape[-1] - 1
    width = (high - low) / cells
    position = tf.clip_by_value((inside - low) / width, 0.0, float(cells - 1))
    # Casting NaN is undefined: it takes the first cell.
    position = tf.where(tf.math.is_nan(position), tf.zeros_like(position), position)
    mass = tables.pick(below[:, 1:] - below[:, :-1], tf.cast(position, tf.int32))
    mass_above = tables.pick(above[:, :-1] - above[:, 1:], tf.cast(position, tf.int32))
    mass = tf.where(cdf < survival, mass, mass_above)
    log_det = tf.math.log(mass / width) - normal.log_prob(z)
    return _with_tails(x, (low, high), levels, slopes, z, log_det)


def _with_tails(
    value: tf.Tensor,
    ends: tuple[tf.Tensor, tf.Tensor],
    levels: tf.Tensor,
    slopes: tuple[tf.Tensor, tf.Tensor],
    z: tf.Tensor,
    log_det: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    zero = tf.zeros_like(value)
    for outside, end, level, slope in (
        (value < ends[0], ends[0], levels[:, 0], slopes[0]),
        (value > ends[1], ends[1], levels[:, -1], slopes[1]),
    ):
        step = tf.where(outside, value - end, zero)
        z = tf.where(outside, level + slope * step, z)
        log_det = tf.where(outside, tf.math.log(slope) + zero, log_det)
    return tf.where(tf.math.is_nan(value), value, z), log_det


def sample_map(
    z: tf.Tensor, low: tf.Tensor, high: tf.Tensor, log_masses: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `gaussianize`, by the same table with its axes swapped.

    Args:
        z: Levels of the normal distribution, `[..., D]`.
        low: See `gaussianize`.
        high: See `gaussianize`.
        log_masses: See `gaussianize`.

    Returns:
        Positions and log-derivatives, both `[..., D]`.
    """
    below, above, levels = _levels(log_masses)
    slopes = _tail_slopes(levels, low, high)
    inside = tf.clip_by_value(z, levels[:, 0], levels[:, -1])
    index = tables.bin_index(inside, levels)
    cdf, survival = normal.tails(inside)
    lower = cdf < survival
    start, end = (
        tf.where(lower, tables.pick(below, i), tables.pick(above, i))
        for i in (index, index + 1)
    )
    part = (tf.where(lower, cdf, survival) - start) / (end - start)
    part = tf.clip_by_value(part, 0.0, 1.0)
    width = (high - low) / (levels.shape[-1] - 1)
    x = low + width * (tf.cast(index, z.dtype) + part)
    log_det = normal.log_prob(inside) - tf.math.log(tf.abs(end - start) / width)
    zero = tf.zeros_like(z)
    for outside, place, level, slope in (
        (z < levels[:, 0], low, levels[:, 0], slopes[0]),
        (z > levels[:, -1], high, levels[:, -1], slopes[1]),
    ):
        step = tf.where(outside, z - level, zero)
        x = tf.where(outside, place + step / slope, x)
        log_det = tf.where(outside, -tf.math.log(slope) + zero, log_det)
    return tf.where(tf.math.is_nan(z), z, x), log_det
