"""Monotone functions of many features at once, each given by a table of its knots.

Tables are `[D, K + 1]`, one row for each feature, and apply to events `[..., D]`. The
bin of a position is found by bisection, so that a position costs `log2(K)` steps
whatever the number of bins, and its numbers by one gather for all features.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math.splines import rational_quadratic

__all__ = ["bin_index", "evaluate", "invert", "knots", "pick"]


def knots(middle: tf.Tensor, log_sizes: tf.Tensor) -> tf.Tensor:
    """Return increasing knots from the middle one and the logs of their distances.

    The sums run outwards, so that knots far out take no digits from those within.

    Args:
        middle: Knot number `K // 2` of each feature, `[D]`.
        log_sizes: Logs of the sizes of the bins, `[D, K]`.

    Returns:
        Knots, `[D, K + 1]`.
    """
    half = log_sizes.shape[1] // 2
    sizes, middle = tf.exp(log_sizes), middle[:, tf.newaxis]
    below = middle - tf.cumsum(sizes[:, :half], axis=-1, reverse=True)
    above = middle + tf.cumsum(sizes[:, half:], axis=-1)
    return tf.concat([below, middle, above], axis=-1)


def pick(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Return `table[d, index[..., d]]` for each feature `d`.

    Args:
        table: `[D, K]`, or `[D, K, P]` for `P` numbers at once.
        index: Integers, `[..., D]`.

    Returns:
        `[..., D]`, or `[..., D, P]`.
    """
    size, length = table.shape[:2]
    if size is None:
        size = tf.shape(table)[0]
    flat = tf.reshape(table, [-1, *table.shape[2:]])
    return tf.gather(flat, index + length * tf.range(size))


def bin_index(value: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Return the bin of each position; the end bins take what lies outside.

    Args:
        value: Positions, `[..., D]`.
        table: Knots in increasing order, `[D, K + 1]`.

    Returns:
        Integers from 0 to `K - 1`, `[..., D]`.
    """
    bins = table.shape[1] - 1
    index = tf.zeros_like(value, tf.int32)
    step = 1 << max(0, (bins - 1).bit_length() - 1)
    while step and bins > 1:
        trial = tf.minimum(index + step, bins - 1)
        index = tf.where(value >= pick(table, trial), trial, index)
        step //= 2
    return index


def _ends(index: tf.Tensor, tables: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
    """Return the numbers of the left and of the right knot of each bin, in turn."""
    sides = [part for table in tables for part in (table[:, :-1], table[:, 1:])]
    return tf.unstack(pick(tf.stack(sides, axis=-1), index), axis=-1)


def _apply(
    value: tf.Tensor, tables: tuple[tf.Tensor, ...], *, inverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    x_knots, y_knots, knot_slopes = tables
    source, target = (y_knots, x_knots) if inverse else (x_knots, y_knots)
    # Clip before and select after: no branch ever sees a value it cannot take.
    clipped = tf.clip_by_value(value, source[:, 0], source[:, -1])
    function = (
        rational_quadratic.inverse_in_bin
        if inverse
        else rational_quadratic.forward_in_bin
    )
    out, log_det = function(clipped, *_ends(bin_index(clipped, source), tables))
    sign = -1.0 if inverse else 1.0
    zero = tf.zeros_like(value)
    ends = ((value < source[:, 0], 0), (value > source[:, -1], -1))
    for outside, edge in ends:
        log_slope = sign * tf.math.log(knot_slopes[:, edge])
        # The other branch gets a harmless step, so that its gradient is finite.
        step = tf.where(outside, value - source[:, edge], zero)
        out = tf.where(outside, target[:, edge] + step * tf.exp(log_slope), out)
        log_det = tf.where(outside, log_slope + zero, log_det)
    # NaN in, NaN out: clipping may hide it.
    return tf.where(tf.math.is_nan(value), value, out), log_det


def evaluate(
    x: tf.Tensor, x_knots: tf.Tensor, y_knots: tf.Tensor, knot_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate rational-quadratic splines with straight tails.

    Args:
        x: Positions, `[..., D]`.
        x_knots: Where the knots lie, `[D, K + 1]`, increasing.
        y_knots: Values at the knots, `[D, K + 1]`, increasing.
        knot_slopes: Derivatives at the knots, `[D, K + 1]`, positive.

    Returns:
        Values and log-derivatives, both `[..., D]`.
    """
    return _apply(x, (x_knots, y_knots, knot_slopes), inverse=False)


def invert(
    y: tf.Tensor, x_knots: tf.Tensor, y_knots: tf.Tensor, knot_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `evaluate(x) = y`, in closed form.

    Args:
        y: Values, `[..., D]`.
        x_knots: See `evaluate`.
        y_knots: See `evaluate`.
        knot_slopes: See `evaluate`.

    Returns:
        Positions and log-derivatives of the inverse, both `[..., D]`.
    """
    return _apply(y, (x_knots, y_knots, knot_slopes), inverse=True)
