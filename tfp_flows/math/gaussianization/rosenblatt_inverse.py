"""The inverse of the Rosenblatt transform of a Gaussian mixture.

Coordinates are found one after the other, in a loop that no derivative goes through:
TensorFlow cannot differentiate what XLA compiled a loop for. Derivatives are those of
the implicit function. With `J` the Jacobian of the transform `z = G(x; p)`,

    dx = J^-1 (dz - dG/dp dp)

`J` is lower triangular, so that `J^-1` and its transpose are one more loop over the
coordinates each; and since the derivative of either is made of both, derivatives of
all orders are right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfp_flows import _tapes
from tfp_flows.math import normal, roots
from tfp_flows.math.gaussianization import rosenblatt

__all__ = ["level", "quantile", "sample_map"]


def sample_map(
    z: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `rosenblatt.gaussianize`, one coordinate after the other.

    Args:
        z: Levels, `[N, D]`.
        log_weights: See `rosenblatt.gaussianize`.
        means: See `rosenblatt.gaussianize`.
        log_diagonals: See `rosenblatt.gaussianize`.
        lower: See `rosenblatt.gaussianize`.

    Returns:
        Positions and log-derivatives of each coordinate, both `[N, D]`.
    """
    parameters = (log_weights, means, log_diagonals, lower)
    if _tapes.in_forward_mode([z, *parameters]):
        x = _found(z, *parameters)
    else:
        fixed = [tf.stop_gradient(tensor) for tensor in (z, *parameters)]
        x = _attached(_found(*fixed), z, *parameters)
    return x, -rosenblatt.gaussianize(x, *parameters)[1]


@tf.custom_gradient
def _attached(
    x: tf.Tensor, z: tf.Tensor, *parameters: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Return known positions as a function of levels and parameters."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        # Attached once more, so that the gradient can be differentiated, too.
        found = _attached(x, z, *parameters)
        by_z = _solved(upstream, found, parameters, transposed=True)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            level, _ = rosenblatt.gaussianize(found, *parameters)
        return None, by_z, *tape.gradient(level, parameters, -by_z)

    return x, gradient


def _found(
    z: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> tf.Tensor:
    """Return positions by a loop over coordinates, `[N, D]`."""
    size = means.shape[1]
    lower = rosenblatt.strictly_lower(lower)
    known = log_weights[:, tf.newaxis] + tf.zeros_like(z[:, 0])

    def step(
        place: tf.Tensor, x: tf.Tensor, known: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        inside = rosenblatt.clipped(x)
        row = tf.gather(lower, place, axis=1)
        log_slope = tf.gather(log_diagonals, place, axis=1)[:, tf.newaxis]
        slope, mean = tf.exp(log_slope), tf.gather(means, place, axis=1)
        # What was not found yet is multiplied by zeros.
        shift = tf.matmul(row, inside, transpose_b=True)
        shift -= tf.reduce_sum(row * means, axis=1, keepdims=True)
        shift -= slope * mean[:, tf.newaxis]
        weights = known - tf.reduce_logsumexp(known, axis=0, keepdims=True)

        given = (weights, slope, shift, log_slope)
        found = quantile(tf.gather(z, place, axis=1), *given)
        at = slope * rosenblatt.clipped(found) + shift
        known += normal.log_prob(at) + log_slope
        column = tf.one_hot(place, size, dtype=z.dtype)
        return place + 1, x + found[:, tf.newaxis] * column, known

    _, x, _ = tf.while_loop(
        lambda place, *_: place < size,
        step,
        (tf.constant(0), tf.zeros_like(z), known),
        maximum_iterations=size,
    )
    return tf.reshape(x, tf.shape(z))


def level(
    x: tf.Tensor,
    log_weights: tf.Tensor,
    slope: tf.Tensor,
    shift: tf.Tensor,
    log_slope: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the level of one coordinate, straight on beyond the box.

    Args:
        x: Positions, `[...]`.
        log_weights: Log-weights of the components, normalised, `[K, ...]`.
        slope: Slopes of the lines that standardise positions, `[K, ...]`.
        shift: Their values at 0, `[K, ...]`.
        log_slope: Logs of the slopes, `[K, ...]`.

    Returns:
        Levels and log-derivatives, `[...]`.
    """
    inside = rosenblatt.clipped(x)
    z, log_det = rosenblatt.mixed(log_weights, slope * inside + shift, log_slope)
    outside = tf.abs(x) > rosenblatt.BOX
    return z + (x - inside), tf.where(outside, tf.zeros_like(log_det), log_det)


def quantile(
    z: tf.Tensor,
    log_weights: tf.Tensor,
    slope: tf.Tensor,
    shift: tf.Tensor,
    log_slope: tf.Tensor,
) -> tf.Tensor:
    """Return where the level of one coordinate is `z`, see `level`.

    The quantile of a mixture lies between those of its components, and beyond the box
    where the straight line says.

    Args:
        z: Levels, `[...]`.
        log_weights: See `level`.
        slope: See `level`.
        shift: See `level`.
        log_slope: See `level`.
    """
    given = (log_weights, slope, shift, log_slope)
    box = tf.ones_like(z) * rosenblatt.BOX
    lowest, highest = (level(end, *given)[0] for end in (-box, box))
    quantiles = (tf.clip_by_value(z, lowest, highest) - shift) / slope
    before, after = z - lowest - box, z - highest + box
    low = tf.maximum(tf.reduce_min(quantiles, axis=0), -box)
    high = tf.minimum(tf.reduce_max(quantiles, axis=0), box)
    low = tf.where(z > highest, after, tf.minimum(low, before))
    high = tf.where(z < lowest, before, tf.maximum(high, after))
    found = roots.solve(level, z, low, high, given, bracketed=True)
    return found.root


class _Jacobian(NamedTuple):
    """What a product with the Jacobian needs, coordinates first.

    Attributes:
        w: Positions as each component standardises them, `[D, K, N]`.
        by_w: Derivatives of each level by these, `[D, K, N]`.
        by_known: Derivatives of each level by the log-weight of a component given the
            coordinates before, `[D, K, N]`.
        factors: Whitening factors, `[D, K, D]`.
        diagonal: Derivative of each level by its own position, `[D, N]`.
        inside: 1 within the box and 0 beyond, `[D, N]`.
    """

    w: tf.Tensor
    by_w: tf.Tensor
    by_known: tf.Tensor
    factors: tf.Tensor
    diagonal: tf.Tensor
    inside: tf.Tensor


def _jacobian(
    x: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> _Jacobian:
    inside = tf.cast(tf.abs(x) <= rosenblatt.BOX, x.dtype)
    w, known = rosenblatt.standardized(x, log_weights, means, log_diagonals, lower)
    slopes = log_diagonals[:, tf.newaxis]
    with tf.GradientTape() as tape:
        tape.watch([w, known])
        level, log_det = rosenblatt.mixed(tf.nn.log_softmax(known, axis=0), w, slopes)
    by_w, by_known = tape.gradient(level, [w, known])
    _tapes.seen(by_w)
    diagonal = tf.exp(log_det * inside)
    factors = tf.linalg.set_diag(
        rosenblatt.strictly_lower(lower), tf.exp(log_diagonals)
    )
    w, by_w, by_known = (tf.transpose(part, [2, 0, 1]) for part in (w, by_w, by_known))
    return _Jacobian(
        w=w,
        by_w=by_w,
        by_known=by_known,
        factors=tf.transpose(factors, [1, 0, 2]),
        diagonal=tf.transpose(diagonal),
        inside=tf.transpose(inside),
    )


def _forwards(jacobian: _Jacobian, right: tf.Tensor) -> tf.Tensor:
    """Return the solution `b` of `J b = right`, `[D, N]`."""
    size = right.shape[0]

    def step(
        place: tf.Tensor, b: tf.Tensor, shift: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        w, by_w, by_known, row, slope, inside = (
            tf.gather(part, place) for part in jacobian
        )
        # What was not found yet is zero.
        change = tf.matmul(row, b * jacobian.inside)
        rest = tf.reduce_sum(by_w * change + by_known * shift, axis=0)
        now = (tf.gather(right, place) - rest) / slope
        change += tf.gather(row, place, axis=1)[:, tf.newaxis] * (now * inside)
        return place + 1, b + _row(place, size, now), shift - w * change

    start = tf.constant(0), tf.zeros_like(right), tf.zeros_like(jacobian.w[0])
    _, b, _ = tf.while_loop(
        lambda place, *_: place < size, step, start, maximum_iterations=size
    )
    return b


def _backwards(jacobian: _Jacobian, right: tf.Tensor) -> tf.Tensor:
    """Return the solution `a` of `J^T a = right`, `[D, N]`."""
    size = right.shape[0]

    def step(
        place: tf.Tensor, a: tf.Tensor, by_w: tf.Tensor, by_known: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        w, own, own_known, _, slope, inside = (
            tf.gather(part, place) for part in jacobian
        )
        # What goes by the density of this coordinate into the weights of later ones.
        by_w -= _row(place, size, w * by_known)
        column = tf.gather(jacobian.factors, place, axis=2)
        rest = tf.reduce_sum(by_w * column[..., tf.newaxis], axis=[0, 1])
        now = (tf.gather(right, place) - inside * rest) / slope
        return (
            place - 1,
            a + _row(place, size, now),
            by_w + _row(place, size, own * now),
            by_known + own_known * now,
        )

    start = (
        tf.constant(size - 1),
        tf.zeros_like(right),
        tf.zeros_like(jacobian.w),
        tf.zeros_like(jacobian.w[0]),
    )
    _, a, _, _ = tf.while_loop(
        lambda place, *_: place >= 0, step, start, maximum_iterations=size
    )
    return a


def _row(place: tf.Tensor, size: int, values: tf.Tensor) -> tf.Tensor:
    """Return a table of zeros but for one row.

    XLA cannot write into a table without events.
    """
    column = tf.one_hot(place, size, dtype=values.dtype)
    return tf.reshape(column, [size] + [1] * values.shape.rank) * values


def _solved(
    right: tf.Tensor,
    x: tf.Tensor,
    parameters: Sequence[tf.Tensor],
    *,
    transposed: bool,
) -> tf.Tensor:
    """Divide by the Jacobian at `x`, or by its transpose, with all derivatives.

    Args:
        right: Right sides, `[N, D]`.
        x: Positions, `[N, D]`.
        parameters: See `sample_map`.
        transposed: Whether the Jacobian is transposed.

    Returns:
        Solutions, `[N, D]`.
    """
    loop = _backwards if transposed else _forwards
    inputs = [right, x, *parameters]
    is_direct = _tapes.in_forward_mode(inputs)
    fixed = inputs if is_direct else [tf.stop_gradient(tensor) for tensor in inputs]
    found = tf.transpose(loop(_jacobian(*fixed[1:]), tf.transpose(fixed[0])))
    if is_direct:
        return found

    @tf.custom_gradient
    def attach(
        found: tf.Tensor, right: tf.Tensor, x: tf.Tensor, *parameters: tf.Tensor
    ) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            # Attached once more, so that the gradient can be differentiated, too.
            one = attach(found, right, x, *parameters)
            other = _solved(upstream, x, parameters, transposed=not transposed)
            a, b = (one, other) if transposed else (other, one)
            inputs = [x, *parameters]
            # The derivative of the number `a^T J b`, with `a` and `b` held fast.
            with tf.GradientTape() as whole:
                whole.watch(inputs)
                with tf.GradientTape() as local:
                    local.watch(x)
                    level, _ = rosenblatt.gaussianize(x, *parameters)
                row = local.gradient(level, x, a)
            return None, other, *whole.gradient(row, inputs, -b)

        return found, gradient

    return attach(found, right, x, *parameters)
