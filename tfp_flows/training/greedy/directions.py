"""Directions that a greedy fit looks for: rotations, and features to condition on."""

from __future__ import annotations

import numpy as np

from tfp_flows.math.gaussianization import conditional_affine, sliced
from tfp_flows.math.linear import rotations
from tfp_flows.training.greedy import estimates
from tfp_flows.training.greedy.rows import Rows

__all__ = ["MAX_SLICES", "conditional_affine_step", "find_rotation"]

# Directions that the sliced search looks for at once.
MAX_SLICES = 16
# Features of a basis that are tried for a conditional affine layer.
TRIED_FEATURES = 2


def find_rotation(method: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rotation of one layer.

    Args:
        method: `"random"`, `"pca"`, `"ica"` or `"sliced"`.
        x: Rows, `[N, D]`.
        rng: Source of randomness.
    """
    size = x.shape[1]
    if size == 1:
        return np.eye(1)
    if method == "random":
        return rotations.haar(size, rng)
    if method == "pca":
        return rotations.pca(np.cov(x.T))
    if method == "ica":
        return rotations.ica(x, rng)
    found = sliced.directions(x, min(size, MAX_SLICES), rng)
    return sliced.complete(found, rng)


def conditional_affine_step(
    rows: Rows, bases: list[np.ndarray]
) -> tuple[estimates.Step | None, float]:
    """Return the best conditional affine layer among the directions of some bases.

    Args:
        rows: The rows.
        bases: Orthogonal matrices, `[D, D]`; each direction is a candidate.

    Returns:
        The step, or `None` if nothing gains, and its gain on folds held out.
    """
    best, best_gain = None, 0.0
    x, folds = rows.sample, rows.sample_folds
    for basis in bases:
        u = x @ basis.T.astype(x.dtype)
        promise = conditional_affine.screen(u)
        for place in np.argsort(-promise)[:TRIED_FEATURES]:
            order = np.concatenate([[place], np.delete(np.arange(len(basis)), place)])
            sums = estimates.conditional_affine_sums(u[:, order], folds)
            gain = conditional_affine.choose(sums)[2]
            if gain > best_gain:
                best, best_gain = basis[order], gain
    if best is None:
        return None, 0.0
    name = "conditional-affine"
    return rows.rotation_step(name, best, label=name), best_gain
