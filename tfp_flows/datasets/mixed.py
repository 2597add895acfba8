"""A table of unlike columns whose exact log-density is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from tfp_flows.datasets.table import Table
from tfp_flows.datasets.toy import LOG_2PI
from tfp_flows.datasets.toys import check_count

__all__ = ["MIXED_COLUMNS", "mixed_table", "mixed_table_log_prob"]

# What each column is, as the argument `columns` of a flow takes it.
MIXED_COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "warmth": "continuous",
        "visitors": ("integer", "positive"),
        "humidity": ("bounded", 0.0, 100.0),
        "rain": ("positive", ("atom", 0.0)),
        "season": ("category", (0, 1, 2)),
    }
)
# Deviations of the logit of humidity and of the logarithm of rain.
HUMIDITY_SCALE, RAIN_SCALE = 0.8, 0.6
# Logits of the seasons: level and slope in warmth.
SEASONS = np.array([[0.0, 0.0], [0.3, 1.5], [-0.2, -1.5]])


def _rate(warmth: np.ndarray) -> np.ndarray:
    """Return the mean number of visitors."""
    return np.exp(1.2 + 0.4 * warmth)


def _humidity_centre(warmth: np.ndarray, visitors: np.ndarray) -> np.ndarray:
    """Return the mean of the logit of humidity."""
    return 0.5 - 0.8 * warmth + 0.1 * (visitors - 3.0)


def _dry(warmth: np.ndarray) -> np.ndarray:
    """Return the probability of no rain: 0.7 in the mean."""
    return 1.0 / (1.0 + np.exp(-(1.1 + 1.2 * warmth)))


def _rain_centre(warmth: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """Return the mean of the logarithm of an amount of rain."""
    return 0.3 * warmth + 0.02 * (humidity - 50.0)


def _season_log_probs(warmth: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of the seasons, `[N, 3]`."""
    logits = SEASONS[:, 0] + warmth[:, np.newaxis] * SEASONS[:, 1]
    top = logits.max(axis=1, keepdims=True)
    return logits - top - np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True))


def mixed_table(n: int, seed: int | None = None) -> Table:
    """Return a made-up table of five dependent columns, each of another kind.

    `warmth` is standard normal; `visitors` counts of a Poisson distribution; `humidity`
    lies between 0 and 100; `rain` is 0 in 70 % of the rows, and an amount above 0 in
    the others; `season` is a category, with the labels 0, 1 and 2. The share of dry
    rows, the season, the counts and the amounts depend on `warmth`.

    Args:
        n: Number of rows.
        seed: Int that fixes them.

    Returns:
        The table; `MIXED_COLUMNS` says what its columns are.

    Example:
        >>> import tfp_flows as tfpf
        >>> table = tfpf.datasets.mixed_table(4, seed=0)
        >>> table.columns
        ('warmth', 'visitors', 'humidity', 'rain', 'season')
        >>> table.x[:, 1].tolist()
        [7.0, 1.0, 5.0, 0.0]
    """
    check_count(n)
    rng = np.random.default_rng(seed)
    warmth = rng.normal(size=n)
    visitors = rng.poisson(_rate(warmth)).astype(np.float64)
    logit = _humidity_centre(warmth, visitors) + HUMIDITY_SCALE * rng.normal(size=n)
    humidity = 100.0 / (1.0 + np.exp(-logit))
    amount = np.exp(_rain_centre(warmth, humidity) + RAIN_SCALE * rng.normal(size=n))
    rain = np.where(rng.uniform(size=n) < _dry(warmth), 0.0, amount)
    below = np.cumsum(np.exp(_season_log_probs(warmth)), axis=1)[:, :-1]
    season = np.sum(rng.uniform(size=n)[:, np.newaxis] > below, axis=1)
    x = np.stack([warmth, visitors, humidity, rain, season], axis=1)
    return Table(x, tuple(MIXED_COLUMNS))


def mixed_table_log_prob(x: Any) -> np.ndarray:
    """Return the exact log-density of rows of `mixed_table`, in nats.

    It is a mass in `visitors`, `season` and where `rain` is 0, and a density per unit
    elsewhere, as `log_prob` of a flow with `MIXED_COLUMNS` is.

    Args:
        x: Rows, `[N, 5]`, or a table.

    Returns:
        `[N]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> rows = tfpf.datasets.mixed_table(4, seed=0)
        >>> tfpf.datasets.mixed_table_log_prob(rows).shape
        (4,)
    """
    rows = np.asarray(getattr(x, "x", x), np.float64)
    warmth, visitors, humidity, rain, season = rows.T
    factorial = np.array([math.lgamma(count + 1.0) for count in visitors])
    rate = _rate(warmth)
    out = _normal(warmth, 0.0, 1.0) + visitors * np.log(rate) - rate - factorial
    share = humidity / 100.0
    logit = np.log(share) - np.log1p(-share)
    out += _normal(logit, _humidity_centre(warmth, visitors), HUMIDITY_SCALE)
    out -= np.log(100.0) + np.log(share) + np.log1p(-share)
    is_dry = rain == 0.0
    log_rain = np.log(np.where(is_dry, 1.0, rain))
    wet = _normal(log_rain, _rain_centre(warmth, humidity), RAIN_SCALE) - log_rain
    dry = _dry(warmth)
    out += np.where(is_dry, np.log(dry), np.log1p(-dry) + wet)
    log_probs = _season_log_probs(warmth)
    return out + np.take_along_axis(log_probs, season[:, None].astype(int), 1)[:, 0]


def _normal(x: np.ndarray, loc: Any, scale: float) -> np.ndarray:
    return -0.5 * np.square((x - loc) / scale) - math.log(scale) - 0.5 * LOG_2PI
