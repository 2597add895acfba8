"""Mixtures of many features at once: expectation-maximisation, and kernels."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["expectation_maximisation", "kernels"]

MAX_STEPS = 200
# Nats per row and feature: less is no progress.
TOLERANCE = 1e-6
# Scales have at least this share of the feature's deviation: a component on one value
# would have an infinite likelihood.
SMALLEST_SCALE = 0.01
# Numbers at once: bounds the memory.
BLOCK = 2**22


def _log_densities(
    x: np.ndarray, locations: np.ndarray, scales: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-densities of components, and weights of rows: `[N, D, K]` each.

    A component's log-density is at least a parabola in `x - location` that touches it
    at the current parameters; the weight is its curvature. For a normal law it is 1.
    """
    u = (x[:, :, np.newaxis] - locations) / scales
    if kind == "normal":
        log_density = -0.5 * u**2 - 0.5 * math.log(2.0 * math.pi)
        return log_density - np.log(scales), np.ones_like(u)
    half = 0.5 * np.abs(u)
    # 1 / (4 cosh^2(u / 2)), from its larger exponential.
    log_density = -2.0 * half - 2.0 * np.log1p(np.exp(-2.0 * half))
    weight = np.where(half > 1e-8, np.tanh(half) / np.maximum(2.0 * half, 1e-8), 0.5)
    return log_density - np.log(scales), weight


def expectation_maximisation(
    x: np.ndarray,
    num_components: int,
    kind: str,
    *,
    weights: np.ndarray | None = None,
    start: np.ndarray | None = None,
    max_steps: int = MAX_STEPS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a mixture to each feature, all at once.

    Logistic components are fitted through parabolas below their log-densities, so that
    their steps are in closed form, too, and the likelihood never falls.

    Args:
        x: Data, `[N, D]`.
        num_components: Number of components `K`.
        kind: `"normal"` or `"logistic"`.
        weights: Weights of the numbers, such as counts, `[N, D]`; `None` for ones.
        start: Locations to start from, `[D, K]`; `None` for quantiles.
        max_steps: Most steps.

    Returns:
        Log-weights, locations and log-scales, `[D, K]` each.
    """
    rows, size = x.shape
    counts = np.ones([1, size]) if weights is None else weights
    count = rows if weights is None else float(weights.sum()) / size
    mean = np.average(x, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(x - mean), axis=0, weights=weights))
    deviation = np.maximum(deviation, 1e-12)[:, np.newaxis]
    if start is None:
        levels = (np.arange(num_components) + 0.5) / num_components
        start = np.quantile(x, levels, axis=0).T
    locations = start
    scales = np.tile(deviation / num_components, [1, num_components])
    shares = np.full([size, num_components], 1.0 / num_components)
    block = max(1, BLOCK // (size * num_components))
    before = -np.inf
    for _ in range(max_steps):
        total = 0.0
        sums = np.zeros([4, size, num_components])
        for first in range(0, rows, block):
            some = x[first : first + block]
            times = counts if weights is None else counts[first : first + block]
            log_density, curve = _log_densities(some, locations, scales, kind)
            joint = log_density + np.log(shares)
            peak = joint.max(axis=2, keepdims=True)
            share = np.exp(joint - peak)
            mass = share.sum(axis=2, keepdims=True)
            total += float(np.sum((np.log(mass) + peak)[:, :, 0] * times))
            share *= times[:, :, np.newaxis] / mass
            moved = some[:, :, np.newaxis] - locations
            sums[0] += share.sum(axis=0)
            for place in range(3):
                sums[1 + place] += np.sum(share * curve * moved**place, axis=0)
        held = np.maximum(sums[0], 1e-10)
        step = sums[2] / np.maximum(sums[1], 1e-10)
        square = np.maximum(sums[3] - sums[1] * step**2, 0.0) / held
        shares = held / held.sum(axis=1, keepdims=True)
        locations = locations + step
        scales = np.maximum(np.sqrt(square), SMALLEST_SCALE * deviation)
        if total - before < TOLERANCE * count * size:
            break
        before = total
    return np.log(shares), locations, np.log(scales)


def kernels(
    x: np.ndarray, num_kernels: int, bandwidth: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return kernel estimates of features: normal laws on a grid, weighed by counts.

    Each row is shared by the two points of the grid next to it, so that its mean stays.

    Args:
        x: Data, `[N, D]`.
        num_kernels: Points of the grid `K`.
        bandwidth: Deviation of a kernel relative to that of the feature; `None` for
            Silverman's rule.

    Returns:
        Log-weights, locations and log-scales, `[D, K]` each.
    """
    count, size = x.shape
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.maximum(high - low, 1e-12) / (num_kernels - 1)
    place = (x - low) / width
    left = np.clip(place.astype(int), 0, num_kernels - 2)
    part = place - left
    first = left + num_kernels * np.arange(size)
    weights = np.bincount(
        np.concatenate([first.ravel(), first.ravel() + 1]),
        np.concatenate([1.0 - part.ravel(), part.ravel()]),
        minlength=size * num_kernels,
    ).reshape(size, num_kernels)
    weights = (weights + 1e-6) / (weights + 1e-6).sum(axis=1, keepdims=True)
    if bandwidth is None:
        spread = np.diff(np.quantile(x, [0.25, 0.75], axis=0), axis=0)[0] / 1.349
        spread = np.where(spread > 0, np.minimum(spread, x.std(axis=0)), x.std(axis=0))
        scale = 0.9 * spread * count**-0.2
    else:
        scale = bandwidth * x.std(axis=0)
    # Narrower than the grid it would show the grid.
    scale = np.maximum(scale, width)
    locations = low[:, np.newaxis] + width[:, np.newaxis] * np.arange(num_kernels)
    log_scales = np.tile(np.log(scale)[:, np.newaxis], [1, num_kernels])
    return np.log(weights), locations, log_scales
