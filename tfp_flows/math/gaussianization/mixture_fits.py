"""Mixtures of many features at once: expectation-maximisation, and kernels."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["expectation_maximisation", "kernels"]

Mixture = tuple[np.ndarray, np.ndarray, np.ndarray]

MAX_STEPS = 200
# Nats of a feature per row, and over all rows: a step that gains less is the last one.
TOLERANCE, LEAST_GAIN = 1e-6, 0.01
# Scales have at least this share of the feature's deviation: a component on one value
# would have an infinite likelihood.
SMALLEST_SCALE = 0.01
# Numbers at once: what a step goes through several times stays near the processor.
BLOCK = 2**18
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def _sums(
    x: np.ndarray, times: np.ndarray, mixture: Mixture, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a step of some rows of some features needs.

    A component's log-density is at least a parabola in `x - location` that touches it
    at the current parameters; rows count by its curvature. For a normal distribution it
    is 1.

    Args:
        x: Positions, `[D, N]`.
        times: How often each counts, `[D, N]`.
        mixture: Shares, locations and scales, `[D, K]` each.
        kind: `"normal"` or `"logistic"`.

    Returns:
        Log-likelihoods, `[D]`, rows of each component, `[D, K]`, and sums of curvature,
        of its products with positions, and with their squares, `[D, K, 3]`.
    """
    shares, locations, scales = mixture
    powers = np.ones([len(x), 3, x.shape[1]])
    powers[:, 1] = x
    np.square(x, out=powers[:, 2])
    if kind == "normal":
        precision = 1.0 / np.square(scales)
        constant = -0.5 * precision * np.square(locations) - HALF_LOG_2PI
        constant += np.log(shares / scales)
        terms = np.stack([constant, precision * locations, -0.5 * precision], axis=2)
        joint, curve = terms @ powers, None
    else:
        half = x[:, np.newaxis] - locations[:, :, np.newaxis]
        half = np.abs(half) * (0.5 / scales)[:, :, np.newaxis]
        # 1 / (4 cosh^2(u / 2)), from its larger exponential.
        joint = -2.0 * half - 2.0 * np.log1p(np.exp(-2.0 * half))
        joint += np.log(shares / scales)[:, :, np.newaxis]
        curve = np.tanh(half) / np.maximum(2.0 * half, 1e-8)
        curve = np.where(half > 1e-8, curve, 0.5)
    peak = joint.max(axis=1, keepdims=True)
    joint -= peak
    share = np.exp(joint, out=joint)
    mass = share.sum(axis=1, keepdims=True)
    total = np.sum((np.log(mass) + peak)[:, 0] * times, axis=1)
    share *= times[:, np.newaxis] / mass
    held = share.sum(axis=2)
    if curve is not None:
        share *= curve
    return total, held, share @ powers.transpose(0, 2, 1)


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
    their steps are in closed form, too, and the likelihood never falls. Features that
    gain no more leave the others to go on.

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
    times = np.ones([size, 1]) if weights is None else weights.T
    times = np.broadcast_to(times, [size, rows])
    enough = np.maximum(TOLERANCE * times.sum(axis=1), LEAST_GAIN)
    mean = np.average(x, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(x - mean), axis=0, weights=weights))
    deviation = np.maximum(deviation, 1e-12)
    if start is None:
        levels = (np.arange(num_components) + 0.5) / num_components
        start = np.quantile(x, levels, axis=0).T
    # In standard units, where squares keep their digits.
    u = np.ascontiguousarray(((x - mean) / deviation).T)
    locations = (start - mean[:, np.newaxis]) / deviation[:, np.newaxis]
    scales = np.full([size, num_components], 1.0 / num_components)
    shares = scales.copy()
    active, before = np.arange(size), np.full(size, -np.inf)
    for _ in range(max_steps):
        mixture = (shares[active], locations[active], scales[active])
        block = max(1, BLOCK // (len(active) * num_components))
        parts = []
        for first in range(0, rows, block):
            some = slice(first, first + block)
            parts.append(_sums(u[active, some], times[active, some], mixture, kind))
        total, held, moments = (
            np.sum(part, axis=0) for part in zip(*parts, strict=True)
        )
        held = np.maximum(held, 1e-10)
        curve = np.maximum(moments[:, :, 0], 1e-10)
        first_moment, second_moment = moments[:, :, 1], moments[:, :, 2]
        square = second_moment - np.square(first_moment) / curve
        shares[active] = held / held.sum(axis=1, keepdims=True)
        locations[active] = first_moment / curve
        scales[active] = np.sqrt(np.maximum(square, 0.0) / held)
        scales[active] = np.maximum(scales[active], SMALLEST_SCALE)
        gained = total - before[active] >= enough[active]
        before[active] = total
        active = active[gained]
        if not len(active):
            break
    deviation = deviation[:, np.newaxis]
    locations = mean[:, np.newaxis] + deviation * locations
    return np.log(shares), locations, np.log(deviation * scales)


def kernels(
    x: np.ndarray, num_kernels: int, bandwidth: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return kernel estimates of features: normals on a grid, weighed by counts.

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
