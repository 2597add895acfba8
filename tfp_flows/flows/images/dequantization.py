"""Noise for integer pixels whose density is learned."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling.images import ChannelCoupling
from tfp_flows.math import images as image_math

__all__ = ["FACTOR", "PixelNoise", "coupling_masks"]

# Side of the blocks of pixels that the couplings see as channels.
FACTOR = 2


def coupling_masks(channels: int, count: int) -> list[list[bool]]:
    """Return the masks of the couplings: halves and alternate numbers of a block.

    The channels after those of the noise hold the pixels. They always pass unchanged
    and condition the others.

    Args:
        channels: Number of channels of an image.
        count: Number of couplings.
    """
    size = channels * FACTOR**2
    halves = [channel < size // 2 for channel in range(size)]
    turns = [channel % 2 == 0 for channel in range(size)]
    masks = []
    for i in range(count):
        mask = (halves, turns)[(i // 2) % 2]
        masks.append([keep != (i % 2 == 1) for keep in mask] + [True] * size)
    return masks


class PixelNoise(tf.Module):
    """Noise in [0, 1) with a learned density given the pixels: `u = Phi(f(e; x))`.

    `e` is standard normal and `f` a chain of couplings which see the pixels `x`. With
    `f` the identity, as at the start of training, the noise is uniform.

    Args:
        couplings: Maps of squeezed images, the channels of the noise first and those of
            the pixels behind them, in the order in which they are applied.
        num_values: Number of values of a pixel.
        name: Name.

    References:
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275, section 3.1
    """

    def __init__(
        self,
        couplings: Sequence[ChannelCoupling],
        num_values: int,
        *,
        name: str = "pixel_noise",
    ) -> None:
        super().__init__(name=name)
        self._chain = composition.Chain(list(couplings)[::-1])
        self._num_values = num_values

    def noise_and_log_prob(
        self, pixels: tf.Tensor, start: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return noise and its log-density.

        Args:
            pixels: Integers, `[N, H, W, C]`.
            start: Standard normal numbers, of the same shape.
            condition: What the couplings were built for, `[N, K]`.

        Returns:
            Noise in [0, 1], `[N, H, W, C]`, and its log-density given the pixels in
            nats, `[N]`.
        """
        seen = pixels / self._num_values - 0.5
        parts = [image_math.squeeze(part, FACTOR, "pixels") for part in (start, seen)]
        value, log_det = bijector_base.forward_and_log_det(
            self._chain, tf.concat(parts, axis=-1), condition, event_ndims=3
        )
        size = parts[0].shape[-1]
        normal = image_math.unsqueeze(value[..., :size], FACTOR, "pixels")
        # Both normal densities at once, in the form that is 0 for equal numbers.
        ratio = 0.5 * tf.reduce_sum((normal - start) * (normal + start), axis=[1, 2, 3])
        return tfp.bijectors.NormalCDF().forward(normal), ratio - log_det
