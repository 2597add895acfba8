"""Simulated series whose forecasts are known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_flows import _checks
from tfp_flows.datasets.toys import check_count

__all__ = ["autoregressive_series"]

# Times that are thrown away, until a series has forgotten its start.
BURN_IN = 500


def autoregressive_series(
    n: int,
    length: int = 64,
    *,
    coefficients: Sequence[float] = (1.6, -0.9),
    noise: float = 1.0,
    seed: int | None = None,
) -> np.ndarray:
    """Draw stationary series whose times are linear in the ones before, and noise.

    `x[t] = sum_k coefficients[k] * x[t - 1 - k] + noise * e[t]` with `e` standard
    normal: given the past, the future is normal. The default swings in periods of
    some eleven times.

    Args:
        n: Number of series.
        length: Number of times.
        coefficients: Weights of the times before, the last one first.
        noise: Standard deviation of what each time adds.
        seed: Seed.

    Returns:
        Series, `[n, length]`, float32.

    Raises:
        ValueError: If the coefficients make series that grow without end.

    Example:
        >>> from tfp_flows import datasets
        >>> datasets.autoregressive_series(3, 10, seed=0).shape
        (3, 10)
    """
    check_count(n)
    _checks.count(length, 1, "length")
    weights = np.asarray(coefficients, np.float64)
    companion = np.eye(len(weights), k=-1)
    companion[0] = weights
    largest = np.abs(np.linalg.eigvals(companion)).max()
    if largest >= 1.0:
        msg = (
            f"`coefficients` must be those of a stationary series, got {coefficients}, "
            f"whose roots reach {largest:.3g}. Make them smaller."
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    shocks = noise * rng.normal(size=(BURN_IN + length, n))
    x = np.zeros_like(shocks)
    for t in range(len(shocks)):
        x[t] = shocks[t]
        for k, weight in enumerate(weights[:t]):
            x[t] += weight * x[t - 1 - k]
    return x[BURN_IN:].T.astype("float32")
