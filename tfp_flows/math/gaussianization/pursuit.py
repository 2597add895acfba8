"""Directions whose marginals promise the largest gain of likelihood.

A layer of a Gaussianization gains the negentropies of its marginals. They are estimated
from counts, as mean logs of smoothed ratios to the normal distribution, and climbed
over all orthogonal matrices at once.
"""

from __future__ import annotations

import numpy as np

from tfp_flows.math import normal
from tfp_flows.math.gaussianization import histograms, smoothing
from tfp_flows.math.linear import rotations

__all__ = ["climb"]

NUM_CELLS = 192
# Largest rotation of a step, in radians.
LONGEST = 0.5


def _tables(
    u: np.ndarray, edges: np.ndarray, expected: np.ndarray, smoother: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the summed gain of all columns, and the scores `[D, G]`."""
    half_width = float(edges[-1])
    counts = histograms.histogram(u, -half_width, half_width, NUM_CELLS)
    log_ratio = np.log(smoothing.smooth_ratio(counts, expected, smoother))
    gain = float(np.sum(counts * log_ratio) / len(u))
    return gain, np.gradient(log_ratio, edges[1] - edges[0], axis=1)


def climb(
    x: np.ndarray,
    start: np.ndarray,
    *,
    bandwidth: float = 0.2,
    max_steps: int = 25,
    tolerance: float = 1e-4,
) -> np.ndarray:
    """Rotate directions until the sum of their negentropies no longer rises.

    Args:
        x: Data, nearly white, `[N, D]`.
        start: Orthogonal matrix, `[D, D]`, one direction in each row.
        bandwidth: Of the kernel that smooths the ratios.
        max_steps: Most steps.
        tolerance: Gain in nats at which to stop.

    Returns:
        Orthogonal matrix, `[D, D]`.
    """
    half_width = float(np.clip(1.1 * np.quantile(np.abs(x), 0.9999), 4.0, 12.0))
    edges = histograms.edges(-half_width, half_width, NUM_CELLS)
    expected = normal.cell_probabilities(edges)
    smoother = smoothing.kernel(edges, bandwidth)
    best, rate = start, 1.0
    u = x @ best.T
    gain, scores = _tables(u, edges, expected, smoother)
    step = _step(u, scores, half_width)
    for _ in range(max_steps):
        trial = rotations.polar(best + rate * step @ best)
        moved = x @ trial.T
        new, new_scores = _tables(moved, edges, expected, smoother)
        if new <= gain:
            rate *= 0.4
            if rate < 0.02:
                break
            continue
        done = new - gain < tolerance
        best, gain, scores, u = trial, new, new_scores, moved
        rate = min(1.0, 1.5 * rate)
        if done:
            break
        step = _step(u, scores, half_width)
    return best


def _step(u: np.ndarray, scores: np.ndarray, half_width: float) -> np.ndarray:
    """Return the step of Newton's method with a diagonal Hessian, antisymmetric."""
    size = scores.shape[1]
    position = np.clip((u + half_width) * (size / (2.0 * half_width)), 0, size - 1)
    index = position.astype(np.intp) + size * np.arange(u.shape[1])
    score = scores.ravel()[index]
    gradient = score.T @ u / len(u)
    skew = gradient - gradient.T
    # Of each pair of directions: the curvature is the sum of both squared scores.
    curvature = np.mean(score * score, axis=0)
    steepness = curvature[:, np.newaxis] + curvature + 1e-3
    step = skew / steepness
    longest = np.max(np.abs(step)) + 1e-300
    return step * min(1.0, LONGEST / longest)
