"""The Rosenblatt transform of a Gaussian mixture, and its inverse.

Coordinate `d` goes to `Phi^-1(F(x_d | x_1 .. x_(d-1)))`. In a mixture the conditional
law is again a mixture, whose weights are the responsibilities given the coordinates
before, so that the density of the result under the normal law is that of the mixture.
Component `k` is given by the whitening map `w = factor @ (x - mean)` with a lower
triangular factor; its element `d` is standard normal given the coordinates before.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import normal, roots

__all__ = ["BOX", "gaussianize", "sample_map"]

# Coordinates beyond go straight on with slope 1: squares keep their digits within.
BOX = 1e3


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
        # `log_softmax` would transpose, which XLA cannot differentiate in a loop.
        weights = known - tf.reduce_logsumexp(known, axis=0, keepdims=True)

        given = (weights, slope, shift, log_slope)
        found = _quantile(tf.gather(z, place, axis=1), *given)
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


def _level(
    x: tf.Tensor,
    log_weights: tf.Tensor,
    slope: tf.Tensor,
    shift: tf.Tensor,
    log_slope: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the level of one coordinate, straight on beyond the box."""
    inside = tf.clip_by_value(x, -BOX, BOX)
    z, log_det = _mixed(log_weights, slope * inside + shift, log_slope)
    outside = tf.abs(x) > BOX
    return z + (x - inside), tf.where(outside, tf.zeros_like(log_det), log_det)


def _quantile(
    z: tf.Tensor,
    log_weights: tf.Tensor,
    slope: tf.Tensor,
    shift: tf.Tensor,
    log_slope: tf.Tensor,
) -> tf.Tensor:
    """Return where the level of one coordinate is `z`.

    The quantile of a mixture lies between those of its components, and beyond the box
    where the straight line says.
    """
    given = (log_weights, slope, shift, log_slope)
    box = tf.ones_like(z) * BOX
    lowest, highest = (_level(end, *given)[0] for end in (-box, box))
    quantiles = (tf.clip_by_value(z, lowest, highest) - shift) / slope
    before, after = z - lowest - box, z - highest + box
    low = tf.maximum(tf.reduce_min(quantiles, axis=0), -box)
    high = tf.minimum(tf.reduce_max(quantiles, axis=0), box)
    low = tf.where(z > highest, after, tf.minimum(low, before))
    high = tf.where(z < lowest, before, tf.maximum(high, after))
    return roots.solve(_level, z, low, high, given, bracketed=True).root
