"""Entropy, negentropy, cross-entropy and Kullback-Leibler divergence of samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfp_flows import flows
from tfp_flows._types import TensorLike
from tfp_flows.information import crossfit
from tfp_flows.information.measure import Measure
from tfp_flows.information.options import Options
from tfp_flows.information.samples import Sample

__all__ = ["cross_entropy", "entropy", "kl_divergence", "negentropy", "score_fitted"]


def score_fitted(flow: flows.Flow, x: np.ndarray, what: str) -> np.ndarray:
    """Return the log-density of rows under a fitted flow, `[N]`.

    Raises:
        ValueError: If the flow is conditional, or of another number of columns.
    """
    if flow.condition_shape is not None or flow.event_size != x.shape[1]:
        given = "" if flow.condition_shape is None else f" given {flow.condition_shape}"
        msg = (
            f"`flow` must be an unconditional density of {what}, {x.shape[1]} columns "
            f"in all, got one of {flow.event_shape}{given}. Fit one to these columns."
        )
        raise ValueError(msg)
    shaped = x.reshape(-1, *flow.event_shape)
    return crossfit.evaluate(flow, shaped)[1]


def _log_density(
    sample: Sample, cross: crossfit.CrossFit, options: Options
) -> tuple[np.ndarray, float]:
    """Return the log-density of the rows as given, `[K, N]`, and its doubt."""
    if options.fitted is not None:
        values = score_fitted(options.fitted, sample.raw, "`x`")
        return np.broadcast_to(values, (cross.folds, len(values))), 0.0
    fits = cross.fit(sample.x)
    return fits.log_prob - sample.log_scale, fits.doubt


def entropy(x: TensorLike, **options: Any) -> Measure:
    """Estimate the differential entropy `-E log p(x)`.

    Args:
        x: Rows, `[N, D]` or `[N]`: array, tensor or DataFrame.
        **options: See `Options`.

    Returns:
        The estimate; it changes with the units of the columns.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x = np.random.default_rng(0).normal(size=2000)
        >>> abs(float(information.entropy(x, seed=0)) - 1.419) < 0.05
        True
    """
    chosen = Options.of(options)
    sample = chosen.read(x, "x")
    cross = chosen.cross(sample)
    log_prob, doubt = _log_density(sample, cross, chosen)
    rows, doubt = cross.rows(-log_prob, doubt)
    doubt = 0.0 if chosen.fitted else doubt
    return chosen.measure("entropy", rows, doubt, [sample])


def negentropy(x: TensorLike, **options: Any) -> Measure:
    """Estimate the negentropy: how far a distribution is from a normal one, `>= 0`.

    It is the entropy of the normal distribution of the same mean and covariance minus
    the entropy of `x`, and does not change under invertible linear maps.

    Args:
        x: Rows, `[N, D]` or `[N]`: array, tensor or DataFrame.
        **options: See `Options`.

    Returns:
        The estimate, from differences row by row.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> x = np.random.default_rng(0).uniform(size=2000)
        >>> abs(float(information.negentropy(x, seed=0)) - 0.176) < 0.05
        True
    """
    chosen = Options.of(options)
    sample = chosen.read(x, "x")
    cross = chosen.cross(sample)
    values, doubt = _log_density(sample, cross, chosen)
    normal = [
        _normal_log_prob(sample.x[cross.fold != fold], sample.x)
        for fold in range(cross.folds)
    ]
    rows, doubt = cross.rows(values + sample.log_scale - np.stack(normal), doubt)
    return chosen.measure("negentropy", rows, doubt, [sample])


def _normal_log_prob(train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the log-density of a normal with the training rows' moments."""
    root = np.linalg.cholesky(np.atleast_2d(np.cov(train.T, ddof=0)))
    z = np.linalg.solve(root, (x - train.mean(axis=0)).T)
    log_det = np.sum(np.log(np.diag(root)))
    constant = 0.5 * x.shape[1] * math.log(2.0 * math.pi)
    return -0.5 * np.sum(z**2, axis=0) - log_det - constant


class _Reference:
    """The density of `y`, fitted by folds of `y`, and what it says of the rows of `x`.

    Attributes:
        z: Base values of the rows of `x`, `[K, N, D]`.
        log_prob: Their log-densities, `[K, N]`, of `x` as `y` is standardised.
        log_det: Log-dets that belong to `z`, `[K, N]`.
        x: Rows of `x` in the units of the standardised `y`.
        doubt: What the fit of `y` adds to the standard deviation of the mean.
    """

    def __init__(self, x: Sample, y: Sample, options: Options) -> None:
        if x.raw.shape[1] != y.raw.shape[1]:
            msg = (
                "`x` and `y` must have the same columns, got "
                f"{x.raw.shape[1]} and {y.raw.shape[1]}. Give samples of one space."
            )
            raise ValueError(msg)
        self.x = (x.rows - y.loc) / y.scale
        cross = options.cross(y)
        if options.fitted is not None:
            score_fitted(options.fitted, x.raw[:1], "`y`")
            parts = crossfit.evaluate(
                options.fitted, x.raw.reshape(-1, *options.fitted.event_shape)
            )
            self.z, log_prob, log_det = (np.stack([p] * cross.folds) for p in parts)
            self.z = self.z.reshape(*self.z.shape[:2], -1)
            self.log_prob = log_prob + y.log_scale
            self.log_det = log_det + y.log_scale
            self.doubt = 0.0
            return
        found, own = [], []
        for fold in range(cross.folds):
            flow = cross.trained(fold, y.x, cross.fold != fold)
            found.append(crossfit.evaluate(flow, self.x))
            own.append(crossfit.evaluate(flow, y.x))
        self.z, self.log_prob, self.log_det = (
            np.stack(part) for part in zip(*found, strict=True)
        )
        z, log_prob, log_det = (np.stack(part) for part in zip(*own, strict=True))
        of_y = crossfit.Fits(z, log_prob, log_det)

        def refit(fold: int, rows: np.ndarray) -> np.ndarray:
            return crossfit.evaluate(cross.trained(fold, y.x, rows), y.x)[1]

        filled = cross.completed(of_y, refit)
        # What the density has missed at rows of `y` may also be missed at those of `x`,
        # or may not: it is no correction, but a doubt.
        missed = np.mean(cross.rows(filled.log_prob)[0] - cross.rows(of_y.log_prob)[0])
        _, gap = cross.rows(of_y.log_prob, filled.doubt)
        means = self.log_prob.mean(axis=1)
        jackknife = math.sqrt((cross.folds - 1) * float(np.var(means)))
        self.doubt = math.hypot(gap, jackknife, float(missed))


def cross_entropy(x: TensorLike, y: TensorLike, **options: Any) -> Measure:
    """Estimate the cross-entropy `-E_x log q(x)`, where `q` is the density of `y`.

    Args:
        x: Rows over which the mean is taken, `[N, D]` or `[N]`.
        y: Rows whose density is meant, `[M, D]` or `[M]`.
        **options: See `Options`; a fitted flow is the density of `y`.

    Returns:
        The estimate.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(1, 1, 4000), rng.normal(0, 2, 4000)
        >>> abs(float(information.cross_entropy(x, y, seed=0)) - 1.862) < 0.05
        True
    """
    chosen = Options.of(options)
    first, second = chosen.read(x, "x"), chosen.read(y, "y")
    reference = _Reference(first, second, chosen)
    rows = second.log_scale - reference.log_prob.mean(axis=0)
    return chosen.measure("cross-entropy", rows, reference.doubt, [first], [second])


def kl_divergence(x: TensorLike, y: TensorLike, **options: Any) -> Measure:
    """Estimate `KL(p || q) = E_x log p(x) / q(x)` of the distributions of two samples.

    The density of `x` is fitted in the base values of the density of `y`, where it is
    normal if both distributions are the same; or to the rows themselves, if that is
    better.

    Args:
        x: Rows of `p`, `[N, D]` or `[N]`.
        y: Rows of `q`, `[M, D]` or `[M]`; `M` may differ from `N`.
        **options: See `Options`; a fitted flow is the density of `y`.

    Returns:
        The estimate.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import information
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(1, 1, 4000), rng.normal(0, 2, 4000)
        >>> abs(float(information.kl_divergence(x, y, seed=0)) - 0.443) < 0.05
        True
    """
    chosen = Options.of(options)
    first, second = chosen.read(x, "x"), chosen.read(y, "y")
    reference = _Reference(first, second, chosen)
    cross = chosen.cross(first)
    fits, _ = crossfit.better(cross, reference.z, reference.log_det, reference.x)
    rows, doubt = cross.rows(fits.log_prob - reference.log_prob, fits.doubt)
    doubt = math.hypot(doubt, reference.doubt)
    return chosen.measure("KL divergence", rows, doubt, [first], [second])
