"""Fixed orthogonal maps of images: the Haar wavelet and the cosine transform."""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.bijectors._core import arguments, base
from tfp_flows.bijectors.multiscale import squeeze
from tfp_flows.math import images

__all__ = ["CosineTransform", "HaarWavelet"]


class HaarWavelet(squeeze.Blocks):
    """Turn each block of 2 x 2 pixels into its mean and three differences.

    A rotation of what `Squeeze` gives: the first `C` channels are twice the means of
    the blocks, a picture of half the size; the others are the differences between
    columns, between rows, and along the diagonals. The log-det is exactly 0, both
    directions cost additions only. Before a multi-scale split it keeps the coarse
    picture and sets the detail aside.

    Raises:
        ValueError: In a call, if a side of the images is odd.

    Shapes:
        `[..., H, W, C]` to `[..., H / 2, W / 2, 4 * C]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> image = np.arange(4.0).reshape(2, 2, 1)
        >>> tfpf.bijectors.HaarWavelet().forward(image).numpy().tolist()
        [[[3.0, -1.0, -2.0, 0.0]]]

    References:
        Yu et al. (2020). Wavelet Flow. https://arxiv.org/abs/2010.13821
    """

    _factor = 2

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(x.shape, "x", "`HaarWavelet`")
        y = images.haar(images.squeeze(x, 2))
        return y, tf.zeros(tf.shape(x)[:-3], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(y.shape, "y", "`HaarWavelet`")
        images.unsqueezed_shape(tuple(y.shape[-3:]), 2)
        x = images.unsqueeze(images.haar(y), 2)
        return x, tf.zeros(tf.shape(y)[:-3], y.dtype)


class CosineTransform(base.Bijector):
    """Turn the pixels of each channel into their cosine coefficients.

    The orthonormal two-dimensional DCT-II, `y = A(H) @ x @ A(W)^T` for each channel;
    the inverse multiplies by the transposes. The log-det is exactly 0. Coefficient
    `(0, 0)` is `sqrt(H * W)` times the mean. Both directions cost `H + W` products per
    number.

    Shapes:
        `[..., H, W, C]`, with static sides.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> y = tfpf.bijectors.CosineTransform().forward(np.ones([2, 2, 1]))
        >>> abs(y[..., 0].numpy().round(6)).tolist()
        [[2.0, 0.0], [0.0, 0.0]]

    References:
        Ahmed, Natarajan, Rao (1974). Discrete cosine transform. IEEE Transactions on
        Computers C-23(1)
    """

    _event = "H W C"
    _is_constant_jacobian = True

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(x.shape, "x", "`CosineTransform`")
        return images.cosine_transform(x), tf.zeros(tf.shape(x)[:-3], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(y.shape, "y", "`CosineTransform`")
        x = images.cosine_transform(y, inverse=True)
        return x, tf.zeros(tf.shape(y)[:-3], y.dtype)
