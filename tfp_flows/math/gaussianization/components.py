"""Gaussian mixtures with full covariances by expectation maximisation.

The sums of a step (responsibilities, and products weighted by them) merge over shards.
Covariances are shrunk by a few prior rows, so that no component collapses: towards the
mean covariance within components, which knows in which directions all are narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfp_flows.math import normal

__all__ = ["Components", "fit", "start", "sums", "update", "with_background"]

CLUSTER_STEPS = 15
# Rows that a component gets of the prior distribution, per dimension, and what its
# variances have at least, relative to those of the data.
PRIOR_SHARE, PRIOR_RIDGE = 0.5, 1e-3
# Weight of the component that rules far from all others, and its deviation in units of
# that of the mixture. Without it one of the narrow ones rules in each place out there,
# and no digit is left of where it changes.
BACKGROUND_WEIGHT, BACKGROUND_SCALE = 1e-4, 3.0
# Numbers of one product over all components: few large products are faster than many
# small ones, as long as what they give stays near the processor.
BLOCK = 2**20


@dataclass(frozen=True)
class Components:
    """A mixture: log-weights `[K]`, means `[K, D]`, whitening factors `[K, D, D]`.

    `factor @ (x - mean)` is standard normal under the component; factors are lower
    triangular.
    """

    log_weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def log_joint(self, x: np.ndarray) -> np.ndarray:
        """Return the log of weight times density of each component, `[N, K]`."""
        count, size = self.means.shape
        # All factors side by side. The middle of the rows is where digits are kept.
        middle = x.mean(axis=0)
        side = self.factors.transpose(2, 0, 1).reshape(size, count * size)
        moved = np.einsum("kij,kj->ki", self.factors, self.means - middle).ravel()
        out = np.empty([len(x), count])
        for rows in _blocks(len(x), count * size):
            w = (x[rows] - middle) @ side
            w -= moved
            np.square(w, out=w)
            out[rows] = w.reshape(-1, count, size).sum(axis=2)
        log_det = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        constant = log_det + self.log_weights - size * normal.LOG_NORMALISER
        return constant - 0.5 * out


def _blocks(rows: int, width: int) -> Iterator[slice]:
    """Go through rows, so many at once that `BLOCK` numbers of a width are there."""
    step = max(1, BLOCK // width)
    for first in range(0, rows, step):
        yield slice(first, first + step)


def sums(
    x: np.ndarray, components: Components
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return what a step needs: counts, first and second moments, log-likelihood.

    Args:
        x: Rows, `[N, D]`.
        components: The mixture so far.

    Returns:
        `[K]`, `[K, D]`, `[K, D, D]`, and the sum of the log-likelihoods.
    """
    joint = components.log_joint(x)
    largest = joint.max(axis=1, keepdims=True)
    part = np.exp(joint - largest)
    total = part.sum(axis=1, keepdims=True)
    part /= total
    log_likelihood = float(np.sum(np.log(total) + largest))
    counts, first, second = _moments(x, part)
    return counts, first, second, log_likelihood


def _moments(
    x: np.ndarray, part: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, count = x.shape[1], part.shape[1]
    second = np.zeros([count * size, size])
    for rows in _blocks(len(x), count * size):
        some = x[rows]
        weighted = part[rows][:, :, np.newaxis] * some[:, np.newaxis]
        second += weighted.reshape(len(some), -1).T @ some
    return part.sum(axis=0), part.T @ x, second.reshape(count, size, size)


def update(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> Components:
    """Return the mixture that the sums of a step give.

    Args:
        counts: Rows of each component, `[K]`.
        first: Weighted sums, `[K, D]`.
        second: Weighted sums of products, `[K, D, D]`.
    """
    count, size = first.shape
    rows = counts.sum()
    mean = first.sum(axis=0) / rows
    variance = np.diagonal(second.sum(axis=0)) / rows - np.square(mean)
    variance = np.maximum(variance, 1e-6)
    prior_rows = 1.0 + PRIOR_SHARE * size
    held = np.maximum(counts, 1e-9)[:, np.newaxis]
    means = first / held
    # Components without rows go back to the middle.
    means = np.where(held > 1e-3, means, mean)
    outer = means[:, :, np.newaxis] * means[:, np.newaxis]
    scatter = second - held[:, :, np.newaxis] * outer
    prior = scatter.sum(axis=0) / rows + PRIOR_RIDGE * np.diag(variance)
    total = (held + prior_rows)[:, :, np.newaxis]
    covariances = (scatter + prior_rows * prior) / total
    factors = np.linalg.inv(np.linalg.cholesky(covariances))
    log_weights = np.log((counts + 1.0) / (rows + count))
    return Components(log_weights, means, factors)


def start(x: np.ndarray, count: int, rng: np.random.Generator) -> Components:
    """Return a mixture from clusters of nearest centres.

    Args:
        x: Rows, `[N, D]`.
        count: Number of components.
        rng: Source of the first centres, which are far from each other.

    References:
        Arthur, Vassilvitskii (2007). k-means++: The Advantages of Careful Seeding.
    """
    centres = x[rng.integers(len(x), size=1)]
    nearest = np.sum(np.square(x - centres[0]), axis=1)
    for _ in range(count - 1):
        total = nearest.sum()
        share = nearest / total if total > 0 else None
        new = x[rng.choice(len(x), p=share)]
        centres = np.concatenate([centres, new[np.newaxis]])
        nearest = np.minimum(nearest, np.sum(np.square(x - new), axis=1))
    for _ in range(CLUSTER_STEPS):
        distance = np.sum(np.square(centres), axis=1) - 2.0 * x @ centres.T
        label = np.argmin(distance, axis=1)
        part = np.eye(count)[label]
        held = part.sum(axis=0)[:, np.newaxis]
        centres = np.where(held > 0, part.T @ x / np.maximum(held, 1.0), centres)
    return update(*_moments(x, part))


def fit(
    x: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 60,
    tolerance: float = 3e-4,
) -> Components:
    """Fit a mixture.

    Args:
        x: Rows, `[N, D]`.
        count: Number of components.
        rng: Source of the start.
        max_steps: Most steps.
        tolerance: Gain in nats per row at which to stop.
    """
    found, last = start(x, count, rng), -np.inf
    for _ in range(max_steps):
        *moments, log_likelihood = sums(x, found)
        if log_likelihood / len(x) - last < tolerance:
            break
        last = log_likelihood / len(x)
        found = update(*moments)
    return found


def with_background(found: Components) -> Components:
    """Return a mixture with one more component, broad, light, and of the same moments.

    The new one has the mean of the mixture and a multiple of its covariance.

    Args:
        found: The mixture.
    """
    weights = np.exp(found.log_weights)
    weights /= weights.sum()
    mean = weights @ found.means
    roots = np.linalg.inv(found.factors)
    moved = found.means - mean
    covariance = np.einsum("k,kij,klj->il", weights, roots, roots)
    covariance += (moved * weights[:, np.newaxis]).T @ moved
    factor = np.linalg.inv(np.linalg.cholesky(covariance)) / BACKGROUND_SCALE
    new = np.log(np.append(weights * (1.0 - BACKGROUND_WEIGHT), BACKGROUND_WEIGHT))
    means = np.concatenate([found.means, mean[np.newaxis]])
    return Components(new, means, np.concatenate([found.factors, factor[np.newaxis]]))
