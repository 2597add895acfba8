"""What any flow has to beat: a full Gaussian, fitted to the same rows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

__all__ = ["Comparison", "Gaussian", "compare"]

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
    def fit(cls, x: np.ndarray, condition: np.ndarray | None = None) -> Gaussian:
        """Fit by maximum likelihood, with a shrunk covariance where rows are few.

        Args:
            x: Events, `[N, ...]`; each is taken as one vector.
            condition: Conditions, `[N, ...]`.

        References:
            Ledoit and Wolf, 2004, "A well-conditioned estimator for large-dimensional
            covariance matrices", https://doi.org/10.1016/S0047-259X(03)00096-4
        """
        x, condition = _rows(x), _conditions(x, condition)
        width = x.std(axis=0)
        width = np.where(width > 0, width, 1.0)
        design = np.column_stack([np.ones(len(x)), condition])
        weights, *_ = np.linalg.lstsq(design, x / width, rcond=None)
        residual = x / width - design @ weights
        scale = np.linalg.cholesky(_covariance(residual))
        return cls(weights[0] * width, weights[1:] * width, width[:, None] * scale)

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


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A flow beside a Gaussian, on the same rows.

    Attributes:
        gaussian: Mean log-likelihood of the Gaussian in nats.
        gaussian_error: Its standard error, `None` of one row.
        lead: Mean of what the flow is better.
        lead_error: Its standard error.
        advice: Sentences about a flow that loses, or that is large for the rows.
    """

    gaussian: float
    gaussian_error: float | None
    lead: float
    lead_error: float | None
    advice: tuple[str, ...]


def compare(
    flow: np.ndarray, gaussian: np.ndarray, *, parameters: int, rows: int
) -> Comparison:
    """Compare log-likelihoods of rows under a flow and under a Gaussian.

    Args:
        flow: Log-densities of the flow, `[N]`.
        gaussian: Those of the Gaussian.
        parameters: How many numbers of the flow were trained.
        rows: How many rows it was fitted to.
    """
    flow, gaussian = (np.asarray(v, np.float64) for v in (flow, gaussian))
    lead, error = _mean_and_error(flow - gaussian)
    advice = []
    if not lead > 0:
        by = f"by {-lead:.3f}" if math.isfinite(lead) else "by far"
        by += "" if error is None else f" +- {error:.3f}"
        advice.append(
            f"The flow loses to a full Gaussian {by} nats per row: take 'linear', "
            "which is one, or fewer layers or hidden units, or more rows."
        )
    if parameters > rows:
        advice.append(
            f"The flow has more parameters ({parameters:,}) than there are rows "
            f"({rows:,}), and can remember them: trust the figure of rows held out "
            "only, and try fewer layers or hidden units, noise, or 'linear'."
        )
    return Comparison(*_mean_and_error(gaussian), lead, error, tuple(advice))


def _mean_and_error(values: np.ndarray) -> tuple[float, float | None]:
    mean = float(values.mean())
    if len(values) < 2 or not np.isfinite(values).all():
        return mean, None
    return mean, float(values.std(ddof=1) / math.sqrt(len(values)))


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
