"""Flows of images: multi-scale coupling with convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import (
    actnorm,
    compose,
    conv1x1,
    multiscale,
    pixels,
    standardize,
    transformers,
)
from tfp_flows.bijectors import base as bijector_base
from tfp_flows.bijectors import image_coupling as coupling_maps
from tfp_flows.flows import image
from tfp_flows.math import images as image_math
from tfp_flows.networks import ConvNet

__all__ = ["Glow"]

COUPLINGS = ("affine", "spline", "additive")
# MNIST: 1.5 bits after 300 steps of training in place of 3.1 without a logit.
LOGIT_ALPHA = 0.002
# Without a number given: as many levels as the size allows, up to this many.
MAX_LEVELS = 3


@_serialize.register()
class Glow(image.ImageFlow):
    """Glow: multi-scale image flow of ActNorm, 1x1 convolutions and coupling.

    Each level squeezes blocks of 2 x 2 pixels into channels, applies `num_steps` steps
    of ActNorm, invertible 1x1 convolution and channel coupling, and all but the last
    set half of the channels aside under a learned conditional normal prior. Sampling
    and density are equally fast: one pass.

    Data are raw pixels, integers from 0 to `num_values - 1`. Training and
    `bits_per_dim` add uniform noise in [0, 1) to them; `log_prob` is the density of
    what it is given, in nats, per unit of raw pixels.

    Args:
        event_shape: Shape of one image, `(H, W, C)`.
        condition_shape: Shape of the condition, such as the number of classes for
            one-hot labels; `None` for an unconditional density.
        num_levels: Number of levels; both sides must be multiples of
            `2 ** num_levels`. `None`: as many as possible, up to 3.
        num_steps: Number of steps in each level.
        hidden_units: Channels of the hidden layers of the networks; (c, c) gives
            Glow's network of three convolutions.
        coupling: `"affine"`, `"spline"` (rational-quadratic), or `"additive"`.
        residual: Whether networks are gated residual ones, see `networks.ConvNet`.
        positions: Whether networks see row and column of each pixel.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]`.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        num_values: Number of values of a pixel: 256 for 8 bits.
        logit_alpha: Models the logit of pixels, squeezed into `[alpha, 1 - alpha]`, as
            RealNVP does: black and white get room, and samples exceed
            `[0, num_values]` by at most half a value. `None`: pixels as they are,
            centred and scaled, as in Glow's paper.
        dequantize: Whether data are integers, to which training and `bits_per_dim` add
            uniform noise; `False` for data that are continuous already.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `seed`, `name`, `dtype`: see `Flow`.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_levels: int | None = None,
        num_steps: int = 8,
        hidden_units: Sequence[int] = (64, 64),
        coupling: str = "affine",
        residual: bool = False,
        positions: bool = True,
        num_bins: int = 8,
        tail_bound: float = 5.0,
        activation: str = "relu",
        dropout: float = 0.0,
        num_values: int = 256,
        logit_alpha: float | None = LOGIT_ALPHA,
        dequantize: bool = True,
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        _checks.one_of(coupling, COUPLINGS, "coupling")
        _checks.at_least(num_steps, 1, "num_steps")
        options = {
            "num_levels": num_levels,
            "num_steps": num_steps,
            "hidden_units": tuple(hidden_units),
            "coupling": coupling,
            "residual": residual,
            "positions": positions,
            "num_bins": num_bins,
            "tail_bound": tail_bound,
            "activation": activation,
            "dropout": dropout,
            "num_values": num_values,
            "logit_alpha": logit_alpha,
            "dequantize": dequantize,
        }
        super().__init__(
            event_shape,
            condition_shape,
            options=options,
            dequantize=dequantize,
            base=base,
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
            self._level(i, channels, condition_shape)
            for i, (_, _, channels) in enumerate(shapes)
        ]
        priors = [
            self._coupling(transformers.Affine(), channels, condition_shape)
            for _, _, channels in shapes[:-1]
        ]
        return [multiscale.MultiScale(levels, priors), self._pixels()]

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
        limit = self._options["num_values"] - self._options["dequantize"]
        if not (low >= 0 and high <= limit):
            msg = (
                f"`x` must be pixels from 0 to {limit}, got numbers from {low:g} to "
                f"{high:g}. Scale them, or build with logit_alpha=None."
            )
            raise ValueError(msg)

    def _level(
        self, level: int, channels: int, condition_shape: tuple[int, ...] | None
    ) -> compose.Chain:
        """Return the steps of a level; the first part is the one next to the data."""
        parts: list[bijector_base.Bijector] = []
        for step in range(self._options["num_steps"]):
            # The permutation of the factors is structure: equal for all seeds.
            conv = conv1x1.InvertibleConv1x1.trainable(
                channels,
                seed=[channels, 1000 * level + step],
                dtype=self.variable_dtype,
            )
            parts += [
                actnorm.ActNorm.trainable(
                    channels, event_ndims=3, dtype=self.variable_dtype
                ),
                # Inverted, densities multiply, and only samples need the inverse.
                compose.Invert(conv),
                self._coupling(self._transformer(), channels, condition_shape),
            ]
        return compose.Chain(parts)

    def _transformer(self) -> transformers.Transformer:
        kind, bound = self._options["coupling"], self._options["tail_bound"]
        if kind == "spline":
            return transformers.RationalQuadratic(
                self._options["num_bins"], -bound, bound
            )
        return transformers.Affine() if kind == "affine" else transformers.Additive()

    def _coupling(
        self,
        transformer: transformers.Transformer,
        channels: int,
        condition_shape: tuple[int, ...] | None,
    ) -> coupling_maps.ChannelCoupling:
        """Return a coupling that keeps the first half of the channels."""
        options = self._options
        kept = (channels + 1) // 2
        net = ConvNet(
            kept,
            (channels - kept, transformer.params_size),
            options["hidden_units"],
            residual=options["residual"],
            positions=options["positions"],
            activation=options["activation"],
            condition_shape=condition_shape,
            dropout=options["dropout"],
            initial_output=transformer.initial(),
            dtype=self.variable_dtype,
            compute_dtype=self.compute_dtype,
            seed=self._next_seed(),
        )
        mask = [channel < kept for channel in range(channels)]
        return coupling_maps.ChannelCoupling(transformer, net, mask)
