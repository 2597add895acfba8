"""Orthogonal matrices for layers of a Gaussianization: random ones, and from data.

A matrix `[D, D]` has one direction in each row: `x @ matrix.T` are the projections.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["haar", "ica", "neighbours", "pca", "polar"]

# Steps with the contrast that suits each direction, after those with one for all.
REFINEMENTS = 3
# Directions whose error has a variance above this stay where they are.
UNKNOWN = 0.01


def polar(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix `[K, D]` of orthonormal rows nearest to one with `K <= D`."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def haar(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return an orthogonal matrix from the uniform distribution over all of them.

    Args:
        size: Number of coordinates `D`.
        rng: Source of randomness.

    References:
        Mezzadri (2007). How to generate random matrices from the classical compact
        groups. https://arxiv.org/abs/math-ph/0609050
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return (q * np.sign(np.diagonal(r))).T


def pca(covariance: np.ndarray) -> np.ndarray:
    """Return the principal directions, those of the largest variance first.

    Args:
        covariance: `[D, D]`, which merges over shards by sums of products.
    """
    return np.linalg.eigh(covariance)[1][:, ::-1].T


def neighbours(
    height: int, width: int, *, axis: int = 1, offset: int = 0
) -> np.ndarray:
    """Return the rotation of pairs of neighbouring pixels by 45 degrees.

    A local rotation of images: each pixel belongs to one pair and becomes the sum or
    the difference of both, divided by the root of 2; pixels left over stay.

    Args:
        height: Rows of an image.
        width: Columns; the events are images `[height, width]`, row by row.
        axis: Whether neighbours lie below each other, 0, or side by side, 1.
        offset: Where the first pair starts, 0 or 1.

    Returns:
        Orthogonal matrix, `[height * width, height * width]`.
    """
    size = height * width
    grid = np.arange(size).reshape(height, width)
    lines = grid if axis == 1 else grid.T
    lines = lines[:, offset:]
    first, second = lines[:, 0:-1:2].ravel(), lines[:, 1::2].ravel()
    out, half = np.eye(size), np.sqrt(0.5)
    out[first, first] = out[first, second] = out[second, second] = half
    out[second, first] = -half
    return out


def ica(
    x: np.ndarray,
    rng: np.random.Generator,
    *,
    start: np.ndarray | None = None,
    max_steps: int = 60,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Return the orthogonal matrix nearest to the independent directions of the data.

    Symmetric FastICA with the contrast `log(cosh(u))`, all directions at once, and a
    few steps with the contrast for each direction that its distribution lets find it
    best: distributions with edges need high powers. Data that are not white are
    whitened without a rotation first, and the matrix that is found is the orthogonal
    one nearest to the product.

    Args:
        x: Data, `[N, D]`.
        rng: Source of randomness.
        start: Orthogonal matrix to start from; `None` for a random one.
        max_steps: Most iterations.
        tolerance: Largest change of a direction's cosine at which to stop.

    References:
        Hyvarinen (1999). Fast and robust fixed-point algorithms for independent
        component analysis. https://doi.org/10.1109/72.761722
        Koldovsky, Tichavsky, Oja (2006). Efficient variant of algorithm FastICA for
        independent component analysis attaining the Cramer-Rao lower bound.
        https://doi.org/10.1109/TNN.2006.875991
    """
    size = x.shape[1]
    centred = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    # Directions without any variance have no components to find.
    values = np.maximum(values, 1e-6 * values[-1] + np.finfo(np.float64).tiny)
    whitener = (vectors / np.sqrt(values)) @ vectors.T
    white = centred @ whitener
    found = haar(size, rng) if start is None else start
    for _ in range(max_steps):
        bent = np.tanh(white @ found.T)
        slope = 1.0 - np.mean(bent * bent, axis=0)
        new = polar(bent.T @ white / len(x) - slope[:, np.newaxis] * found)
        change = np.max(1.0 - np.abs(np.sum(new * found, axis=1)))
        found = new
        if change < tolerance:
            break
    for _ in range(REFINEMENTS):
        found = _refined(white, found)
    return polar(found @ whitener)


def _contrasts(u: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go through derivatives of contrasts, and their own derivatives."""
    bent, square = np.tanh(u), u * u
    yield bent, 1.0 - bent * bent
    bell = np.exp(-0.5 * square)
    yield u * bell, (1.0 - square) * bell
    yield u * square, 3.0 * square
    # Products: powers take several times as long.
    fourth = square * square
    eighth = fourth * fourth
    yield u * eighth, 9.0 * eighth


def _refined(white: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return directions after one step of each with the best contrast for it.

    The best is that of the smallest variance of the direction's error. Directions of
    normal distributions have none: they stay, and move the others least.
    """
    u = (white @ found.T).astype(np.float64, copy=False)
    least = np.full(len(found), UNKNOWN * len(u))
    new = found.astype(np.float64)
    # Powers of outliers may be infinite: those are not the best.
    with np.errstate(all="ignore"):
        for value, slope in _contrasts(u):
            along = np.mean(u * value, axis=0)
            square, mean = np.mean(value * value, axis=0), np.mean(slope, axis=0)
            variance = (square - along**2) / (along - mean) ** 2
            better = variance < least
            step = value.T @ white / len(u) - mean[:, np.newaxis] * found
            step /= (along - mean)[:, np.newaxis]
            new[better], least[better] = step[better], variance[better]
    # Made orthogonal, each angle is a mean of two, weighted by their variances.
    return polar(new / least[:, np.newaxis])
