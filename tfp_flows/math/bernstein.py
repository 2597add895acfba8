"""Increasing Bernstein polynomials, and their inverse.

With `u` in [0, 1] the position in the interval and increasing coefficients `c`,

    y = sum_k c[k] * binom(M, k) * u^k * (1 - u)^(M - k)

increases, and its derivative by `u` is the polynomial of degree `M - 1` with the
coefficients `M * (c[k + 1] - c[k])`: a sum of positive numbers. First and last
coefficient are the ends of the interval, which is thus mapped onto itself. Outside, the
value goes on as a straight line of the slope of the end.

The coefficient axis comes first: logits are `[M, ...]`, coefficients `[M + 1, ...]`.

References:
    Sameera Ramasinghe, Kasun Fernando, Salman Khan, Nick Barnes (2021). Robust
    normalizing flows using Bernstein-type polynomials. https://arxiv.org/abs/2102.03509
"""

from __future__ import annotations

import math

import tensorflow as tf

from tfp_flows.math import lines, roots
from tfp_flows.math.splines import rational_quadratic

__all__ = ["MAX_DEGREE", "forward", "inverse"]

# Binomial coefficients of a higher degree overflow float32.
MAX_DEGREE = 100
# Steps between coefficients are at least this share of the interval over the degree,
MIN_STEP = 1e-3
# and their logits are softly clipped to this size: slopes within exp(+-4.5).
LOGIT_BOUND = 4.5


def forward(
    x: tf.Tensor, logits: tf.Tensor, low: float, high: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a polynomial and the logarithm of its derivative.

    Args:
        x: Scalars, `[...]`.
        logits: Logits of the steps between coefficients, `[M, ...]`; zeros give the
            identity.
        low: Where the polynomial begins.
        high: Where it ends.

    Returns:
        Value and log-derivative, `[...]`.
    """
    steps = _steps(logits)
    clipped = tf.clip_by_value(x, low, high)
    y, log_slope = _inside(clipped, steps, low, high)
    return y + lines.beyond(x, low, high) * tf.exp(log_slope), log_slope


def inverse(
    y: tf.Tensor, logits: tf.Tensor, low: float, high: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `forward(x) = y`; returns `x` and the log-derivative of the inverse.

    Args:
        y: Scalars, `[...]`.
        logits: See `forward`.
        low: See `forward`.
        high: See `forward`.

    Returns:
        Value and log-derivative of the inverse map, `[...]`.
    """
    steps = _steps(logits)
    y = y + tf.zeros_like(steps[0])

    def polynomial(x: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _inside(x, steps, low, high)

    target = tf.clip_by_value(y, low, high)
    ends = tf.constant(low, y.dtype), tf.constant(high, y.dtype)
    x = roots.root(polynomial, target, *ends, [steps], bracketed=True)
    # The lines begin at the ends, not at roots near them: slopes change quickly there.
    x = tf.where(y < low, ends[0], tf.where(y > high, ends[1], x))
    log_slope = polynomial(x, steps)[1]
    return x + lines.beyond(y, low, high) * tf.exp(-log_slope), -log_slope


def _steps(logits: tf.Tensor) -> tf.Tensor:
    """Return the steps between coefficients, `[M, ...]`, which sum to 1."""
    minimum = MIN_STEP / logits.shape[0]
    return rational_quadratic.bin_sizes(logits, minimum, LOGIT_BOUND)


def _basis(u: tf.Tensor, degree: int) -> tf.Tensor:
    """Return the Bernstein polynomials of a degree, `[degree + 1, ...]`."""
    rising, falling = [tf.ones_like(u)], [tf.ones_like(u)]
    for _ in range(degree):
        rising.append(rising[-1] * u)
        falling.append(falling[-1] * (1.0 - u))
    pairs = zip(rising, falling[::-1], strict=True)
    return tf.stack(
        [float(math.comb(degree, k)) * a * b for k, (a, b) in enumerate(pairs)]
    )


def _inside(
    x: tf.Tensor, steps: tf.Tensor, low: float, high: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return value and log-derivative in the interval."""
    degree, length = steps.shape[0], high - low
    u = (x - low) / length
    ends = tf.constant(low, x.dtype), tf.constant(high, x.dtype)
    coefficients = rational_quadratic.knots(steps, *ends)
    y = tf.reduce_sum(coefficients * _basis(u, degree), axis=0)
    slope = degree * tf.reduce_sum(steps * _basis(u, degree - 1), axis=0)
    return y, tf.math.log(slope)
