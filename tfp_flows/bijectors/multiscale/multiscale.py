"""The multi-scale architecture as one map of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks
from tfp_flows._types import Condition, Given, Pair, TensorLike
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import arguments, base, image_batch
from tfp_flows.bijectors._core.parameters import Option, Parts, at_least, one_of
from tfp_flows.math import images as image_math

__all__ = ["MultiScale"]


class MultiScale(base.Bijector):
    """Squeeze, transform, and set half of the channels aside, level by level.

    In the inverse direction, from data to the base, each level squeezes the image and
    applies a map. All levels but the last then set the second half of the channels
    aside, and the next level goes on with the first half. A prior maps the half set
    aside given the half that goes on: an affine `ChannelCoupling` there is the learned
    conditional normal prior of Glow, written as a map, so that the base density of all
    levels is a standard normal.

    What was set aside is put back where it was, so that base and data have one shape.
    Both directions cost what the parts cost.

    Raises:
        ValueError: If the numbers of levels and priors do not fit; in a call, if a side
            of the images cannot be squeezed that often.

    Shapes:
        `[..., H, W, C]`, with `H` and `W` multiples of `factor ** len(levels)`.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> build = tfpf.bijectors.ActNorm.trainable
        >>> map_ = tfpf.bijectors.MultiScale([build(c, event_ndims=3) for c in (4, 8)])
        >>> map_.inverse(np.ones([5, 8, 8, 1], "float32")).shape.as_list()
        [5, 8, 8, 1]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, section 3.6;
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, figure 2b
    """

    levels: Sequence[tfb.Bijector] = Parts(
        "One map for each level, the finest first; on images of the squeezed shape, "
        "see `level_shape`."
    )
    priors: Sequence[tfb.Bijector] = Parts(
        "One map for each level but the last, on the same shape; it should change no "
        "channel but those of the second half. Empty for none.",
        default=(),
    )
    _: KW_ONLY
    factor: int = Option(
        "Side of the blocks that each level squeezes.",
        default=2,
        check=at_least(2),
        convert=lambda value, name: int(value),
    )
    order: str = Option(
        "Order of squeezed channels, see `Squeeze`.",
        default="pixels",
        check=one_of(*image_math.ORDERS),
    )

    _event = "H W C"

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        levels, priors = self.levels, self.priors
        _checks.at_least(len(levels), 1, "levels")
        if priors and len(priors) != len(levels) - 1:
            msg = (
                "`priors` must be empty or one for each level but the last, got "
                f"{len(priors)} for {len(levels)} levels. Drop or add some."
            )
            raise ValueError(msg)
        # A chain knows how parts agree on a condition and on a dtype.
        whole = composition.Chain([*levels, *priors])
        return {
            "condition_shape": whole.condition_shape,
            "is_constant_jacobian": whole.is_constant_jacobian,
            "dtype": whole.dtype,
        }

    @staticmethod
    def level_shape(
        event_shape: Sequence[int], level: int, factor: int = 2
    ) -> tuple[int, int, int]:
        """Return the shape `[H, W, C]` on which the map of a level works.

        Args:
            event_shape: Shape of one image.
            level: Number of the level, 0 for the finest.
            factor: Side of the blocks that each level squeezes.

        Raises:
            ValueError: If a side cannot be squeezed that often.
        """
        height, width, channels = event_shape
        possible = image_math.divisions(height, width, factor)
        if level >= possible:
            step = factor ** (level + 1)
            up = (height + -height % step, width + -width % step)
            msg = (
                f"`x` of {height} x {width} pixels can be squeezed by {factor} "
                f"{possible} times, but this map has level {level + 1}. Use at most "
                f"{possible} levels, or pad the images to {up[0]} x {up[1]}."
            )
            raise ValueError(msg)
        for _ in range(level):
            channels = _num_kept(channels * factor**2)
        side = factor ** (level + 1)
        return height // side, width // side, channels * factor**2

    def _require(self, value: tf.Tensor, argument: str) -> None:
        arguments.require_sides(value.shape, argument, "`MultiScale`")
        self.level_shape(value.shape[-3:].as_list(), len(self.levels) - 1, self.factor)

    def _squeeze(self, value: tf.Tensor) -> tf.Tensor:
        return image_math.squeeze(value, self.factor, self.order)

    def _unsqueeze(self, value: tf.Tensor) -> tf.Tensor:
        return image_math.unsqueeze(value, self.factor, self.order)

    def _maps(self, level: int) -> list[tfb.Bijector]:
        """Return the maps of a level in the order in which data pass them."""
        return [self.levels[level], *self.priors[level : level + 1]]

    def _split(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels = value.shape[-1]
        kept = _num_kept(channels)
        first, rest = tf.split(value, [kept, channels - kept], axis=-1)
        return first, rest

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        self._require(y, "y")
        ndims = len(self.condition_shape or ())
        y, condition, batch = image_batch.to_images(y, condition, ndims, flat=False)
        log_det = tf.zeros(tf.shape(y)[:1], y.dtype)
        aside: list[tf.Tensor] = []
        for level in range(len(self.levels)):
            y = self._squeeze(y)
            for part in self._maps(level):
                y, more = base.inverse_and_log_det(part, y, condition, event_ndims=3)
                log_det += more
            if level < len(self.levels) - 1:
                y, rest = self._split(y)
                aside.append(rest)
        x = self._unsqueeze(y)
        for rest in reversed(aside):
            x = self._unsqueeze(tf.concat([x, rest], axis=-1))
        return batch.images(x), batch.scalars(log_det)

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        self._require(x, "x")
        ndims = len(self.condition_shape or ())
        x, condition, batch = image_batch.to_images(x, condition, ndims, flat=False)
        log_det = tf.zeros(tf.shape(x)[:1], x.dtype)
        aside: list[tf.Tensor] = []
        for _ in self.levels[1:]:
            x, rest = self._split(self._squeeze(x))
            aside.append(rest)
        y = self._squeeze(x)
        for level in reversed(range(len(self.levels))):
            if level < len(self.levels) - 1:
                y = tf.concat([y, aside[level]], axis=-1)
            for part in reversed(self._maps(level)):
                y, more = base.forward_and_log_det(part, y, condition, event_ndims=3)
                log_det += more
            y = self._unsqueeze(y)
        return batch.images(y), batch.scalars(log_det)

    def adapt(self, y: TensorLike, condition: Condition = None) -> None:
        """Set data-dependent parts, such as `ActNorm`, from the data side inwards.

        Args:
            y: Images, `[N, H, W, C]`.
            condition: Conditions, `[N, *condition_shape]`.
        """
        y = tf.convert_to_tensor(y, dtype_hint=self.dtype)
        self._require(y, "y")
        for level in range(len(self.levels)):
            y = self._squeeze(y)
            for part in self._maps(level):
                y = _adapted(part, y, condition)
            if level < len(self.levels) - 1:
                y = self._split(y)[0]


def _num_kept(channels: int) -> int:
    """Return how many of the channels go on to the next level."""
    return (channels + 1) // 2


def _adapted(part: tfb.Bijector, y: tf.Tensor, condition: Condition) -> tf.Tensor:
    """Adapt a map and what it is made of, and return the inverse of the data."""
    if isinstance(part, composition.Chain):
        for inner in part.bijectors:
            y = _adapted(inner, y, condition)
        return y
    adapt = getattr(part, "adapt", None)
    if adapt is not None:
        adapt(y, condition)
    return base.inverse_and_log_det(part, y, condition, event_ndims=3)[0]
