"""Conditional means and scales given one coordinate, from sums over its cells.

A layer of one-dimensional marginals is blind to a variance that depends on another
coordinate. A conditional affine layer sees it: functions of one coordinate shift and
scale all others. A fit needs only counts, sums and sums of squares in the cells of that
one, for each fold: they merge by a sum.
"""

from __future__ import annotations

import numpy as np

__all__ = ["MAX_LOG_SCALE", "choose", "screen", "sums"]

# Bandwidths in cells.
BANDWIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)
# Prior rows at mean 0 and variance 1, within the width of the kernel.
PSEUDO_ROWS = 4.0
MAX_LOG_SCALE = 4.0
# Values beyond do not count when coordinates are screened by moments.
SCREEN_BOUND = 4.0


def sums(
    u: np.ndarray, cells: np.ndarray, folds: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Return counts, sums, and sums of squares by fold and cell.

    Args:
        u: Coordinates, `[N, D]`.
        cells: Cell of each row, `[N]`.
        folds: Fold of each row, `[N]`.
        shape: Numbers of folds and of cells, `(F, G)`.

    Returns:
        `[F, G, 1 + 2 * D]`, which add up over shards.
    """
    key = folds * shape[1] + cells
    order = np.argsort(key, kind="stable")
    ones = np.ones([len(u), 1])
    parts = np.concatenate([ones, u, np.square(u, dtype=np.float64)], axis=1)[order]
    filled, first = np.unique(key[order], return_index=True)
    out = np.zeros([shape[0] * shape[1], parts.shape[1]])
    if len(filled):
        out[filled] = np.add.reduceat(parts, first, axis=0)
    return out.reshape(*shape, -1)


def _estimate(total: np.ndarray, smoother: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return smoothed means and log-scales, `[..., G, D]` each."""
    smooth = smoother @ total
    size = total.shape[-1] // 2
    rows = smooth[..., :1] + PSEUDO_ROWS
    mean = smooth[..., 1 : size + 1] / rows
    square = (smooth[..., size + 1 :] + PSEUDO_ROWS) / rows
    floor = np.exp(-2.0 * MAX_LOG_SCALE)
    log_scale = 0.5 * np.log(np.maximum(square - np.square(mean), floor))
    return mean, np.minimum(log_scale, MAX_LOG_SCALE)


def _gains(counted: np.ndarray, mean: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
    """Return the gain of likelihood of each coordinate, in nats, `[..., D]`."""
    size = counted.shape[-1] // 2
    rows, first, second = np.split(counted, [1, size + 1], axis=-1)
    residual = second - 2.0 * mean * first + np.square(mean) * rows
    change = 0.5 * second - 0.5 * residual * np.exp(-2.0 * log_scale) - rows * log_scale
    return np.sum(change, axis=-2)


def choose(
    counted: np.ndarray, penalty: float = 1.0
) -> tuple[np.ndarray, np.ndarray, float]:
    """Choose the smoothness of each coordinate's functions by folds held out.

    Args:
        counted: What `sums` returns, of the coordinates that are shifted.
        penalty: A candidate must gain this many times its standard error.

    Returns:
        Means and log-scales at the cells, `[G, D]`, zeros where nothing gains, and the
        sum of the gains held out, in nats per row.
    """
    total = counted.sum(axis=0)
    num_cells, width = total.shape
    size = width // 2
    rows = max(float(total[:, 0].sum()), 1.0)
    best = np.zeros(size)
    means, log_scales = np.zeros([2, num_cells, size])
    distance = np.arange(num_cells)[:, np.newaxis] - np.arange(num_cells)
    for bandwidth in BANDWIDTHS:
        smoother = np.exp(-0.5 * np.square(distance / bandwidth))
        gains = _gains(counted, *_estimate(total - counted, smoother))
        error = gains.std(axis=0, ddof=1) * np.sqrt(len(gains))
        gain = (gains.sum(axis=0) - penalty * error) / rows
        better = gain > best
        best = np.where(better, gain, best)
        mean, log_scale = _estimate(total, smoother)
        means = np.where(better, mean, means)
        log_scales = np.where(better, log_scale, log_scales)
    return means, log_scales, float(np.sum(best))


def screen(u: np.ndarray) -> np.ndarray:
    """Return what functions of each coordinate promise to gain, in nats, `[D]`.

    The first terms of the gain in Hermite polynomials of that coordinate: all pairs by
    a few matrix products.

    Args:
        u: Coordinates near zero mean and unit variance, `[N, D]`.
    """
    u = np.clip(u, -SCREEN_BOUND, SCREEN_BOUND)
    square = np.square(u) - 1.0
    cubic = u * (square - 2.0)
    promise = np.zeros([u.shape[1], u.shape[1]])
    for share, polynomials, targets in (
        (0.5, (u, square, cubic), u),
        (0.25, (u, square), square),
    ):
        for polynomial in polynomials:
            scale = polynomial.std(axis=0) + 1e-9
            moment = (polynomial - polynomial.mean(axis=0)).T @ targets / len(u)
            promise += share * np.square(moment / scale[:, np.newaxis])
    np.fill_diagonal(promise, 0.0)
    return np.sum(promise, axis=1)
