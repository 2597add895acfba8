"""Radial maps: points move towards a centre, or away from it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

__all__ = ["forward", "inverse"]

# Radii are kept within this power of the largest and the smallest number, so that
# products of two of them are numbers.
RANGE = 0.45


def forward(
    x: tf.Tensor, size: tf.Tensor, stretch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `x * (1 + (stretch - 1) * g)` and its log-det.

    `g = size / (size + r)`, where `r` is the length of `x`. Both factors of the
    determinant are sums of positive terms: close to 0 they have all digits.

    Args:
        x: Points, the centre at the origin, `[..., D]`.
        size: Positive, `[...]`.
        stretch: Factor at the centre, positive, `[...]`.
    """
    scale, log_det = _scale(_length(x), size, stretch, x.shape[-1])
    return x * scale[..., tf.newaxis], log_det


def inverse(
    y: tf.Tensor, size: tf.Tensor, stretch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `forward(x) = y`; returns `x` and the log-det of the inverse.

    The length `r` of `x` is the positive root of
    `r**2 + (size * stretch - s) * r = size * s`, where `s` is the length of `y`.

    Args:
        y: Points, the centre at the origin, `[..., D]`.
        size: See `forward`.
        stretch: See `forward`.
    """
    length = _length(y)
    linear = size * stretch - length
    # In units of the larger of both, so that no square overflows.
    unit = tf.stop_gradient(tf.maximum(size * (1.0 + stretch), length))
    half, product = linear / unit, (size / unit) * (length / unit)
    root = tf.sqrt(tf.square(half) + 4.0 * product)
    falls = half >= 0.0
    below = 2.0 * product / (tf.where(falls, half, tf.zeros_like(half)) + root)
    radius = unit * tf.where(falls, below, 0.5 * (root - half))
    scale, log_det = _scale(radius, size, stretch, y.shape[-1])
    return y / scale[..., tf.newaxis], -log_det


def _length(x: tf.Tensor) -> tf.Tensor:
    """Return lengths of vectors, those of the far and the near ones cut to a range.

    The cut near zero keeps derivatives finite: a map is linear there.
    """
    kind = x.dtype.as_numpy_dtype
    tiny, huge = (float(f) ** RANGE for f in (np.finfo(kind).tiny, np.finfo(kind).max))
    inside = tf.clip_by_value(x, -huge, huge)
    square = tf.reduce_sum(tf.square(inside), axis=-1)
    return tf.sqrt(tf.maximum(square, tiny**2))


def _scale(
    radius: tf.Tensor, size: tf.Tensor, stretch: tf.Tensor, ndims: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the factor at a radius, and the log-det of the map there."""
    total = size + radius
    near, far = size / total, radius / total
    scale = far + near * stretch
    slope = far * (1.0 + near) + tf.square(near) * stretch
    return scale, (ndims - 1) * tf.math.log(scale) + tf.math.log(slope)
