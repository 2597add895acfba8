"""The sphere in coordinates of equal area: heights, and an angle at the end.

A point of the sphere in `n` dimensions is one of the sphere below, made smaller, and a
height `t`:  `x = (sqrt(1 - t^2) * x', t)`.  Heights of uniform points have the density
`(1 - t^2)^((n - 3) / 2)` up to a constant; the coordinate is their CDF, from -1 to 1.
Then every box of coordinates has an area in proportion to its volume, and the log-det
is a constant.

References:
    Rezende et al. (2020). Normalizing Flows on Tori and Spheres.
    https://arxiv.org/abs/2002.02428, section 2.3.3
"""

from __future__ import annotations

import math

import tensorflow as tf
import tensorflow_probability as tfp

__all__ = ["TOLERANCE", "forward", "inverse", "log_area"]

# So far from length 1 a vector is none of the sphere: data have few digits.
TOLERANCE = 1e-4


def log_area(size: int) -> float:
    """Return the log of the area of the sphere of unit vectors of a size."""
    return math.log(2.0) + 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size)


def forward(u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return unit vectors, and the log-det by area.

    Args:
        u: Coordinates in `[-1, 1]`, `[..., n - 1]`: heights from the last axis on, then
            the angle.

    Returns:
        `[..., n]` and `[...]`.
    """
    size = u.shape[-1] + 1
    angle = math.pi * u[..., -1]
    parts = [tf.cos(angle), tf.sin(angle)]
    for axis in range(2, size):
        t, radius = _height(u[..., size - 1 - axis], axis + 1)
        parts = [radius * part for part in parts] + [t]
    return tf.stack(parts, axis=-1), tf.zeros_like(angle) + _constant(size)


def inverse(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `forward`; of other vectors the log-det is minus infinity.

    Those that are off by less than rounded data are have the coordinates of the unit
    vector in their direction.

    Args:
        x: Unit vectors, `[..., n]`.

    Returns:
        `[..., n - 1]` and `[...]`.
    """
    size = x.shape[-1]
    squares = tf.cumsum(tf.square(x), axis=-1)
    u = [tf.atan2(x[..., 1], x[..., 0]) * (1.0 / math.pi)]
    for axis in range(2, size):
        square = squares[..., axis]
        safe = tf.where(square > 0.0, square, tf.ones_like(square))
        t = tf.clip_by_value(x[..., axis] * tf.math.rsqrt(safe), -1.0, 1.0)
        u.insert(0, _coordinate(t, axis + 1))
    off = tf.abs(tf.sqrt(squares[..., -1]) - 1.0) > TOLERANCE
    log_det = tf.zeros_like(u[0]) - _constant(size)
    return tf.stack(u, axis=-1), tf.where(off, tf.cast(-math.inf, x.dtype), log_det)


def _constant(size: int) -> float:
    return log_area(size) - (size - 1) * math.log(2.0)


def _height(u: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the height of a coordinate, and the radius there."""
    if size == 3:
        return u, tf.sqrt(tf.maximum((1.0 - u) * (1.0 + u), 0.0))
    half = tf.cast(0.5 * (size - 1), u.dtype)
    # By the smaller tail, so that no digits are lost near the poles.
    tail = tfp.math.betaincinv(half, half, 0.5 * (1.0 - tf.abs(u)))
    t = tf.sign(u) * (1.0 - 2.0 * tail)
    return t, 2.0 * tf.sqrt(tf.maximum(tail * (1.0 - tail), 0.0))


def _coordinate(t: tf.Tensor, size: int) -> tf.Tensor:
    """Return the coordinate of a height."""
    if size == 3:
        return t
    half = tf.cast(0.5 * (size - 1), t.dtype)
    tail = tf.math.betainc(half + 0.0 * t, half + 0.0 * t, 0.5 * (1.0 - tf.abs(t)))
    return tf.sign(t) * (1.0 - 2.0 * tail)
