"""Points over which the density of a cell is averaged."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["lattice"]

# Of many lattices, so many are compared.
TRIED = 512


def _korobov(count: int, size: int, step: int) -> np.ndarray:
    powers = [pow(step, j, count) for j in range(size)]
    return np.arange(count)[:, np.newaxis] * np.array(powers) % count / count


def _error(points: np.ndarray) -> float:
    """Return the worst error over periodic functions with two mixed derivatives."""
    bernoulli = points * points - points + 1.0 / 6.0
    return float(np.prod(1.0 + 2.0 * np.pi**2 * bernoulli, axis=1).mean())


def _prime(count: int) -> int:
    """Return the largest prime number up to a count."""
    return next(n for n in range(count, 1, -1) if all(n % d for d in range(2, n)))


@functools.lru_cache(maxsize=32)
def _even(count: int, size: int) -> np.ndarray:
    """Return points that fill the unit torus evenly, `[count, size]`."""
    if size < 2:
        return np.repeat((np.arange(count)[:, np.newaxis] + 0.5) / count, size, axis=1)
    count = _prime(count)
    last = max(1, count // 2 - 1)
    steps = np.unique(np.linspace(1, last, min(last, TRIED)).astype(int)).tolist()
    tried = (_korobov(count, size, step) for step in steps)
    # By a part of a step, so that no point lies on the surface.
    return (min(tried, key=_error) + 0.25 / count) % 1.0


def lattice(count: int, ends: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed points that fill the unit cube, none on its surface, and weights.

    The best Korobov lattice, behind a map that makes functions periodic: their mean
    then has an error that falls with the square of the number of points, and faster for
    smooth functions. Where functions may be infinite at the ends, it is the map of
    Sidi, `t = s - sin(2 pi s) / (2 pi)`; the tent map elsewhere, without weights.

    Args:
        count: Number of points; beyond one coordinate the next prime number below.
        ends: For each coordinate, whether functions may be infinite at its ends.

    Returns:
        Points `[count, size]` in (0, 1), and their weights `[count]`, whose sum is 1.

    References:
        Hickernell (2002). Obtaining O(N^(-2+e)) convergence for lattice quadrature
        rules. https://doi.org/10.1007/978-3-642-56046-0_18
        Sidi (1993). A new variable transformation for numerical integration.
        https://doi.org/10.1007/978-3-0348-6338-4_27
    """
    size = len(ends)
    if size == 0 or count == 1:
        return np.full([1, size], 0.5), np.ones(1)
    even = _even(count, size)
    steep = np.array(ends)
    tent = even if size == 1 else 1.0 - np.abs(2.0 * even - 1.0)
    smooth = even - np.sin(2.0 * np.pi * even) / (2.0 * np.pi)
    factors = np.where(steep, 1.0 - np.cos(2.0 * np.pi * even), 1.0)
    weights = np.prod(factors, axis=1)
    return np.where(steep, smooth, tent), weights / weights.sum()
