"""Orthogonal matrices for layers of a Gaussianization: random ones, and from data.

A matrix `[D, D]` has one direction in each row: `x @ matrix.T` are the projections.
"""

from __future__ import annotations

import numpy as np

__all__ = ["haar", "ica", "pca", "polar"]


def polar(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix `[K, D]` of orthonormal rows nearest to one with `K <= D`."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def haar(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return an orthogonal matrix from the uniform law over all of them.

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


def ica(
    x: np.ndarray,
    rng: np.random.Generator,
    *,
    start: np.ndarray | None = None,
    max_steps: int = 60,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Return the orthogonal matrix nearest to the independent directions of the data.

    Symmetric FastICA with the contrast `log(cosh(u))`, all directions at once. Data
    that are not white are whitened without a rotation first, and the matrix that is
    found is the orthogonal one nearest to the product.

    Args:
        x: Data, `[N, D]`.
        rng: Source of randomness.
        start: Orthogonal matrix to start from; `None` for a random one.
        max_steps: Most iterations.
        tolerance: Largest change of a direction's cosine at which to stop.

    References:
        Hyvarinen (1999). Fast and robust fixed-point algorithms for independent
        component analysis. https://doi.org/10.1109/72.761722
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
    return polar(found @ whitener)
