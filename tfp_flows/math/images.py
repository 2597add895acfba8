"""Reorderings and value ranges of images `[..., H, W, C]`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.math import support

__all__ = [
    "ORDERS",
    "checkerboard",
    "cosine_transform",
    "divisions",
    "haar",
    "patch_ranks",
    "pixel_logit",
    "pixel_sigmoid",
    "squeeze",
    "squeezed_shape",
    "unsqueeze",
    "unsqueezed_shape",
]

# Whether the position inside a block or the old channel varies slowest.
ORDERS = ("pixels", "channels")


def divisions(height: int, width: int, factor: int) -> int:
    """Return how often both sides of an image can be divided by `factor`."""
    count, size = 0, math.gcd(height, width)
    while size and size % factor == 0:
        count, size = count + 1, size // factor
    return count


def patch_ranks(
    shape: tuple[int, ...], size: int, *, spread: bool = False
) -> np.ndarray:
    """Return the rank of each number of an image in an order patch by patch.

    Patches follow row by row, and so do the numbers of one.

    Args:
        shape: `[H, W, C]`.
        size: Side of a patch, which divides both sides of the image.
        spread: Whether to take in place of a patch `size * size` pixels that are as far
            apart as possible.

    Returns:
        Ranks `[H * W * C]` of the flattened image.
    """
    height, width, channels = shape
    rows, columns = [height // size, size], [width // size, size]
    if spread:
        rows, columns = rows[::-1], columns[::-1]
    places = np.arange(height * width * channels)
    places = places.reshape(*rows, *columns, channels)
    axes = (1, 3, 0, 2, 4) if spread else (0, 2, 1, 3, 4)
    by_rank = places.transpose(axes).ravel()
    return np.argsort(by_rank)


def squeezed_shape(shape: tuple[int, ...], factor: int) -> tuple[int, ...]:
    """Return the shape `[H, W, C]` of a squeezed image.

    Raises:
        ValueError: If a side is no multiple of the factor.
    """
    height, width, channels = shape
    if height % factor or width % factor:
        up = (-height % factor, -width % factor)
        msg = (
            f"`x` must have sides that are multiples of {factor}, got {height} x "
            f"{width}. Pad by {up[0]} rows and {up[1]} columns, or choose another "
            "factor."
        )
        raise ValueError(msg)
    return height // factor, width // factor, channels * factor**2


def unsqueezed_shape(shape: tuple[int, ...], factor: int) -> tuple[int, ...]:
    """Return the shape `[H, W, C]` of an image whose squeezed shape is given.

    Raises:
        ValueError: If the number of channels is no multiple of the square.
    """
    height, width, channels = shape
    if channels % factor**2:
        msg = (
            f"`y` must have a number of channels that is a multiple of {factor**2}, "
            f"got {channels}. Pass what `Squeeze(factor={factor})` returns."
        )
        raise ValueError(msg)
    return height * factor, width * factor, channels // factor**2


def _reordered(
    x: tf.Tensor, split: list[int], order: list[int], shape: tuple[int, ...]
) -> tf.Tensor:
    """Split the event of a batch into more axes, order these, and join them again."""
    rank = x.shape.rank - 3
    static, dynamic = x.shape[:rank], tf.shape(x)[:rank]
    x = tf.reshape(x, tf.concat([dynamic, split], axis=0))
    x = tf.transpose(x, [*range(rank), *(rank + axis for axis in order)])
    x = tf.reshape(x, tf.concat([dynamic, shape], axis=0))
    x.set_shape(static.concatenate(shape))
    return x


def squeeze(x: tf.Tensor, factor: int, order: str = "pixels") -> tf.Tensor:
    """Turn blocks of `factor x factor` pixels into channels.

    Args:
        x: Images, `[..., H, W, C]`.
        factor: Side of a block, a divisor of `H` and `W`.
        order: `"pixels"`: new channel `(i * factor + j) * C + c` is pixel `(i, j)` of
            the block, as in `tf.nn.space_to_depth`. `"channels"`: new channel
            `(c * factor + i) * factor + j`, as in `torch.nn.PixelUnshuffle`.

    Returns:
        `[..., H / factor, W / factor, C * factor**2]`.
    """
    shape = squeezed_shape(tuple(x.shape[-3:]), factor)
    split = [shape[0], factor, shape[1], factor, x.shape[-1]]
    axes = [0, 2, 1, 3, 4] if order == "pixels" else [0, 2, 4, 1, 3]
    return _reordered(x, split, axes, shape)


def unsqueeze(y: tf.Tensor, factor: int, order: str = "pixels") -> tf.Tensor:
    """Turn channels into blocks of pixels, the inverse of `squeeze`."""
    shape = unsqueezed_shape(tuple(y.shape[-3:]), factor)
    height, width = y.shape[-3], y.shape[-2]
    if order == "pixels":
        split, axes = [height, width, factor, factor, shape[2]], [0, 2, 1, 3, 4]
    else:
        split, axes = [height, width, shape[2], factor, factor], [0, 3, 1, 4, 2]
    return _reordered(y, split, axes, shape)


def checkerboard(height: int, width: int, *, flip: bool = False) -> np.ndarray:
    """Return a mask `[H, W, 1]` that is `True` on one colour of a checkerboard.

    Args:
        height: `H`.
        width: `W`.
        flip: `False` for the colour of the upper left corner, `True` for the other.
    """
    rows, columns = np.indices([height, width])
    return ((rows + columns) % 2 == int(flip))[..., np.newaxis]


def haar(x: tf.Tensor) -> tf.Tensor:
    """Rotate squeezed images to the sum and the differences of each block, halved.

    Args:
        x: `[..., 4 * C]`, the pixels of blocks of 2 x 2 as `squeeze` orders them.

    Returns:
        `[..., 4 * C]`: sums, differences of columns, of rows, of diagonals, each times
        1/2. The map is its own inverse.
    """
    a, b, c, d = tf.split(x, 4, axis=-1)
    top, bottom, left, right = a + b, c + d, a - b, c - d
    parts = top + bottom, left + right, top - bottom, left - right
    return 0.5 * tf.concat(parts, axis=-1)


def _cosines(size: int) -> np.ndarray:
    """Return the orthonormal matrix of the DCT-II, `[size, size]`."""
    k, n = np.indices([size, size])
    matrix = np.cos(np.pi * (2 * n + 1) * k / (2 * size)) * np.sqrt(2.0 / size)
    matrix[0] /= np.sqrt(2.0)
    return matrix


def cosine_transform(x: tf.Tensor, *, inverse: bool = False) -> tf.Tensor:
    """Return the two-dimensional DCT-II of each channel of `[..., H, W, C]`."""
    rows, columns = _cosines(x.shape[-3]), _cosines(x.shape[-2])
    if inverse:
        rows, columns = rows.T, columns.T
    y = tf.einsum("ij,...jkc->...ikc", tf.constant(rows, x.dtype), x)
    y = tf.einsum("kl,...ilc->...ikc", tf.constant(columns, x.dtype), y)
    y.set_shape(x.shape)
    return y


def _scales(num_values: float, alpha: float, like: tf.Tensor) -> tuple[Any, Any]:
    """Return slope and offset of `p = alpha + (1 - 2 * alpha) * x / num_values`."""
    slope = tf.constant((1.0 - 2.0 * alpha) / num_values, like.dtype)
    return slope, tf.constant(alpha, like.dtype)


def pixel_logit(
    x: tf.Tensor, num_values: float, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Map pixels in `[0, num_values]` to the real line.

    Args:
        x: Pixels, `[...]`.
        num_values: Number of values that a pixel may have, such as 256.
        alpha: Share of the unit interval kept free at each end.

    Returns:
        `logit(p)` with `p = alpha + (1 - 2 * alpha) * x / num_values`, and the
        logarithm of its slope with all constants, `[...]`; minus infinity where no `z`
        has such a pixel.
    """
    slope, offset = _scales(num_values, alpha, x)
    # Each end from its own side: neither difference cancels.
    p, q = offset + slope * x, offset + slope * (num_values - x)
    least = np.finfo(x.dtype.as_numpy_dtype).tiny
    # Infinite pixels have finite logits: networks that see them would make NaN of them.
    log_p, log_q = (tf.math.log(tf.clip_by_value(part, least, 1.0)) for part in (p, q))
    inside = support.log_inside(tf.minimum(p, q), 0.0, 1.0)
    return log_p - log_q, inside + tf.math.log(slope) - log_p - log_q


def pixel_sigmoid(
    z: tf.Tensor, num_values: float, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `pixel_logit`; returns pixels and the logarithm of the slope.

    Where the sigmoid is saturated, pixels are the last ones that have a density.
    """
    slope, offset = _scales(num_values, alpha, z)
    log_slope = -tf.math.softplus(-z) - tf.math.softplus(z)
    x = (tf.sigmoid(z) - offset) / slope
    x = tf.clip_by_value(x, *_ends(num_values, alpha, z.dtype))
    return x, log_slope - tf.math.log(slope)


def _ends(num_values: float, alpha: float, dtype: tf.DType) -> tuple[float, float]:
    """Return the outermost pixels whose logits are finite, rounding errors included."""
    numbers = np.finfo(dtype.as_numpy_dtype)
    margin, tiny = 4.0 * float(numbers.eps), 8.0 * float(numbers.tiny)
    slope = (1.0 - 2.0 * alpha) / num_values
    low = (tiny - alpha * (1.0 - margin)) / slope
    return low, num_values + (alpha - margin) / slope
