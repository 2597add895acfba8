"""The normal CDF and its inverse by the smaller of the two tails.

`ndtr(6.)` is 1 in float32, and whatever is computed from it is lost. Its complement is
not: a probability is kept here as the pair of both tails, and each half of the line
uses its own one.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.math.traced import traced

__all__ = [
    "cell_probabilities",
    "log_prob",
    "log_tails",
    "quantile",
    "quantile_of_logs",
    "quantiles_of_arrays",
    "tails",
]

LOG_NORMALISER = 0.5 * math.log(2.0 * math.pi)
NEWTON_STEPS = 4
# From where Mills' ratio is `1 / (x + 1 / x)`, to parts in a million.
MILLS_FROM = 30.0
# From where `erfc` is given by its asymptotic series, whose terms still fall there.
SERIES_FROM, SERIES_TERMS = {"float32": 5.0, "float64": 10.0}, 10


def log_prob(x: tf.Tensor) -> tf.Tensor:
    """Return the log-density of the standard normal law."""
    return -0.5 * tf.square(x) - LOG_NORMALISER


def tails(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the probabilities below and above `x`, each to full precision.

    Args:
        x: Positions, `[...]`.

    Returns:
        `ndtr(x)` and `ndtr(-x)`.
    """
    scaled = x * math.sqrt(0.5)
    return 0.5 * tf.math.erfc(-scaled), 0.5 * tf.math.erfc(scaled)


def _log_erfc(x: tf.Tensor) -> tf.Tensor:
    """Return `log(erfc(x))`, by the asymptotic series where `erfc` underflows."""
    start = SERIES_FROM[x.dtype.name]
    near = tf.math.log(tf.math.erfc(tf.minimum(x, start)))
    far = tf.maximum(x, start)
    part = -0.5 / tf.square(far)
    series = tf.ones_like(far)
    for term in range(SERIES_TERMS, 0, -1):
        series = 1.0 + (2 * term - 1) * part * series
    tail = tf.math.log(series) - tf.square(far) - tf.math.log(far * math.sqrt(math.pi))
    return tf.where(x < start, near, tail)


def log_tails(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the logs of the probabilities below and above `x`, however small.

    Args:
        x: Positions, `[...]`.

    Returns:
        `log(ndtr(x))` and `log(ndtr(-x))`.
    """
    scaled = x * math.sqrt(0.5)
    return _log_erfc(-scaled) - math.log(2.0), _log_erfc(scaled) - math.log(2.0)


def quantile(below: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    """Return where the probabilities below and above are these, from the smaller one.

    Args:
        below: Probability below, `[...]`, in (0, 1).
        above: Probability above, `[...]`, in (0, 1); both sum to 1.

    Returns:
        Positions, `[...]`.
    """
    lower = below < above
    smaller = _lower_quantile(tf.where(lower, below, above))
    return tf.where(lower, smaller, -smaller)


def quantiles_of_arrays(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return `quantile` of arrays in float64, sooner than op by op."""
    return traced(quantile, None, None)(below, above).numpy()


def _mills_ratio(x: tf.Tensor) -> tf.Tensor:
    """Return the probability above `x` over the density; far out to first order.

    There the difference of both logs, huge numbers, would have no digits left.
    """
    near = tf.minimum(x, MILLS_FROM)
    ratio = tf.exp(log_tails(near)[1] - log_prob(near))
    far = tf.maximum(x, MILLS_FROM)
    return tf.where(x < MILLS_FROM, ratio, 1.0 / (far + 1.0 / far))


def quantile_of_logs(log_below: tf.Tensor, log_above: tf.Tensor) -> tf.Tensor:
    """Return `quantile` of probabilities given by their logs, however small.

    Args:
        log_below: Log of the probability below, `[...]`.
        log_above: Log of the probability above, `[...]`.

    Returns:
        Positions, `[...]`.
    """
    lower = log_below < log_above
    smaller = tf.where(lower, log_below, log_above)
    fixed = tf.stop_gradient(smaller)
    level = -_near_lower_quantile(fixed)
    for _ in range(NEWTON_STEPS):
        level += (log_tails(level)[1] - fixed) * _mills_ratio(level)
    level = tf.stop_gradient(level)
    # The derivative is the ratio of tail and density, not what the steps give.
    level -= (smaller - fixed) * tf.stop_gradient(_mills_ratio(level))
    return tf.where(lower, -level, level)


def _near_lower_quantile(log_p: tf.Tensor) -> tf.Tensor:
    """Return the normal quantile of probabilities up to 1/2 from their logs, to 4.5e-4.

    References:
        Abramowitz, Stegun (1964). Handbook of Mathematical Functions, 26.2.23.
    """
    t = tf.sqrt(-2.0 * log_p)
    over = 2.515517 + t * (0.802853 + t * 0.010328)
    return over / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t


def _lower_quantile(p: tf.Tensor) -> tf.Tensor:
    """Return the normal quantile of probabilities up to 1/2.

    `tf.math.ndtri` would do, but for XLA, whose own loses all digits in the tail:
    infinite at 6e-16 in float32. A rational start and steps of Newton on the log of the
    probability need no branch.
    """
    # Off the least number, below which a step would divide by 0.
    p = tf.maximum(p, 16.0 * np.finfo(p.dtype.as_numpy_dtype).tiny)
    log_p = tf.math.log(p)
    x = _near_lower_quantile(log_p)
    # One step less has all digits, but for those of the gradient, which is that of the
    # last step: it does not depend on where the step begins.
    for _ in range(3 if p.dtype == tf.float64 else 2):
        x = tf.stop_gradient(x)
        below = tails(x)[0]
        x -= (tf.math.log(below) - log_p) * below * tf.exp(-log_prob(x))
    return x


def cell_probabilities(edges: np.ndarray) -> np.ndarray:
    """Return the probability of each cell between edges, exact in both tails.

    Args:
        edges: Increasing edges, `[..., G + 1]`.

    Returns:
        `[..., G]`; the end cells have what lies beyond the edges as well.
    """
    below, above = (t.numpy() for t in tails(tf.constant(edges, tf.float64)))
    from_left, from_right = np.diff(below), -np.diff(above)
    out = np.where(edges[..., 1:] < 0, from_left, from_right)
    out[..., 0] += below[..., 0]
    out[..., -1] += above[..., -1]
    return out
