"""Flows of images: multi-scale coupling with convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence

from tfp_flows import _serialize
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear import conv1x1
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.flows._model.options import option
from tfp_flows.flows.images import multiscale

__all__ = ["Glow", "NeuralSplineImageFlow"]


class _Steps(multiscale.MultiScaleFlow):
    """Levels of ActNorm, invertible 1x1 convolution and channel coupling."""

    def _level(
        self,
        level: int,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> list[bijector_base.Bijector]:
        channels = size[-1]
        parts: list[bijector_base.Bijector] = []
        for step in range(self.num_steps):
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
                composition.Invert(conv),
                self._coupling(self._scalar_map(), size, condition_shape),
            ]
        return parts


@_serialize.register()
class Glow(multiscale.AnyCoupling, _Steps):
    """Glow: multi-scale image flow of ActNorm, 1x1 convolutions and coupling.

    Each level squeezes blocks of 2 x 2 pixels into channels, applies `num_steps` steps
    of ActNorm, invertible 1x1 convolution and channel coupling, and all but the last
    set half of the channels aside under a learned conditional normal prior. Sampling
    and density are equally fast: one pass.

    Data are raw pixels, integers from 0 to `num_values - 1`. Training and
    `bits_per_dim` add uniform noise in [0, 1) to them; `log_prob` is the density of
    what it is given, in nats, per unit of raw pixels.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039;
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275
    """


@_serialize.register()
class NeuralSplineImageFlow(_Steps):
    """Glow's levels with spline coupling by gated residual networks.

    Sampling and density are equally fast: one pass.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032,
        section 5.2
    """

    num_steps: int = option(default=7)
    hidden_units: Sequence[int] = option(default=(48, 48))
    residual: bool = option(default=True)
