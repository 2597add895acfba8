"""The Rosenblatt transform of a Gaussian mixture.

Coordinate `d` goes to `Phi^-1(F(x_d | x_1 .. x_(d-1)))`. In a mixture the conditional
distribution is again a mixture, whose weights are the responsibilities given the
coordinates before, so that the density of the result under the normal distribution is
that of the mixture. Component `k` is given by the whitening map
`w = factor @ (x - mean)` with a lower triangular factor; its element `d` is standard
normal given the coordinates before.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["BOX", "clipped", "gaussianize", "mixed", "standardized", "strictly_lower"]

# Coordinates beyond go straight on with slope 1: squares keep their digits within.
BOX = 1e3


def mixed(
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
    """Map data of a mixture to the normal distribution.

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
    w, known = standardized(x, log_weights, means, log_diagonals, lower)
    slopes = log_diagonals[:, tf.newaxis]
    z, log_det = mixed(tf.nn.log_softmax(known, axis=0), w, slopes)
    outside = tf.abs(x) > BOX
    log_det = tf.where(outside, tf.zeros_like(log_det), log_det)
    return z + (x - clipped(x)), log_det


def clipped(x: tf.Tensor) -> tf.Tensor:
    """Return the nearest positions within the box."""
    return tf.clip_by_value(x, -BOX, BOX)


def standardized(
    x: tf.Tensor,
    log_weights: tf.Tensor,
    means: tf.Tensor,
    log_diagonals: tf.Tensor,
    lower: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how each component sees positions.

    Args:
        x: See `gaussianize`.
        log_weights: See `gaussianize`.
        means: See `gaussianize`.
        log_diagonals: See `gaussianize`.
        lower: See `gaussianize`.

    Returns:
        Standardised positions, and unnormalised log-weights of the components given
        the coordinates before, both `[K, N, D]`.
    """
    w = _whitened(clipped(x), means, log_diagonals, lower)
    terms = normal.log_prob(w) + log_diagonals[:, tf.newaxis]
    known = tf.cumsum(terms, axis=-1, exclusive=True)
    return w, known + log_weights[:, tf.newaxis, tf.newaxis]


def _whitened(
    x: tf.Tensor, means: tf.Tensor, log_diagonals: tf.Tensor, lower: tf.Tensor
) -> tf.Tensor:
    """Return `factor @ (x - mean)` of each component, `[K, N, D]`."""
    centred = x - means[:, tf.newaxis]
    sheared = tf.matmul(centred, strictly_lower(lower), transpose_b=True)
    return sheared + tf.exp(log_diagonals)[:, tf.newaxis] * centred


def strictly_lower(matrix: tf.Tensor) -> tf.Tensor:
    """Return matrices of which only what lies below the diagonal is left."""
    return tf.linalg.set_diag(
        tf.linalg.band_part(matrix, -1, 0), tf.zeros_like(matrix[..., 0])
    )
