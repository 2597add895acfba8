"""Coupling of images: channels given other channels, or pixels given other pixels."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf

from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import arguments, conditioned, image_batch, split
from tfp_flows.bijectors._core.parameters import Option, Part
from tfp_flows.bijectors.transformers.base import Transformer
from tfp_flows.math import images as image_math

__all__ = ["ChannelCoupling", "CheckerboardCoupling"]


class _ImageCoupling(conditioned.ByConditioner):
    """What both couplings of images share."""

    _event = "H W C"

    def _require_images(self, kept: int, changed: int) -> None:
        """Raise unless the conditioner fits to the numbers of channels."""
        conditioner, width = self.conditioner, self.transformer.params_size
        wanted = kept, (changed, width)
        found = conditioner.input_size, tuple(conditioner.output_shape)
        if wanted != found or not hasattr(conditioner, "images"):
            kind = type(conditioner).__name__
            msg = (
                "`conditioner` must be a network of images with input_size and "
                f"output_shape {wanted} for this map, got `{kind}` with {found}. "
                "Build a networks.ConvNet for them."
            )
            raise ValueError(msg)

    @abc.abstractmethod
    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        """Return images, and the log-dets of single numbers."""

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        owner = f"`{type(self).__name__}`"
        arguments.require_sides(value.shape, "y" if inverse else "x", owner)
        ndims = len(self.condition_shape or ())
        value, condition, batch = image_batch.to_images(value, condition, ndims)
        out, log_det = self._on_batch(value, condition, inverse=inverse)
        return batch.images(out), batch.scalars(tf.reduce_sum(log_det, axis=[1, 2, 3]))


class ChannelCoupling(_ImageCoupling):
    """Map the channels outside a mask given those inside, and given a condition.

    Both directions are equally fast: one conditioner pass.

    Raises:
        ValueError: If the mask keeps or changes no channel, or if the conditioner does
            not fit to it.

    Shapes:
        `[..., H, W, C]` with `C = len(mask)`; conditions broadcast against `[...]`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> net = tfpf.networks.ConvNet(1, (1, 2), hidden_units=(8,), seed=0)
        >>> map_ = tfpf.bijectors.ChannelCoupling(
        ...     tfpf.bijectors.Affine(), net, mask=[True, False])
        >>> map_.forward(np.ones([5, 4, 4, 2], "float32")).shape.as_list()
        [5, 4, 4, 2]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, section 3.3
    """

    transformer: Transformer = Option("The scalar map of each changed number.")
    conditioner: Any = Part(
        "`networks.ConvNet` with input size = number of channels kept, output shape = "
        "(number changed, `transformer.params_size`)."
    )
    mask: Sequence[bool] = Option(
        "One bool per channel: `True` where it passes unchanged and conditions the "
        "others."
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        self._mask_split = split.MaskSplit(
            self.mask,
            -1,
            places="channels",
            instead="For one channel use CheckerboardCoupling, or Squeeze first.",
        )
        self._mask = self._mask_split.mask
        self._require_images(*self._mask_split.sizes)
        sizes["C"] = len(self._mask)
        return {}

    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        kept, changed = self._mask_split.split(value)
        params = self.conditioner.images(kept, condition)
        changed, log_det = self._transformed(changed, params, inverse=inverse)
        return self._mask_split.join(kept, changed), log_det


class CheckerboardCoupling(_ImageCoupling):
    """Map the pixels of one colour of a checkerboard given those of the other.

    Both directions are equally fast: one conditioner pass. The network sees zeros in
    place of the pixels that change.

    Raises:
        ValueError: If the conditioner does not fit.

    Shapes:
        `[..., H, W, C]`; conditions broadcast against `[...]`.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, figure 3
    """

    transformer: Transformer = Option("The scalar map of each changed number.")
    conditioner: Any = Part(
        "`networks.ConvNet` with input size `C` and output shape "
        "`(C, transformer.params_size)`."
    )
    _: KW_ONLY
    flip: bool = Option(
        "`False` keeps the colour of the upper left corner, `True` the other.",
        default=False,
        convert=lambda value, name: bool(value),
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        sizes["C"] = size = self.conditioner.input_size
        self._require_images(size, size)
        return {}

    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        height, width = value.shape[1], value.shape[2]
        keep = image_math.checkerboard(height, width, flip=self.flip)
        zeros = tf.zeros_like(value)
        params = self.conditioner.images(tf.where(keep, value, zeros), condition)
        changed, log_det = self._transformed(value, params, inverse=inverse)
        return tf.where(keep, value, changed), tf.where(keep, zeros, log_det)
