"""Increasing polynomials: integrals of sums of squared polynomials.

With `u` in [-1, 1] the position in the interval and polynomials `q_k` of degree `r`,

    y = shift + centre + integral from centre to x of (1 - m) * sum_k q_k(u)^2 + m

is a polynomial of degree `2 * r + 1` whose slope is at least `m`. Two squares reach
every positive polynomial. The rule of Gauss and Legendre with `r + 1` nodes gives the
integral exactly, as a sum of positive terms: products of coefficients would cancel.

References:
    Priyank Jaini, Kira Selby, Yaoliang Yu (2019). Sum-of-Squares Polynomial Flow.
    https://arxiv.org/abs/1905.02325, eq. 12
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import quadrature, roots
from tfp_flows.math.splines import rational_quadratic

__all__ = ["MAX_DEGREE", "polynomial"]

# Horner's rule keeps its digits up to here.
MAX_DEGREE = 20
# Slopes are at least this, so that inverses stay finite,
MIN_SLOPE = 1e-3
# and coefficients are softly clipped to this size, which bounds slopes.
COEFFICIENT_BOUND = 4.0


def polynomial(degree: int, low: float, high: float) -> roots.Function:
    """Return the polynomial on its interval; `lines` continues and inverts it.

    Args:
        degree: Degree of the polynomials that are squared.
        low: Where the polynomial begins.
        high: Where it ends.

    Returns:
        Function of scalars, `[...]`, and of the shift and the raw coefficients of each
        polynomial that is squared, `[1 + K * (degree + 1), ...]`; zeros give the
        identity. Its values and their log-derivatives are `[...]`.
    """
    centre, half = 0.5 * (low + high), 0.5 * (high - low)

    def slope(u: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Return the slope at positions `[N, ...]`."""
        rows = tf.unstack(raw)
        total = tf.zeros_like(u)
        for k in range(0, len(rows), degree + 1):
            value = tf.zeros_like(u)
            for coefficient in reversed(rows[k : k + degree + 1]):
                value = value * u + coefficient
            # The first polynomial is 1 where its numbers are 0.
            total += tf.square(value + 1.0 if k == 0 else value)
        return MIN_SLOPE + (1.0 - MIN_SLOPE) * total

    def inside(x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raw = rational_quadratic.soft_clip(params[1:], COEFFICIENT_BOUND)
        u = (x - centre) / half
        places = quadrature.nodes(u, 0.0, degree + 1)
        mean = quadrature.mean(slope(places, raw), degree + 1)
        y = params[0] + centre + (x - centre) * mean
        return y, tf.math.log(slope(u, raw))

    return inside
