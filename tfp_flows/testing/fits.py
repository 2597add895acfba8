"""Checks of maps that are fitted to data, whose base they must make of fresh data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Shape
from tfp_flows.testing.case import ContractError

__all__ = ["check_identity", "check_uniformity"]

Fit = Callable[[np.ndarray], Any]
# Random directions in which the base values are looked at, beside the axes.
DIRECTIONS = 20
# Beside the noise of the sample, a fit smooths: so far may its distribution be off.
SLACK = 0.01


def _distances(z: np.ndarray) -> np.ndarray:
    """Return the Kolmogorov distance of each column from the uniform distribution."""
    count = len(z)
    z = np.sort(z, axis=0)
    steps = np.arange(count + 1)[:, np.newaxis] / count
    return np.maximum(z - steps[:-1], steps[1:] - z).max(axis=0)


def _base_values(bijector: Any, x: np.ndarray) -> np.ndarray:
    """Return what a map makes of rows, in its own precision."""
    dtype = tf.as_dtype(bijector.dtype or tf.float64)
    return np.asarray(bijector.inverse(tf.constant(x, dtype)), np.float64)


def check_uniformity(
    fit: Fit,
    draw: Callable[[int, int], np.ndarray],
    *,
    rows: int = 4_000,
    base: tfd.Distribution | None = None,
    level: float = 1e-3,
    seed: int = 0,
    name: str = "fit",
) -> None:
    """Check that a fitted map makes the base distribution of rows that it has not seen.

    The CDF of the base makes its values uniform, which is tested by the distance of
    Kolmogorov, for each column and, with a normal base, in random directions. The rows
    of the fit are noisy as well, so that both samples count.

    Args:
        fit: Returns the map that is fitted to rows, `[rows, D]`.
        draw: Returns rows, given their number and a seed.
        rows: Number of rows to fit to, and again of fresh ones.
        base: Distribution of single base values; `None` for the standard normal one.
        level: Chance that a perfect fit fails.
        seed: Seed of the rows and of the directions.
        name: Name in messages.

    Raises:
        ContractError: If the base values of fresh rows have another distribution.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> def draw(rows, seed):
        ...     return np.random.default_rng(seed).gamma(2.0, size=(rows, 2))
        >>> fit = tfpf.bijectors.MarginalSpline.from_samples
        >>> tfpf.testing.check_uniformity(fit, draw)
    """
    bijector = fit(draw(rows, seed))
    z = _base_values(bijector, draw(rows, seed + 1))
    if not np.isfinite(z).all():
        raise ContractError("uniformity", name, "base values must be finite", z, None)
    scalar = tfd.Normal(np.float64(0.0), np.float64(1.0)) if base is None else base
    if base is None and z.shape[1] > 1:
        random = np.random.default_rng(seed).normal(size=(z.shape[1], DIRECTIONS))
        z = np.concatenate([z, z @ (random / np.linalg.norm(random, axis=0))], axis=1)
    found = float(_distances(scalar.cdf(z).numpy()).max())
    # Two samples, and as many tests as columns.
    bound = SLACK + np.sqrt(-np.log(0.5 * level / z.shape[1]) / rows)
    if not found <= bound:
        what = "distance of fresh rows' base values from the base distribution"
        raise ContractError("uniformity", name, what, found, bound)


def check_identity(
    fit: Fit,
    event_shape: Shape,
    *,
    rows: int = 4_000,
    base: tfd.Distribution | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    name: str = "fit",
) -> None:
    """Check that a map fitted to rows of the base distribution leaves them in place.

    Args:
        fit: Returns the map that is fitted to rows, `[rows, D]`.
        event_shape: Shape of a row.
        rows: Number of rows to fit to, and again of fresh ones.
        base: Distribution of single base values; `None` for the standard normal one.
        tolerance: Largest median step of a coordinate, in deviations of the base; by
            default five standard errors of a mean.
        seed: Seed of the rows.
        name: Name in messages.

    Raises:
        ContractError: If the map moves half of the rows by more.

    Example:
        >>> import tfp_flows as tfpf
        >>> fit = tfpf.bijectors.MarginalSpline.from_samples
        >>> tfpf.testing.check_identity(fit, (2,))
    """
    scalar = tfd.Normal(np.float64(0.0), np.float64(1.0)) if base is None else base
    shape = (rows, *np.atleast_1d(np.asarray(event_shape, int)))
    seen, fresh = (scalar.sample(shape, seed=[seed, k]).numpy() for k in (0, 1))
    bijector = fit(seen)
    moved = np.abs(_base_values(bijector, fresh) - fresh)
    found = float(np.median(moved, axis=0).max() / scalar.stddev().numpy())
    bound = 5.0 / np.sqrt(rows) if tolerance is None else tolerance
    if not found <= bound:
        what = "median step of rows that have the base distribution already"
        raise ContractError("identity", name, what, found, bound)
