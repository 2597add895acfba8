"""Increasing functions that add a bend to their argument, and systems of them.

`a + p * tanh(a)` increases for `p > -1`. Planar maps bend along one direction by it,
Sylvester maps along several, which a triangular matrix joins: `a + T @ tanh(a)`.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import implicit, roots
from tfp_flows.math.linear import products

__all__ = ["bend", "bounded", "log_slope", "unbend", "unbend_triangular"]


def bounded(raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Map any number to one above -1: itself, or `raw / (1 - raw)` if negative.

    Slope and value are continuous at zero. One more than the result is returned beside
    it, since close to -1 it has more digits.

    Args:
        raw: Any numbers.

    Returns:
        `p`, and `1 + p`, which is positive.
    """
    below = tf.where(raw < 0.0, raw, tf.zeros_like(raw))
    above = raw - below
    return above + below / (1.0 - below), above + 1.0 / (1.0 - below)


def log_slope(a: tf.Tensor, stretch: tf.Tensor) -> tf.Tensor:
    """Return `log(1 + p * (1 - tanh(a)**2))`, a sum of positive terms.

    Args:
        a: Arguments of `bend`.
        stretch: `1 + p`.
    """
    rest = 4.0 * tf.sigmoid(2.0 * a) * tf.sigmoid(-2.0 * a)
    return tf.math.log(tf.square(tf.tanh(a)) + rest * stretch)


def bend(a: tf.Tensor, p: tf.Tensor, stretch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `a + p * tanh(a)` and the log of its slope.

    Args:
        a: Any numbers.
        p: Above -1.
        stretch: `1 + p`.
    """
    return a + p * tf.tanh(a), log_slope(a, stretch)


def unbend(value: tf.Tensor, p: tf.Tensor, stretch: tf.Tensor) -> tf.Tensor:
    """Solve `bend(a, p, stretch)[0] = value` for `a`.

    Args:
        value: `[...]`.
        p: See `bend`; broadcasts against `value`.
        stretch: See `bend`.
    """
    value, width = value + tf.zeros_like(p), tf.abs(p)
    low, high = value - width, value + width
    return roots.root(bend, value, low, high, [p, stretch], bracketed=True)


def unbend_triangular(
    value: tf.Tensor, strict: tf.Tensor, p: tf.Tensor, stretch: tf.Tensor
) -> tf.Tensor:
    """Solve `a + (N + diag(p)) @ tanh(a) = value` for `a`.

    The last coordinate stands alone, and each further one depends on those behind it:
    `M` sweeps of scalar searches over all coordinates end at the solution, and most
    often a few do. Derivatives are right to every order, as those of `roots.solve`.

    Args:
        value: `[..., M]`.
        strict: Strictly upper triangular `N`, `[..., M, M]`.
        p: Above -1, `[..., M]`.
        stretch: `1 + p`, `[..., M]`.
    """
    value = value + tf.zeros_like(p)
    fixed = [tf.stop_gradient(tensor) for tensor in (value, strict, p, stretch)]
    a = _swept(*fixed)
    inputs = value, strict, p, stretch
    return implicit.solution(a, inputs, _missing, _over_jacobian)


def _swept(
    value: tf.Tensor, strict: tf.Tensor, p: tf.Tensor, stretch: tf.Tensor
) -> tf.Tensor:
    """Solve coordinate by coordinate, in sweeps over all of them."""

    def sweep(a: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rest = value - products.matvec(strict, tf.tanh(a))
        rest.set_shape(a.shape)
        new = unbend(rest, p, stretch)
        return new, tf.reduce_any(tf.not_equal(new, a))

    a, _ = tf.while_loop(
        lambda _, moved: moved,
        sweep,
        (tf.zeros_like(value), tf.constant(value=True)),
        maximum_iterations=value.shape[-1],
    )
    return a


def _missing(
    a: tf.Tensor, value: tf.Tensor, strict: tf.Tensor, p: tf.Tensor, _: tf.Tensor
) -> tf.Tensor:
    matrix = products.with_diagonal(strict, p)
    return value - a - products.matvec(matrix, tf.tanh(a))


def _over_jacobian(
    a: tf.Tensor,
    right: tf.Tensor,
    _: tf.Tensor,
    strict: tf.Tensor,
    _p: tf.Tensor,
    stretch: tf.Tensor,
    *,
    adjoint: bool = False,
) -> tf.Tensor:
    """Divide by the Jacobian of `a + (N + diag(p)) @ tanh(a)`, or its transpose."""
    rest = 4.0 * tf.sigmoid(2.0 * a) * tf.sigmoid(-2.0 * a)
    diagonal = tf.square(tf.tanh(a)) + rest * stretch
    matrix = products.with_diagonal(strict * rest[..., tf.newaxis, :], diagonal)
    solved = tf.linalg.triangular_solve(
        matrix, right[..., tf.newaxis], lower=False, adjoint=adjoint
    )
    return solved[..., 0]
