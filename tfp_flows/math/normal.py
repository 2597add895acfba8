"""The normal CDF and its inverse by the smaller of the two tails.

`ndtr(6.)` is 1 in float32, and whatever is computed from it is lost. Its complement is
not: a probability is kept here as the pair of both tails, and each half of the line
uses its own one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.math import roots
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

Tail = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]

LOG_NORMALISER = 0.5 * math.log(2.0 * math.pi)
# From where `erfc` is given by its asymptotic series, whose terms still fall there.
SERIES_FROM, SERIES_TERMS = {"float32": 5.0, "float64": 10.0}, 10


def log_prob(x: tf.Tensor) -> tf.Tensor:
    """Return the log-density of the standard normal distribution."""
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
    clipped = tf.maximum(x, start)
    _, series, _, _ = _series(clipped)
    tail = (
        tf.math.log(series)
        - tf.square(clipped)
        - tf.math.log(clipped * math.sqrt(math.pi))
    )
    return tf.where(x < start, near, tail)


def _series(clipped: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return `part = -1 / (2 * clipped^2)` and the series of `erfc` in it, nested.

    That is `1 + part * (1 + 3 * part * (1 + 5 * part * ...))`, from the outermost
    bracket to the third.
    """
    part = -0.5 / tf.square(clipped)
    nested = [tf.ones_like(clipped)]
    for term in range(SERIES_TERMS, 0, -1):
        nested.append(1.0 + (2 * term - 1) * part * nested[-1])
    return part, nested[-1], nested[-2], nested[-3]


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

    `tf.math.ndtri` would do, but for XLA, whose own loses all digits in the tail:
    infinite at 6e-16 in float32.

    Args:
        below: Probability below, `[...]`, in (0, 1).
        above: Probability above, `[...]`, in (0, 1); both sum to 1.

    Returns:
        Positions, `[...]`.
    """
    lower = below < above
    smaller = tf.where(lower, below, above)
    # Off the least number, below which the derivative would overflow.
    least = 16.0 * np.finfo(smaller.dtype.as_numpy_dtype).tiny
    level = _upper_level(_log(tf.maximum(smaller, least)), far=False)
    return tf.where(lower, -level, level)


def quantiles_of_arrays(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return `quantile` of arrays in float64, sooner than op by op."""
    return traced(quantile, None, None)(below, above).numpy()


def quantile_of_logs(log_below: tf.Tensor, log_above: tf.Tensor) -> tf.Tensor:
    """Return `quantile` of probabilities given by their logs, however small.

    Args:
        log_below: Log of the probability below, `[...]`.
        log_above: Log of the probability above, `[...]`.

    Returns:
        Positions, `[...]`.
    """
    lower = log_below < log_above
    level = _upper_level(tf.where(lower, log_below, log_above), far=True)
    return tf.where(lower, -level, level)


@tf.custom_gradient
def _log(p: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return `log(p)`, in whose derivatives no power of `1 / p` is a factor.

    It would overflow where the derivative itself does not.
    """
    return tf.math.log(p), lambda upstream: upstream * _over(p)


def _over(p: tf.Tensor) -> tf.Tensor:
    """Return `1 / p`; neither are powers of it a factor of its derivatives."""
    given = tf.identity(p)  # Of the graph that is written now.

    @tf.custom_gradient
    def over(p: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            again = _over(given)
            return -(upstream * again) * again

        return 1.0 / p, gradient

    return over(given)


def _upper_level(log_p: tf.Tensor, *, far: bool) -> tf.Tensor:
    """Return where the log of the probability above is `log_p`, at most `log(1/2)`.

    A rational start and steps along the Taylor series of the level as a function of
    `log_p` need no branch. Derivatives are those of a root: minus Mills' ratio there,
    and what follows from it.

    Args:
        log_p: Logs, `[...]`.
        far: Whether the probability may be below the least number of the dtype.
    """
    fixed = tf.stop_gradient(log_p)
    level = -_near_lower_quantile(fixed)
    for _ in range(2 if log_p.dtype == tf.float64 else 1):
        level = _along_series(level, fixed, far=far)
    return roots.attach_derivatives(
        _minus_log_tail, level, -log_p, is_exact=True, inverse_slope=_mills_ratio
    )


def _along_series(level: tf.Tensor, log_p: tf.Tensor, *, far: bool) -> tf.Tensor:
    """Step from a level to that of `log_p`: of an error of 4.5e-4 it leaves 4e-14.

    With Mills' ratio `m` the series is `level - m * d + m * m' * d^2 / 2 - m * (m'^2 +
    m * m'') * d^3 / 6`, and `d` the distance of the logs.
    """
    log_tail, *ratios = (_far_tail if far else _tail)(level)
    distance = log_p - log_tail
    step, first, second = (ratio * distance for ratio in ratios)
    curved = (first * first + step * second) * (1.0 / 6.0)
    return level - step * (1.0 - 0.5 * first + curved)


def _minus_log_tail(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return minus the log of the probability above, and the log of its slope."""
    return -log_tails(x)[1], -tf.math.log(_mills_ratio(x))


def _mills_ratio(x: tf.Tensor, order: int = 0) -> tf.Tensor:
    """Return the probability above over the density, or a derivative of it, `[...]`.

    Derivatives follow from the two before, as a difference of numbers that are almost
    equal: they are taken in float64, and by a series where its digits are too few.
    """

    @tf.custom_gradient
    def ratio(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return upstream * _mills_ratio(given, order + 1)

        if order == 0:
            return _far_tail(x)[1], gradient
        wide = tf.cast(x, tf.float64)
        return tf.cast(_mills_derivative(wide, order), x.dtype), gradient

    given = tf.identity(x)  # Of the graph that is written now.
    return ratio(given)


def _mills_derivative(x: tf.Tensor, order: int) -> tf.Tensor:
    """Return the derivative of some order of Mills' ratio, at most of order 100."""
    start = math.sqrt(2.0) * SERIES_FROM["float64"]
    near, beyond = tf.minimum(x, start), tf.maximum(x, start)
    _, before, now, _ = _tail(near)
    for k in range(1, order):
        before, now = now, near * now + k * before
    # The series in 1 / x, of which each term has been differentiated.
    square, series = tf.square(1.0 / beyond), tf.zeros_like(x)
    for term in range(SERIES_TERMS, -1, -1):
        odd = math.prod(range(1, 2 * term, 2)) * math.perm(2 * term + order, order)
        series = float((-1) ** (term + order) * odd) + square * series
    return tf.where(x < start, now, series * (1.0 / beyond) ** (order + 1))


def _tail(x: tf.Tensor, scaled: tf.Tensor | None = None) -> Tail:
    """Return the log of the probability above, Mills' ratio, and its two derivatives.

    The ratio is the probability over the density. Both must be within the dtype.
    """
    scaled = x * math.sqrt(0.5) if scaled is None else scaled
    above = tf.math.erfc(scaled)
    ratio = math.sqrt(0.5 * math.pi) * above * tf.exp(scaled * scaled)
    slope = x * ratio - 1.0
    return tf.math.log(0.5 * above), ratio, slope, ratio + x * slope


def _far_tail(x: tf.Tensor) -> Tail:
    """Return `_tail`, by the asymptotic series where `erfc` underflows."""
    scaled = x * math.sqrt(0.5)
    start = SERIES_FROM[x.dtype.name]
    near = _tail(x, tf.minimum(scaled, start))
    clipped = tf.maximum(scaled, start)
    # What would cancel is taken from the brackets of the series.
    part, series, inner, rest = _series(clipped)
    log_tail = tf.math.log(series / clipped) - tf.square(clipped)
    inverse = math.sqrt(0.5) / clipped
    beyond = (
        log_tail - math.log(2.0 * math.sqrt(math.pi)),
        series * inverse,
        part * inner,
        part * (inner - 3.0 * rest) * inverse,
    )
    close = scaled < start
    one, two, three, four = (
        tf.where(close, *pair) for pair in zip(near, beyond, strict=True)
    )
    return one, two, three, four


def _near_lower_quantile(log_p: tf.Tensor) -> tf.Tensor:
    """Return the normal quantile of probabilities up to 1/2 from their logs, to 4.5e-4.

    References:
        Abramowitz, Stegun (1964). Handbook of Mathematical Functions, 26.2.23.
    """
    t = tf.sqrt(-2.0 * log_p)
    over = 2.515517 + t * (0.802853 + t * 0.010328)
    return over / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t


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
