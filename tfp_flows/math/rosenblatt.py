"""The Rosenblatt transform of a Gaussian mixture, and its inverse.

Coordinate `d` goes to `Phi^-1(F(x_d | x_1 .. x_(d-1)))`. In a mixture the conditional
law is again a mixture, whose weights are the responsibilities given the coordinates
before, so that the density of the result under the normal law is that of the mixture.
Component `k` is given by the whitening map `w = factor @ (x - mean)` with a lower
triangular factor; its element `d` is standard normal given the coordinates before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["BOX", "gaussianize", "sample_map"]

# Coordinates beyond go straight on with slope 1: squares keep their digits within.
BOX = 1e3
MAX_STEPS = 100


def _mixed(
    log_weights: tf.Tensor, w: tf.Tensor, log_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the level of a mixture and the log of its derivative.

    Args:
        log_weights: Normalised along axis 0, `[K, ...]`.
        w: Standardised by each component, `[K, ...]`.
        log_slopes: Logs of the derivatives of `w`; broadcasts against it.
    """
    below, above = normal.log_tails(w)
    z = normal.quantile_of_logs(
        tf.reduce_logsumexp(log_weights + below, axis=0),
        tf.reduce_logsumexp(log_weights + above, axis=0),
    )
    log_density = tf.reduce_logsumexp(
        log_weights + normal.log_prob(w) + log_slopes, axis=0
    )
    return z, log_density - normal.log_prob(z)


def gaussianize(
    x: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Map data of a mixture to the normal law.

    Args:
        x: Positions, `[N, D]`.
        log_weights: Unnormalised log-weights, `[K]`.
        means: Means, `[K, D]`.
        log_diagonals: Logs of the diagonals of the factors, `[K, D]`.
        lower: Matrices whose parts below the diagonal are those of the factors,
            `[K, D, D]`.

    Returns:
        Levels and log-derivatives of each coordinate, both `[N, D]`.
    """
    inside = tf.clip_by_value(x, -BOX, BOX)
    w = _whitened(inside, means, log_diagonals, lower)
    slopes = log_diagonals[:, tf.newaxis]
    terms = normal.log_prob(w) + slopes
    known = tf.cumsum(terms, axis=-1, exclusive=True)
    known += log_weights[:, tf.newaxis, tf.newaxis]
    z, log_det = _mixed(tf.nn.log_softmax(known, axis=0), w, slopes)
    outside = tf.abs(x) > BOX
    log_det = tf.where(outside, tf.zeros_like(log_det), log_det)
    return z + (x - inside), log_det


def _whitened(
    x: tf.Tensor, means: tf.Tensor, log_diagonals: tf.Tensor, lower: tf.Tensor
) -> tf.Tensor:
    """Return `factor @ (x - mean)` of each component, `[K, N, D]`."""
    centred = x - means[:, tf.newaxis]
    sheared = tf.matmul(centred, _strictly_lower(lower), transpose_b=True)
    return sheared + tf.exp(log_diagonals)[:, tf.newaxis] * centred


def _strictly_lower(matrix: tf.Tensor) -> tf.Tensor:
    return tf.linalg.set_diag(
        tf.linalg.band_part(matrix, -1, 0), tf.zeros_like(matrix[..., 0])
    )


def sample_map(
    z: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `gaussianize`, one coordinate after the other.

    Args:
        z: Levels, `[N, D]`.
        log_weights: See `gaussianize`.
        means: See `gaussianize`.
        log_diagonals: See `gaussianize`.
        lower: See `gaussianize`.

    Returns:
        Positions and log-derivatives of each coordinate, both `[N, D]`.
    """
    size = means.shape[1]
    lower = _strictly_lower(lower)
    known = log_weights[:, tf.newaxis] + tf.zeros_like(z[:, 0])

    def step(
        place: tf.Tensor, x: tf.Tensor, known: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        inside = tf.clip_by_value(x, -BOX, BOX)
        row = tf.gather(lower, place, axis=1)
        log_slope = tf.gather(log_diagonals, place, axis=1)[:, tf.newaxis]
        slope, mean = tf.exp(log_slope), tf.gather(means, place, axis=1)
        # What was not found yet is multiplied by zeros.
        shift = tf.matmul(row, inside, transpose_b=True)
        shift -= tf.reduce_sum(row * means, axis=1, keepdims=True)
        shift -= slope * mean[:, tf.newaxis]
        weights = tf.nn.log_softmax(known, axis=0)

        def level(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return _mixed(weights, slope * value + shift, log_slope)

        found = _solve(level, tf.gather(z, place, axis=1), slope, shift)
        at = slope * tf.clip_by_value(found, -BOX, BOX) + shift
        known += normal.log_prob(at) + log_slope
        column = tf.one_hot(place, size, dtype=z.dtype)
        return place + 1, x + found[:, tf.newaxis] * column, known

    _, x, _ = tf.while_loop(
        lambda place, *_: place < size,
        step,
        (tf.constant(0), tf.zeros_like(z), known),
        maximum_iterations=size,
    )
    x = tf.reshape(x, tf.shape(z))
    log_det = gaussianize(x, log_weights, means, log_diagonals, lower)[1]
    return x, -log_det


def _solve(
    level: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    target: tf.Tensor,
    slope: tf.Tensor,
    shift: tf.Tensor,
) -> tf.Tensor:
    """Return where the level of a mixture is `target`, with implicit gradients.

    The quantile of a mixture lies between those of its components; Newton steps that
    would leave the bracket are replaced by halving it.
    """
    box = tf.ones_like(target) * BOX
    ends = [tf.stop_gradient(level(end)[0]) for end in (-box, box)]
    clipped = tf.clip_by_value(target, *ends)
    wanted = tf.stop_gradient(clipped)
    quantiles = tf.stop_gradient((wanted - shift) / slope)
    low = tf.maximum(tf.reduce_min(quantiles, axis=0), -box)
    high = tf.minimum(tf.reduce_max(quantiles, axis=0), box)
    tolerance = 4.0 * np.finfo(target.dtype.as_numpy_dtype).eps

    def step(
        low: tf.Tensor, high: tf.Tensor, x: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        value, log_slope = level(x)
        error = value - wanted
        low, high = tf.where(error < 0, x, low), tf.where(error > 0, x, high)
        newton = x - error * tf.exp(-log_slope)
        inside = (newton >= low) & (newton <= high)
        proposal = tf.where(inside, newton, low + 0.5 * (high - low))
        moved = tf.abs(proposal - x) > tolerance * (1.0 + tf.abs(x))
        return low, high, proposal, tf.reduce_any(moved)

    start = (low, high, low + 0.5 * (high - low), tf.constant(value=True))
    *_, x, _ = tf.while_loop(
        lambda *state: state[-1], step, start, maximum_iterations=MAX_STEPS
    )
    x = tf.stop_gradient(x)
    value, log_slope = level(x)
    residual = clipped - value
    residual -= tf.stop_gradient(residual)
    # Between components far apart the slope underflows: its inverse is bounded there.
    steepest = 0.5 * np.log(np.finfo(target.dtype.as_numpy_dtype).max)
    x += residual * tf.exp(tf.minimum(-tf.stop_gradient(log_slope), steepest))
    return x + (target - clipped)
