"""What any flow has to beat: a full Gaussian, fitted to the same rows."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

__all__ = ["Estimate", "Gaussian", "estimate"]

# Squares of larger numbers are no numbers of float64.
_EXTREME = 1e140
# With fewer rows for each column the covariance is shrunk.
_ENOUGH = 10
# Of the variance of a column, which is 1 here: keeps a column that others determine.
_SMALLEST = 1e-9


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """A Gaussian with full covariance, whose mean is affine in the condition.

    Attributes:
        loc: Mean at condition 0, `[D]`.
        slope: What a condition adds to the mean, `[C, D]`; `C = 0` without one.
        scale: Lower triangle of the covariance, `[D, D]`.
    """

    loc: np.ndarray
    slope: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(
        cls,
        x: np.ndarray,
        condition: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> Gaussian:
        """Fit by maximum likelihood, with a shrunk covariance where rows are few.

        Args:
            x: Events, `[N, ...]`; each is taken as one vector.
            condition: Conditions, `[N, ...]`.
            weights: Weights of the rows, `[N]`.

        References:
            Ledoit and Wolf, 2004, "A well-conditioned estimator for large-dimensional
            covariance matrices", https://doi.org/10.1016/S0047-259X(03)00096-4
        """
        x, condition = _rows(x), _conditions(x, condition)
        loc, width = _location_and_scale(x)
        width = np.where(width > 0, width, 1.0)
        z, design = (x - loc) / width, np.column_stack([np.ones(len(x)), condition])
        root = np.ones([len(x), 1])
        if weights is not None:
            root = np.sqrt(weights / np.mean(weights))[:, None]
        slope, *_ = np.linalg.lstsq(design * root, z * root, rcond=None)
        scale = np.linalg.cholesky(_covariance((z - design @ slope) * root))
        return cls(loc + slope[0] * width, slope[1:] * width, width[:, None] * scale)

    def log_prob(
        self, x: np.ndarray, condition: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the log-density of each row in nats, `[N]`."""
        x = _rows(x)
        z = x - self.loc - _conditions(x, condition) @ self.slope
        z = np.linalg.solve(self.scale, z.T)
        log_det = np.log(np.diag(self.scale)).sum()
        constant = 0.5 * len(self.loc) * math.log(2.0 * math.pi)
        return -0.5 * (z * z).sum(axis=0) - log_det - constant


class Estimate(NamedTuple):
    """A mean with its standard error, `None` where there is none."""

    mean: float
    error: float | None

    def __str__(self) -> str:
        """Return `mean +- error`, never with an error that is no number."""
        if self.error is None:
            return f"{self.mean:.4f} (no standard error)"
        return f"{self.mean:.4f} +- {self.error:.4f}"


def estimate(values: np.ndarray, weights: np.ndarray | None = None) -> Estimate:
    """Return the mean of independent values with its standard error.

    There is no error of a single value, nor where a value is not finite.

    Args:
        values: Numbers, `[N]`.
        weights: Their weights, `[N]`.
    """
    values = np.asarray(values, np.float64)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights)
    values, weights = values[weights > 0], weights[weights > 0]
    share = weights / weights.sum()
    mean = float(share @ values)
    if len(values) < 2 or not np.isfinite(values).all():
        return Estimate(mean, None)
    spread = float((share**2) @ (values - mean) ** 2)
    return Estimate(mean, math.sqrt(spread * len(values) / (len(values) - 1)))


def _location_and_scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and deviations, also of numbers whose squares are none."""
    largest = np.abs(x).max(axis=0, initial=0.0)
    is_extreme = (largest > _EXTREME) | ((largest > 0) & (largest < 1 / _EXTREME))
    unit = np.where(is_extreme, largest, 1.0)
    y = x / unit
    return y.mean(axis=0) * unit, y.std(axis=0) * unit


def _rows(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values.reshape(len(values), -1)


def _conditions(x: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    return np.empty((len(x), 0)) if condition is None else _rows(condition)


def _covariance(residual: np.ndarray) -> np.ndarray:
    """Return a covariance that has an inverse."""
    n, d = residual.shape
    found = residual.T @ residual / n
    if n < _ENOUGH * d:
        target = np.trace(found) / d * np.eye(d)
        distance = ((found - target) ** 2).sum()
        squares = (residual**2).sum(axis=1) ** 2
        spread = (squares.sum() / n - (found**2).sum()) / n
        share = 1.0 if distance <= 0 else min(1.0, max(1.0 / n, spread / distance))
        found = share * target + (1.0 - share) * found
    return found + _SMALLEST * np.eye(d)
