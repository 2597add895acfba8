"""Flows of images whose networks attend to the patches before."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tfp_flows import _checks, _serialize
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.bijectors import adapters
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.flows._model import options
from tfp_flows.flows._model.batch import Batch
from tfp_flows.flows._model.options import option
from tfp_flows.flows.images import raw
from tfp_flows.flows.vectors.attention import AttentionLayers
from tfp_flows.math import images

__all__ = ["TarFlowImage"]

# Keeps this noise apart from that of dequantisation.
NOISE_SEEDS = 7919


@_serialize.register()
class TarFlowImage(AttentionLayers, raw.PixelFlow):
    """Autoregressive layers over patches, by causal transformers (TarFlow).

    Channels are normalised (`ActNorm`, set by `adapt`). An image is cut into patches of
    `patch_size` pixels a side, row by row. Each layer maps the pixels of a patch given
    the patches before it; the next one goes the other way, with `interleave` over
    pixels far apart. The density is fast, one pass; sampling goes through the patches
    one after the other, with the keys and values of those before kept, in steps that
    cost about one pass in total.

    With `pixel_noise` the density is that of images to which noise of this deviation
    has been added, and so are its samples; `denoise` takes it out again. Bits per
    dimension are those of the pixels without it.

    Raises:
        ValueError: If the event is no image, if `patch_size` does not divide its sides,
            if `num_heads` does not divide the width, or if there is `pixel_noise` with
            a logit, which has no room for it.

    References:
        Zhai et al. (2024). Normalizing Flows are Capable Generative Models.
        https://arxiv.org/abs/2412.06329
    """

    patch_size: int = option(default=2, doc="Pixels on a side of a patch.")
    interleave: bool = option(
        default=False,
        doc="Whether every second layer has tokens of pixels that are as far apart as "
        "possible in place of patches: those of one token do not see each other.",
    )
    pixel_noise: float = option(
        default=0.0,
        doc="Deviation of normal noise that training adds to pixels, in units of their "
        "values, beside that of `dequantize`; validation adds none. Needs "
        "`logit_alpha=None`.",
        read=options.at_least(0.0),
    )

    def __init__(
        self, event_shape: Shape, condition_shape: Shape | None = None, **given: Any
    ) -> None:
        alpha = given.get("logit_alpha", raw.LOGIT_ALPHA)
        if given.get("pixel_noise") and alpha is not None:
            msg = (
                "`pixel_noise` takes pixels out of their range, where the logit has no "
                f"value: got pixel_noise={given['pixel_noise']} with a logit. Build "
                "with logit_alpha=None."
            )
            raise ValueError(msg)
        super().__init__(event_shape, condition_shape, **given)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        height, width, channels = self.event_shape
        for side, what in ((height, "the height"), (width, "the width")):
            _checks.divides(self.patch_size, side, "patch_size", f"{what} of images")
        shape = (height, width, channels)
        interleave = self.interleave and self.patch_size > 1
        found: list[bijector_base.Bijector] = []
        for i in range(self.num_layers):
            # Counted from the data, where the first layer has patches row by row.
            place = self.num_layers - 1 - i
            spread = interleave and place % 2 == 1
            ranks = images.patch_ranks(shape, self.patch_size, spread=spread)
            turns = place + interleave * (place // 2)
            order = ranks if turns % 2 == 0 else size - 1 - ranks
            layer = self._attention(
                self.transformer,
                size,
                self.patch_size**2 * channels,
                tuple(order.tolist()),
                condition_shape,
            )
            found.append(adapters.OnFlattened(layer, self.event_shape))
        # What networks see is bounded: pixels come to them with deviation one.
        norm = actnorm.ActNorm.trainable(
            channels, event_ndims=3, dtype=self.variable_dtype
        )
        return [*found, norm]

    def _prepared(self, batch: Batch | None, step: tf.Tensor) -> Batch | None:
        batch = super()._prepared(batch, step)
        if batch is None or batch.x is None or not self.pixel_noise:
            return batch
        seed = tf.stack([self._noise_seed + NOISE_SEEDS, step])
        normal = tf.random.stateless_normal(
            tf.shape(batch.x), seed, dtype=self.variable_dtype
        )
        deviation = tf.where(step < 0, 0.0, self.pixel_noise)  # none in validation
        x = tf.cast(batch.x, normal.dtype) + tf.cast(deviation, normal.dtype) * normal
        return dataclasses.replace(batch, x=x)

    def denoise(self, images: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Return the mean of images given what noise has made of them.

        It is `x + pixel_noise**2 * d log_prob(x) / dx`, exact for normal noise and for
        the true density of noisy images (Tweedie's formula).

        Args:
            images: Noisy pixels, `[..., H, W, C]`, such as samples of the flow.
            condition: Conditions, `[..., *condition_shape]`.

        Returns:
            Pixels of the same shape.

        Raises:
            ValueError: If the flow has been built without `pixel_noise`.
        """
        if not self.pixel_noise:
            msg = (
                "`denoise` needs a flow of noisy images, this one has pixel_noise=0. "
                "Build with pixel_noise= and logit_alpha=None, and train anew."
            )
            raise ValueError(msg)
        x = tf.cast(tf.convert_to_tensor(images), self.variable_dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            log_prob = self.log_prob(x, condition)
        return x + self.pixel_noise**2 * tape.gradient(log_prob, x)

    def sample(
        self,
        sample_shape: Shape | tuple[()] = (),
        condition: Condition = None,
        seed: Seed = None,
        *,
        temperature: float = 1.0,
        denoise: bool = False,
        jit_compile: bool = False,
    ) -> tf.Tensor:
        """Return samples by a compiled function.

        Args:
            sample_shape: Shape of independent samples; an int or a tuple.
            condition: `[..., *condition_shape]`; one sample of `sample_shape` for each.
            seed: Int or stateless seed `[2]`.
            temperature: Factor of the deviation of the base density.
            denoise: Whether to take out the noise of a flow with `pixel_noise`.
            jit_compile: Whether to compile by XLA.

        Returns:
            Continuous pixels, `[*sample_shape, ..., H, W, C]`.
        """
        x = super().sample(
            sample_shape,
            condition,
            seed,
            temperature=temperature,
            jit_compile=jit_compile,
        )
        if not denoise:
            return x
        if condition is not None:
            value = tf.convert_to_tensor(condition)
            shape = tf.concat([tf.shape(x)[:-3], self.condition_shape], axis=0)
            condition = tf.broadcast_to(value, shape)
        return self.denoise(x, condition)
