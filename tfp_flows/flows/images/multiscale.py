"""What the multi-scale flows share: levels, priors, pixels, networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Shape
from tfp_flows.bijectors import composition, transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling import images as coupling_maps
from tfp_flows.bijectors.elementwise import pixels
from tfp_flows.bijectors.multiscale import multiscale
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.flows.images import base as image
from tfp_flows.flows.images import dequantization
from tfp_flows.math import images as image_math
from tfp_flows.networks import ConvNet

__all__ = ["COUPLINGS", "LOGIT_ALPHA", "MultiScaleFlow"]

COUPLINGS = ("affine", "spline", "mixture", "additive")
# MNIST: 1.5 bits after 300 steps of training in place of 3.1 without a logit.
LOGIT_ALPHA = 0.002
# Without a number given: as many levels as the size allows, up to this many.
MAX_LEVELS = 3
# Couplings of learned noise, as in Flow++: each number of a block is changed twice.
NOISE_STEPS = 4


class MultiScaleFlow(image.ImageFlow):
    """Base class of flows that set half of the channels aside, level by level.

    Subclasses implement `_level`, and pass on as `options` what is read here; see
    `Glow` for what it means.

    Args:
        event_shape: Shape of one image, `(H, W, C)`.
        condition_shape: Shape of the condition, or `None`.
        options: What a subclass was built with beyond the arguments here.
        **kwargs: See `ImageFlow`.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed so often.
    """

    # Of a subclass that has no option for it.
    _coupling_kind = "affine"
    _residual = False

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None,
        *,
        options: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        kind = options.get("coupling", self._coupling_kind)
        _checks.one_of(kind, COUPLINGS, "coupling")
        _checks.at_least(options["num_steps"], 1, "num_steps")
        options["hidden_units"] = _checks.static_shape(
            options["hidden_units"], "hidden_units"
        )
        super().__init__(
            event_shape,
            condition_shape,
            options=options,
            dequantize=options["dequantize"],
            **kwargs,
        )

    def _make_maps(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        shape, count = self.event_shape, self._options["num_levels"]
        if count is None:
            count = image_math.divisions(shape[0], shape[1], 2)
            count = max(1, min(MAX_LEVELS, count))
        _checks.at_least(count, 1, "num_levels")
        shapes = [multiscale.MultiScale.level_shape(shape, i) for i in range(count)]
        levels = [
            self._chain(self._level(i, size, condition_shape))
            for i, size in enumerate(shapes)
        ]
        priors = [
            self._chain([self._coupling(transformers.Affine(), size, condition_shape)])
            for size in shapes[:-1]
        ]
        return [multiscale.MultiScale(levels, priors), self._pixels()]

    def _make_beside(self, condition_shape: tuple[int, ...] | None) -> list[tf.Module]:
        if self._options["dequantize"] != "variational":
            return []
        height, width, channels = self.event_shape
        size = image_math.squeezed_shape(
            (height, width, channels), dequantization.FACTOR
        )
        couplings = []
        for mask in dequantization.coupling_masks(channels, NOISE_STEPS):
            seen, map_ = sum(mask), transformers.Affine()
            net = self._network(
                (seen, len(mask) - seen), size[:2], map_, condition_shape
            )
            couplings.append(coupling_maps.ChannelCoupling(map_, net, mask))
        self._noise = dequantization.PixelNoise(couplings, self._options["num_values"])
        return [self._noise]

    def _chain(self, maps: list[bijector_base.Bijector]) -> composition.Chain:
        return composition.Chain(maps, checkpoint=self._checkpoint)

    @property
    def pixels(self) -> bijector_base.Bijector:
        """The fixed map from numbers around zero to raw pixels."""
        return self._maps[-1]

    def _pixels(self) -> bijector_base.Bijector:
        """Return the fixed map between raw pixels and numbers around zero."""
        count, alpha = self._options["num_values"], self._options["logit_alpha"]
        if alpha is not None:
            return pixels.PixelSigmoid(num_values=count, alpha=alpha)
        half = tf.constant(count / 2.0, self.variable_dtype)
        return standardize.Standardize(half, 2.0 * half, event_ndims=0)

    def _require_pixels(self, images: np.ndarray) -> None:
        if self._options["logit_alpha"] is None:
            return
        low, high = np.min(images), np.max(images)
        limit = self._options["num_values"] - bool(self._options["dequantize"])
        if not (low >= 0 and high <= limit):
            msg = (
                f"`x` must be pixels from 0 to {limit}, got numbers from {low:g} to "
                f"{high:g}. Scale them, or build with logit_alpha=None."
            )
            raise ValueError(msg)

    def _level(
        self,
        level: int,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> list[bijector_base.Bijector]:
        """Return the maps of a level, the one next to the data first.

        Args:
            level: Number of the level, 0 for the finest.
            size: Shape of its squeezed images.
            condition_shape: Shape of the condition, or `None`.
        """
        raise NotImplementedError

    def _transformer(self) -> transformers.Transformer:
        """Return the scalar map of the couplings."""
        options = self._options
        kind = options.get("coupling", self._coupling_kind)
        if kind == "spline":
            bound = options["tail_bound"]
            return transformers.RationalQuadratic(options["num_bins"], -bound, bound)
        if kind == "mixture":
            return transformers.LogisticMixture(options["num_components"])
        return transformers.Affine() if kind == "affine" else transformers.Additive()

    def _coupling(
        self,
        transformer: transformers.Transformer,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
        *,
        flip: bool = False,
    ) -> coupling_maps.ChannelCoupling:
        """Return a coupling that keeps the first half, or the second if `flip`."""
        channels = size[-1]
        first = (channels + 1) // 2
        mask = [(channel < first) != flip for channel in range(channels)]
        seen = (sum(mask), channels - sum(mask))
        net = self._network(seen, size[:2], transformer, condition_shape)
        return coupling_maps.ChannelCoupling(transformer, net, mask)

    def _network(
        self,
        channels: tuple[int, int],
        sides: Sequence[int],
        transformer: transformers.Transformer,
        condition_shape: tuple[int, ...] | None,
    ) -> ConvNet:
        """Return a network for channels seen and changed, and the size of images."""
        options = self._options
        return ConvNet(
            channels[0],
            (channels[1], transformer.params_size),
            options["hidden_units"],
            residual=options.get("residual", self._residual),
            positions=options["positions"],
            activation=options["activation"],
            condition_shape=condition_shape,
            condition_factor=_map_factor(condition_shape, sides),
            dropout=options["dropout"],
            initial_output=transformer.initial(),
            dtype=self.variable_dtype,
            compute_dtype=self.compute_dtype,
            seed=self._next_seed(),
        )


def _map_factor(condition_shape: tuple[int, ...] | None, sides: Sequence[int]) -> int:
    """Return how many times larger a feature map is than images, at least 1.

    Raises:
        ValueError: If neither size is a multiple of the other.
    """
    if condition_shape is None or len(condition_shape) != 3:
        return 1
    factor = max(1, condition_shape[0] // sides[0])
    for given, wanted in zip(condition_shape, sides, strict=False):
        if given != factor * wanted and (factor > 1 or wanted % given):
            msg = (
                f"`condition_shape` {condition_shape} must be a map with sides that "
                f"are multiples or divisors of {sides[0]} x {sides[1]}, the size of "
                "images at a level. Resize it, or flatten it to a vector."
            )
            raise ValueError(msg)
    return factor
