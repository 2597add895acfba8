"""Monotone rational-quadratic splines without cancellation.

All functions take the bin axis first: widths and heights are `[K, ...]`, knots and
slopes `[K + 1, ...]`, and `...` broadcasts against the input. In a bin of width `w`,
height `h` and end slopes `d0`, `d1`, with `xi` the position in it and `s = h / w`,

    y = y0 + h * (s * xi^2 + d0 * xi * (1 - xi)) / den
    den = s * (xi^2 + (1 - xi)^2) + (d0 + d1) * xi * (1 - xi)

which is eq. 4 of Durkan et al. (2019) with the denominator written as a sum of
non-negative terms. The inverse solves its quadratic with `e = d0 * u - d1 * v`, where
`v` and `u = 1 - v` are the distances to the two knots, each taken by a subtraction of
its own: every term is again a sum of non-negative numbers, so that nothing cancels.

References:
    Conor Durkan, Artur Bekasov, Iain Murray, George Papamakarios (2019). Neural Spline
    Flows. https://arxiv.org/abs/1906.04032
    John Gregory, Roger Delbourgo (1982). Piecewise rational quadratic interpolation to
    monotonic data. https://doi.org/10.1093/imanum/2.2.123
"""

from __future__ import annotations

import tensorflow as tf

__all__ = [
    "bin_sizes",
    "forward",
    "forward_in_bin",
    "inverse",
    "inverse_in_bin",
    "knots",
    "slopes",
    "soft_clip",
]


def soft_clip(x: tf.Tensor, bound: float) -> tf.Tensor:
    """Squash `x` smoothly into `(-bound, bound)` with slope 1 at zero."""
    return x / (1.0 + tf.abs(x) * (1.0 / bound))


def bin_sizes(logits: tf.Tensor, minimum: float, bound: float) -> tf.Tensor:
    """Turn logits into bin sizes that sum to 1, each at least `minimum`.

    Args:
        logits: Unconstrained numbers, `[K, ...]`; zeros give equal bins.
        minimum: Smallest bin relative to the whole range.
        bound: Logits are softly clipped to this size, which bounds the ratio of bins.

    Returns:
        Sizes, `[K, ...]`.
    """
    weights = tf.exp(soft_clip(logits, bound))
    total = tf.reduce_sum(weights, axis=0, keepdims=True)
    scale = 1.0 - minimum * logits.shape[0]
    return minimum + weights * (scale / total)


def slopes(logits: tf.Tensor, bound: float) -> tf.Tensor:
    """Turn logits into slopes in `exp(+-bound)`; zeros give slope 1."""
    return tf.exp(soft_clip(logits, bound))


def knots(sizes: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Return the `K + 1` knots of bins, first and last pinned to `low` and `high`.

    Args:
        sizes: Bin sizes relative to the range, `[K, ...]`, summing to 1.
        low: First knot.
        high: Last knot.

    Returns:
        Knots, `[K + 1, ...]`.
    """
    length = high - low
    below = tf.cumsum(sizes[:-1], axis=0)
    above = tf.cumsum(sizes[1:], axis=0, reverse=True)
    # From the nearer end: a shorter sum has lost fewer digits.
    inner = tf.where(below < 0.5, low + length * below, high - length * above)
    edge = tf.zeros_like(sizes[:1])
    return tf.concat([low + edge, inner, high + edge], axis=0)


def _pick(position: tf.Tensor, search: tf.Tensor, tables: list[tf.Tensor]) -> list:
    """Select, for each position, the entry of its bin from tables `[K, ...]`.

    A bin is a run of knots that are not above the position. The end bins take what
    lies outside, so that every position has exactly one bin.
    """
    passed = position >= search[1:-1]
    true = tf.ones_like(position, tf.bool)[tf.newaxis]
    # Broadcasts against batches of the position that the knots do not have.
    passed = tf.logical_and(passed, true)
    inside = tf.concat([true, passed], 0) & ~tf.concat([passed, ~true], 0)
    zero = tf.zeros([], position.dtype)
    return [tf.reduce_sum(tf.where(inside, t, zero), axis=0) for t in tables]


def _tables(
    x_knots: tf.Tensor, y_knots: tf.Tensor, knot_slopes: tf.Tensor
) -> list[tf.Tensor]:
    return [
        x_knots[:-1],
        x_knots[1:],
        y_knots[:-1],
        y_knots[1:],
        knot_slopes[:-1],
        knot_slopes[1:],
    ]


def _log_derivative(
    xi: tf.Tensor, rest: tf.Tensor, s: tf.Tensor, d0: tf.Tensor, d1: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the denominator of the map and the log of its derivative (eq. 5)."""
    product = xi * rest
    squares = xi * xi, rest * rest
    den = s * (squares[0] + squares[1]) + (d0 + d1) * product
    num = d1 * squares[0] + 2.0 * s * product + d0 * squares[1]
    ratio = s / den
    return den, tf.math.log(num * ratio * ratio)


def forward_in_bin(
    x: tf.Tensor,
    x0: tf.Tensor,
    x1: tf.Tensor,
    y0: tf.Tensor,
    y1: tf.Tensor,
    d0: tf.Tensor,
    d1: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the map of one bin, given its knots and the slopes there.

    Returns:
        Value and log-derivative, both `[...]`.
    """
    w, h = x1 - x0, y1 - y0
    s = h / w
    xi, rest = (x - x0) / w, (x1 - x) / w
    den, log_derivative = _log_derivative(xi, rest, s, d0, d1)
    y = y0 + h * (xi * (s * xi + d0 * rest) / den)
    return y, log_derivative


def inverse_in_bin(
    y: tf.Tensor,
    x0: tf.Tensor,
    x1: tf.Tensor,
    y0: tf.Tensor,
    y1: tf.Tensor,
    d0: tf.Tensor,
    d1: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the inverse map of one bin; the log-derivative is that of the inverse.

    Returns:
        Value and log-derivative of the inverse, both `[...]`.
    """
    w, h = x1 - x0, y1 - y0
    s = h / w
    v, u = (y - y0) / h, (y1 - y) / h
    e = d0 * u - d1 * v
    g = 4.0 * s * s * u * v
    positive = e >= 0.0
    # Not by `abs`: its derivative is 0 where `e` is, at the centre of a straight bin.
    total = tf.sqrt(e * e + g) + tf.where(positive, e, -e)
    q = tf.where(positive, total, g / total)
    p = 2.0 * s * v
    xi, rest = p / (p + q), q / (p + q)
    _, log_derivative = _log_derivative(xi, rest, s, d0, d1)
    # From the nearer knot, so that the result stays within the bin.
    x = tf.where(xi < 0.5, x0 + w * xi, x1 - w * rest)
    return x, -log_derivative


def forward(
    x: tf.Tensor, x_knots: tf.Tensor, y_knots: tf.Tensor, knot_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the spline at positions between its first and last knot.

    Args:
        x: Positions, `[...]`, within the knots (clip before the call).
        x_knots: Knots of the domain, `[K + 1, ...]`, increasing.
        y_knots: Knots of the codomain, `[K + 1, ...]`, increasing.
        knot_slopes: Derivatives at the knots, `[K + 1, ...]`, positive.

    Returns:
        Value and log-derivative, both `[...]`.
    """
    tables = _tables(x_knots, y_knots, knot_slopes)
    return forward_in_bin(x, *_pick(x, x_knots, tables))


def inverse(
    y: tf.Tensor, x_knots: tf.Tensor, y_knots: tf.Tensor, knot_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the inverse spline; the log-derivative is that of the inverse.

    Args:
        y: Positions, `[...]`, within the knots (clip before the call).
        x_knots: Knots of the domain, `[K + 1, ...]`, increasing.
        y_knots: Knots of the codomain, `[K + 1, ...]`, increasing.
        knot_slopes: Derivatives at the knots, `[K + 1, ...]`, positive.

    Returns:
        Value and log-derivative of the inverse, both `[...]`.
    """
    tables = _tables(x_knots, y_knots, knot_slopes)
    return inverse_in_bin(y, *_pick(y, y_knots, tables))
