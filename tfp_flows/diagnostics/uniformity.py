"""Whether numbers in (0, 1) are uniform: tests, and bands of their ECDF."""

from __future__ import annotations

import abc
import functools
from typing import Any

import numpy as np

from tfp_flows import _optional

__all__ = [
    "LEVEL",
    "TESTS",
    "Tested",
    "band",
    "ecdf",
    "normal_scores",
    "p_values",
    "spread_of",
]

# A p-value below is taken for a fault.
LEVEL = 0.01
TESTS = ("KS", "location", "spread")
# Samples of which the band of an ECDF is made, and points where it is looked at.
SAMPLES, POINTS = 2_000, 100


class Tested(abc.ABC):
    """What tests of uniformity find a fault in, or not."""

    @property
    @abc.abstractmethod
    def p_value(self) -> float:
        """The smallest p-value times the number of tests."""

    @property
    def is_calibrated(self) -> bool:
        """Whether no test finds a fault."""
        return self.p_value >= LEVEL


def _stats() -> Any:
    purpose = "compute p-values"
    return _optional.require("scipy.stats", extra="sklearn", purpose=purpose)


def p_values(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return p-values of uniformity for each column.

    The Kolmogorov-Smirnov test sees any fault, but needs many rows; mean and variance
    of the normal scores show a shift, and a spread that is too small or too large, in
    few.

    Args:
        values: Numbers in (0, 1), `[N, D]`, without ties.

    Returns:
        `[D]` each for `"KS"`, `"location"` and `"spread"`.
    """
    stats = _stats()
    count, scores = len(values), normal_scores(values)
    location = np.sqrt(count) * np.abs(scores.mean(axis=0))
    below = stats.chi2.cdf((scores**2).sum(axis=0), count)
    method = "exact" if count < 100 else "asymp"
    ks = [stats.kstest(c, "uniform", method=method).pvalue for c in values.T]
    return {
        "KS": np.array(ks),
        "location": 2.0 * stats.norm.sf(location),
        "spread": 2.0 * np.minimum(below, 1.0 - below),
    }


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the quantiles of the standard normal distribution at numbers in (0, 1)."""
    found: np.ndarray = _stats().norm.ppf(values)
    return found


def spread_of(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the normal scores: 1 of uniform numbers, `[D]`.

    Above 1, what the numbers are ranks in is too narrow by about this factor.
    """
    found: np.ndarray = np.sqrt((normal_scores(values) ** 2).mean(axis=0))
    return found


def ecdf(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the shares of numbers up to each level, `[K, D]`."""
    ordered = np.sort(values, axis=0)
    found = [np.searchsorted(column, levels, side="right") for column in ordered.T]
    return np.stack(found, axis=-1) / len(values)


@functools.lru_cache(maxsize=16)
def band(
    count: int, probability: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the band in which the whole ECDF of uniform numbers lies.

    Args:
        count: How many numbers there are.
        probability: That all points of the ECDF lie in the band.

    Returns:
        Levels, lower and upper end of the share of numbers up to each, `[K]`.

    References:
        Säilynoja, Bürkner, Vehtari (2022). Graphical test for discrete uniformity and
        its applications in goodness of fit evaluation and multiple sample comparison.
        https://arxiv.org/abs/2103.10522, algorithm 1
    """
    stats = _stats()
    levels = np.linspace(0.0, 1.0, POINTS + 1)[1:-1]
    rng = np.random.default_rng(0)
    cells = rng.multinomial(count, np.full(POINTS, 1.0 / POINTS), size=SAMPLES)
    counts = np.cumsum(cells, axis=1)[:, :-1]
    below = stats.binom.cdf(counts, count, levels)
    above = stats.binom.sf(counts - 1, count, levels)
    least = 2.0 * np.minimum(below, above).min(axis=1)
    tail = 0.5 * float(np.quantile(least, 1.0 - probability))
    low = stats.binom.ppf(tail, count, levels) / count
    high = stats.binom.ppf(1.0 - tail, count, levels) / count
    return levels, low, high
