"""RealNVP of images: checkerboard coupling, then channel coupling, at every level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows import _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling import images as coupling_maps
from tfp_flows.bijectors.multiscale import squeeze
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.flows.images import multiscale
from tfp_flows.flows.images.multiscale import LOGIT_ALPHA

__all__ = ["RealNVPImage"]


@_serialize.register()
class RealNVPImage(multiscale.MultiScaleFlow):
    """Multi-scale affine coupling of pixels, then of channels (RealNVP).

    Each level couples the pixels of the two colours of a checkerboard `num_steps`
    times, squeezes blocks of 2 x 2 pixels into channels, couples the halves of the
    channels `num_steps` times, and all but the last set half of the channels aside
    under a learned conditional normal prior. Log-scales pass a bounded tanh. ActNorm
    stands where the paper has batch normalisation, so that a density never depends on
    the rest of its batch.

    Sampling and density are equally fast: one pass.

    Args:
        event_shape: Shape of one image, `(H, W, C)`.
        condition_shape: Shape of the condition; `None` for an unconditional density.
        num_levels: Number of levels; `None`: as many as possible, up to 3.
        num_steps: Number of couplings of each of the two kinds in each level.
        hidden_units: Channels of the residual networks, once for the first layer and
            once for each block.
        coupling: `"affine"`, or another of `Glow`.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]`.
        num_components: Logistics of each mixture.
        positions: Whether networks see row and column of each pixel.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        num_values: Number of values of a pixel: 256 for 8 bits.
        logit_alpha: See `Glow`.
        dequantize: See `Glow`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `checkpoint`, `seed`, `name`, `dtype`: see `Flow`.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, section 3.6
    """

    _residual = True

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_levels: int | None = None,
        num_steps: int = 3,
        hidden_units: Sequence[int] = (32, 32, 32),
        coupling: str = "affine",
        num_bins: int = 8,
        tail_bound: float = 5.0,
        num_components: int = 8,
        positions: bool = True,
        activation: str = "relu",
        dropout: float = 0.0,
        num_values: int = 256,
        logit_alpha: float | None = LOGIT_ALPHA,
        dequantize: bool | str = True,
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_levels": num_levels,
            "num_steps": num_steps,
            "hidden_units": hidden_units,
            "coupling": coupling,
            "num_bins": num_bins,
            "tail_bound": tail_bound,
            "num_components": num_components,
            "positions": positions,
            "activation": activation,
            "dropout": dropout,
            "num_values": num_values,
            "logit_alpha": logit_alpha,
            "dequantize": dequantize,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _level(
        self,
        level: int,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> list[bijector_base.Bijector]:
        del level
        height, width, channels = size
        pixels, steps = channels // 4, range(self._options["num_steps"])
        sides = (2 * height, 2 * width)
        # A level is given squeezed images: its pixels are restored for a while.
        parts: list[bijector_base.Bijector] = [squeeze.Squeeze()]
        for step in steps:
            transformer = self._transformer()
            net = self._network((pixels, pixels), sides, transformer, condition_shape)
            parts += [
                self._norm(pixels),
                coupling_maps.CheckerboardCoupling(
                    transformer, net, flip=step % 2 == 1
                ),
            ]
        parts.append(composition.Invert(squeeze.Squeeze()))
        for step in steps:
            coupling = self._coupling(
                self._transformer(), size, condition_shape, flip=step % 2 == 1
            )
            parts += [self._norm(channels), coupling]
        return parts

    def _norm(self, channels: int) -> actnorm.ActNorm:
        return actnorm.ActNorm.trainable(
            channels, event_ndims=3, dtype=self.variable_dtype
        )
