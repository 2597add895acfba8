"""Squeezing: blocks of pixels become channels."""

from __future__ import annotations

from dataclasses import KW_ONLY

import tensorflow as tf

from tfp_flows.bijectors._core import arguments, base
from tfp_flows.bijectors._core.parameters import Option, at_least, one_of
from tfp_flows.math import images

__all__ = ["Blocks", "Squeeze"]


class Blocks(base.Bijector):
    """Base class of maps that turn blocks of pixels into channels: their shapes.

    Subclasses set `_factor`, the side of a block.
    """

    _factor: int
    _event = "H W C"
    _is_constant_jacobian = True

    def _forward_event_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        sizes = tf.TensorShape(input_shape).as_list()
        event = images.squeezed_shape(tuple(sizes[-3:]), self._factor)
        return tf.TensorShape([*sizes[:-3], *event])

    def _inverse_event_shape(self, output_shape: tf.TensorShape) -> tf.TensorShape:
        sizes = tf.TensorShape(output_shape).as_list()
        event = images.unsqueezed_shape(tuple(sizes[-3:]), self._factor)
        return tf.TensorShape([*sizes[:-3], *event])

    def _forward_event_shape_tensor(self, input_shape: tf.Tensor) -> tf.Tensor:
        side, f = input_shape[-3:-1] // self._factor, self._factor
        return tf.concat([input_shape[:-3], side, input_shape[-1:] * f**2], axis=0)

    def _inverse_event_shape_tensor(self, output_shape: tf.Tensor) -> tf.Tensor:
        side, f = output_shape[-3:-1] * self._factor, self._factor
        return tf.concat([output_shape[:-3], side, output_shape[-1:] // f**2], axis=0)


class Squeeze(Blocks):
    """Turn each block of `factor x factor` pixels into channels of one pixel.

    A permutation: the log-det is 0, both directions move memory only. `Invert` of it
    turns channels into pixels.

    Raises:
        ValueError: If the order is unknown; in a call, if a side does not divide.

    Shapes:
        `[..., H, W, C]` to `[..., H / factor, W / factor, C * factor**2]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> image = np.arange(4.0).reshape(2, 2, 1)
        >>> tfpf.bijectors.Squeeze().forward(image).numpy().tolist()
        [[[0.0, 1.0, 2.0, 3.0]]]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, section 3.6
    """

    moves_only = True
    _: KW_ONLY
    factor: int = Option(
        "Side of a block, a divisor of both sides of the image.",
        default=2,
        check=at_least(1),
        convert=lambda value, name: int(value),
    )
    order: str = Option(
        '`"pixels"`: new channel `(i * factor + j) * C + c` is pixel `(i, j)` of the '
        'block, as in `tf.nn.space_to_depth`. `"channels"`: new channel '
        "`(c * factor + i) * factor + j`, as in `torch.nn.PixelUnshuffle`.",
        default="pixels",
        check=one_of(*images.ORDERS),
    )

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(x.shape, "x", "`Squeeze`")
        y = images.squeeze(x, self._factor, self.order)
        return y, tf.zeros(tf.shape(x)[:-3], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        arguments.require_sides(y.shape, "y", "`Squeeze`")
        x = images.unsqueeze(y, self._factor, self.order)
        return x, tf.zeros(tf.shape(y)[:-3], y.dtype)
