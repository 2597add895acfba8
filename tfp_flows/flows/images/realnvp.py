"""RealNVP of images: checkerboard coupling, then channel coupling, at every level."""

from __future__ import annotations

from collections.abc import Sequence

from tfp_flows import _serialize
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling.images import CheckerboardCoupling
from tfp_flows.bijectors.multiscale import squeeze
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.flows._model.options import option
from tfp_flows.flows.images import multiscale

__all__ = ["RealNVPImage"]


@_serialize.register()
class RealNVPImage(multiscale.AnyCoupling):
    """Multi-scale affine coupling of pixels, then of channels (RealNVP).

    Each level couples the pixels of the two colours of a checkerboard `num_steps`
    times, squeezes blocks of 2 x 2 pixels into channels, couples the halves of the
    channels `num_steps` times, and all but the last set half of the channels aside
    under a learned conditional normal prior. Log-scales pass a bounded tanh. ActNorm
    stands where the paper has batch normalisation, so that a density never depends on
    the rest of its batch.

    Sampling and density are equally fast: one pass.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, section 3.6
    """

    num_steps: int = option(
        default=3, doc="Number of couplings of each of the two kinds in each level."
    )
    hidden_units: Sequence[int] = option(default=(32, 32, 32))
    residual: bool = option(default=True)

    def _level(
        self,
        level: int,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> list[bijector_base.Bijector]:
        del level
        height, width, channels = size
        pixels, steps = channels // 4, range(self.num_steps)
        sides = (2 * height, 2 * width)
        # A level is given squeezed images: its pixels are restored for a while.
        parts: list[bijector_base.Bijector] = [squeeze.Squeeze()]
        for step in steps:
            transformer = self._scalar_map()
            net = self._network((pixels, pixels), sides, transformer, condition_shape)
            parts += [
                self._norm(pixels),
                CheckerboardCoupling(transformer, net, flip=step % 2 == 1),
            ]
        parts.append(composition.Invert(squeeze.Squeeze()))
        for step in steps:
            coupling = self._coupling(
                self._scalar_map(), size, condition_shape, flip=step % 2 == 1
            )
            parts += [self._norm(channels), coupling]
        return parts

    def _norm(self, channels: int) -> actnorm.ActNorm:
        return actnorm.ActNorm.trainable(
            channels, event_ndims=3, dtype=self.variable_dtype
        )
