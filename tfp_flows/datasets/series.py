"""Simulated series: linear ones, whose forecasts are known, and sums of sines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfp_flows import _checks
from tfp_flows.datasets.toys import check_count

__all__ = ["autoregressive_series", "sine_series"]

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


def sine_series(
    n: int,
    length: int = 64,
    *,
    waves: int = 2,
    frequencies: tuple[float, float] = (1.0, 8.0),
    noise: float = 0.1,
    seed: int | None = None,
) -> np.ndarray:
    """Draw sums of sines of random frequencies and phases, with noise.

    `x[t] = sum_k sin(2 * pi * (f[k] * t / length + p[k])) + noise * e[t]`, with `f`
    uniform between two frequencies, `p` between 0 and 1, and `e` standard normal. Each
    series has frequencies of its own, so that the first times tell them: a density that
    is linear in the past, such as a Gaussian, cannot make use of it.

    Args:
        n: Number of series.
        length: Number of times.
        waves: Number of sines of each.
        frequencies: Lowest and highest number of periods in a series.
        noise: Standard deviation of the noise of each time.
        seed: Seed.

    Returns:
        Series, `[n, length]`, float32.

    Raises:
        ValueError: If a number is below 1, if the noise is negative, or if the lowest
            frequency is not below the highest.

    Example:
        >>> from tfp_flows import datasets
        >>> datasets.sine_series(3, 10, seed=0).shape
        (3, 10)
    """
    check_count(n)
    _checks.count(length, 1, "length")
    _checks.count(waves, 1, "waves")
    if not noise >= 0.0:
        msg = f"`noise` must not be negative, got {noise}. Give a standard deviation."
        raise ValueError(msg)
    low, high = frequencies
    if not 0.0 <= low < high:
        msg = (
            "`frequencies` must be two numbers from 0 on, the lower one first, got "
            f"{frequencies}. Give the periods in a series, such as (1, 8)."
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    time = np.arange(length) / length
    frequency = rng.uniform(low, high, size=(n, waves, 1))
    phase = rng.uniform(size=(n, waves, 1))
    x = np.sin(2.0 * np.pi * (frequency * time + phase)).sum(axis=1)
    return (x + noise * rng.normal(size=x.shape)).astype("float32")
