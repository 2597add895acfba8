"""Directions in which data are farthest from the normal distribution.

The distance is the squared Wasserstein distance in one dimension, summed over `K`
orthonormal directions; its optimal map is taken from counts on a regular grid, so that
nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfp_flows.math import normal
from tfp_flows.math.gaussianization import histograms
from tfp_flows.math.linear import rotations

__all__ = ["complete", "directions", "displacement", "pair_directions"]

NUM_CELLS = 128


def displacement(
    u: np.ndarray, half_width: float, num_cells: int = NUM_CELLS
) -> np.ndarray:
    """Return `u - T(u)`, where `T` is the optimal map of a column to a normal one.

    Args:
        u: Projections, `[N, K]`.
        half_width: Of the grid.
        num_cells: Cells of the grid.

    Returns:
        `[N, K]`, whose mean square is the squared Wasserstein distance.
    """
    counts = histograms.histogram(u, -half_width, half_width, num_cells)
    # The map at the middle of each cell: half of the cell lies below it.
    below = (np.cumsum(counts, axis=1) - 0.5 * counts) / len(u)
    half = 0.5 / len(u)
    below = np.clip(below, half, 1.0 - half)
    centres = (np.arange(num_cells) + 0.5) * (2.0 * half_width / num_cells) - half_width
    target = normal.quantiles_of_arrays(below, 1.0 - below)
    table = centres - target
    scale = num_cells / (2.0 * half_width)
    position = np.clip((u + half_width) * scale - 0.5, 0.0, num_cells - 1.001)
    index = position.astype(np.intp)
    part = position - index
    index += num_cells * np.arange(u.shape[1])
    flat = table.ravel()
    left = flat[index]
    return left + part * (flat[index + 1] - left)


def directions(
    x: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 40,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Return orthonormal directions of a large sliced Wasserstein distance.

    Ascent on the Stiefel manifold: a step along the gradient, then the nearest
    orthonormal directions.

    Args:
        x: Data, nearly normal, `[N, D]`.
        count: Number of directions `K`, at most `D`.
        rng: Source of the first directions.
        max_steps: Most steps.
        tolerance: Relative gain at which to stop.

    Returns:
        `[K, D]`.

    References:
        Dai, Seljak (2021). Sliced Iterative Normalizing Flows.
        https://arxiv.org/abs/2007.00674, algorithm 1
    """
    half_width = max(4.0, float(np.quantile(np.abs(x), 0.9999)) * 1.5)

    def distance(found: np.ndarray) -> tuple[float, np.ndarray]:
        moved = displacement(x @ found.T, half_width)
        return float(np.mean(np.sum(moved * moved, axis=1))), moved.T @ x / len(x)

    start = rotations.haar(x.shape[1], rng)[:count]
    return _climb(distance, start, max_steps, tolerance)


def pair_directions(
    x: np.ndarray,
    y: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 40,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Return orthonormal directions along which two samples are far apart.

    Args:
        x: One sample, `[N, D]`.
        y: The other, `[N, D]`: the optimal map of a direction pairs ranks.
        count: Number of directions `K`, at most `D`.
        rng: Source of the first directions.
        max_steps: Most steps.
        tolerance: Relative gain at which to stop.

    Returns:
        `[K, D]`.

    References:
        Dai, Seljak (2021). Sliced Iterative Normalizing Flows.
        https://arxiv.org/abs/2007.00674, algorithm 1
    """

    def distance(found: np.ndarray) -> tuple[float, np.ndarray]:
        u, v = x @ found.T, y @ found.T
        orders = np.argsort(u, axis=0), np.argsort(v, axis=0)
        moved = np.take_along_axis(u, orders[0], 0)
        moved -= np.take_along_axis(v, orders[1], 0)
        pulls = []
        for order, points in zip(orders, (x, y), strict=True):
            by_point = np.empty_like(moved)
            np.put_along_axis(by_point, order, moved, 0)
            pulls.append(by_point.T @ points / len(points))
        return float(np.mean(np.sum(moved * moved, axis=1))), pulls[0] - pulls[1]

    start = rotations.haar(x.shape[1], rng)[:count]
    return _climb(distance, start, max_steps, tolerance)


def _climb(
    distance: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    max_steps: int,
    tolerance: float,
) -> np.ndarray:
    """Return directions of a large distance, which comes with its gradient."""
    found = best = start
    best_distance, rate = -np.inf, 1.0
    gradient = np.zeros_like(start)
    for _ in range(max_steps):
        value, slope = distance(found)
        if value > best_distance:
            done = value < best_distance * (1.0 + tolerance)
            best, best_distance = found, value
            gradient = slope / (np.linalg.norm(slope, axis=1, keepdims=True) + 1e-300)
            if done:
                break
        else:
            rate *= 0.5
            if rate < 0.05:
                break
        found = rotations.polar(best + rate * gradient)
    return best


def complete(partial: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an orthogonal matrix whose first rows are the given ones.

    Args:
        partial: Orthonormal directions, `[K, D]`.
        rng: Source of the other ones.
    """
    count, size = partial.shape
    if count == size:
        return partial
    rest = rng.normal(size=(size - count, size))
    rest -= rest @ partial.T @ partial
    return np.concatenate([partial, np.linalg.qr(rest.T)[0].T])
