"""Coupling of images: channels given other channels, or pixels given other pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.bijectors._core import arguments, base, image_batch, split
from tfp_flows.bijectors.transformers.base import Transformer
from tfp_flows.math import images as image_math

__all__ = ["ChannelCoupling", "CheckerboardCoupling"]


def _require_conditioner(conditioner: Any, kept: int, changed: int, width: int) -> None:
    """Raise unless a conditioner fits to the numbers of channels."""
    wanted = kept, (changed, width)
    found = conditioner.input_size, tuple(conditioner.output_shape)
    if wanted != found or not hasattr(conditioner, "images"):
        msg = (
            "`conditioner` must be a network of images with input_size and "
            f"output_shape {wanted} for this map, got `{type(conditioner).__name__}` "
            f"with {found}. Build a networks.ConvNet for them."
        )
        raise ValueError(msg)


class ChannelCoupling(base.Bijector):
    """Map the channels outside a mask given those inside, and given a condition.

    Both directions are equally fast: one conditioner pass.

    Args:
        transformer: The scalar map of each changed number.
        conditioner: `networks.ConvNet` with input size = number of channels kept,
            output shape = (number changed, `transformer.params_size`).
        mask: One bool per channel: `True` where it passes unchanged and conditions the
            others.
        validate_args: Whether to run value checks.
        name: Name of the map.

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

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Any,
        mask: Sequence[bool],
        *,
        validate_args: bool = False,
        name: str = "channel_coupling",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            self._conditioner = conditioner
            self._mask_split = split.MaskSplit(
                mask,
                -1,
                places="channels",
                instead="For one channel use CheckerboardCoupling, or Squeeze first.",
            )
            self._mask = self._mask_split.mask
            kept, changed = self._mask_split.sizes
            _require_conditioner(conditioner, kept, changed, transformer.params_size)
            super().__init__(
                event_shape=(len(self._mask),),
                condition_shape=conditioner.condition_shape,
                forward_min_event_ndims=3,
                dtype=conditioner.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Transformer:
        """The scalar map."""
        return self._transformer

    @property
    def conditioner(self) -> Any:
        """What turns kept channels into parameters."""
        return self._conditioner

    @property
    def mask(self) -> tuple[bool, ...]:
        """`True` where a channel passes unchanged."""
        return self._mask

    @property
    def repeatable(self) -> bool:
        """Whether the conditioner may be rebuilt from other weights."""
        return getattr(self._conditioner, "repeatable", False)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    def _evaluate_images(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        argument = "y" if inverse else "x"
        arguments.require_sides(value.shape, argument, "`ChannelCoupling`")
        ndims = len(self.condition_shape or ())
        value, condition, batch = image_batch.to_images(value, condition, ndims)
        kept, changed = self._mask_split.split(value)
        params = self._conditioner.images(kept, condition)
        direction = self._transformer.inverse if inverse else self._transformer.forward
        changed, log_det = direction(changed, params)
        out = self._mask_split.join(kept, changed)
        return batch.images(out), batch.scalars(tf.reduce_sum(log_det, axis=[1, 2, 3]))

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_images(x, condition, inverse=False)

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_images(y, condition, inverse=True)


class CheckerboardCoupling(base.Bijector):
    """Map the pixels of one colour of a checkerboard given those of the other.

    Both directions are equally fast: one conditioner pass. The network sees zeros in
    place of the pixels that change.

    Args:
        transformer: The scalar map of each changed number.
        conditioner: `networks.ConvNet` with input size `C` and output shape
            `(C, transformer.params_size)`.
        flip: `False` keeps the colour of the upper left corner, `True` the other.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If the conditioner does not fit.

    Shapes:
        `[..., H, W, C]`; conditions broadcast against `[...]`.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, figure 3
    """

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Any,
        *,
        flip: bool = False,
        validate_args: bool = False,
        name: str = "checkerboard_coupling",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._transformer = transformer
            self._conditioner = conditioner
            self._flip = bool(flip)
            size = conditioner.input_size
            _require_conditioner(conditioner, size, size, transformer.params_size)
            super().__init__(
                event_shape=(size,),
                condition_shape=conditioner.condition_shape,
                forward_min_event_ndims=3,
                dtype=conditioner.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def transformer(self) -> Transformer:
        """The scalar map."""
        return self._transformer

    @property
    def conditioner(self) -> Any:
        """What turns kept pixels into parameters."""
        return self._conditioner

    @property
    def flip(self) -> bool:
        """Whether the pixel in the upper left corner changes."""
        return self._flip

    @property
    def repeatable(self) -> bool:
        """Whether the conditioner may be rebuilt from other weights."""
        return getattr(self._conditioner, "repeatable", False)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    def _evaluate_images(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        argument = "y" if inverse else "x"
        arguments.require_sides(value.shape, argument, "`CheckerboardCoupling`")
        ndims = len(self.condition_shape or ())
        value, condition, batch = image_batch.to_images(value, condition, ndims)
        height, width = value.shape[1], value.shape[2]
        keep = image_math.checkerboard(height, width, flip=self._flip)
        zeros = tf.zeros_like(value)
        params = self._conditioner.images(tf.where(keep, value, zeros), condition)
        direction = self._transformer.inverse if inverse else self._transformer.forward
        changed, log_det = direction(value, params)
        out = tf.where(keep, value, changed)
        log_det = tf.reduce_sum(tf.where(keep, zeros, log_det), axis=[1, 2, 3])
        return batch.images(out), batch.scalars(log_det)

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_images(x, condition, inverse=False)

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._evaluate_images(y, condition, inverse=True)
