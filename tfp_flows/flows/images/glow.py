"""Flows of images: multi-scale coupling with convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows import _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear import conv1x1
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.flows.images import multiscale
from tfp_flows.flows.images.multiscale import LOGIT_ALPHA

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
                composition.Invert(conv),
                self._coupling(self._transformer(), size, condition_shape),
            ]
        return parts


@_serialize.register()
class Glow(_Steps):
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
            one-hot labels, or a feature map `(h, w, C)` as large as the image or by
            some power of 2 larger or smaller; `None` for an unconditional density.
        num_levels: Number of levels; both sides must be multiples of
            `2 ** num_levels`. `None`: as many as possible, up to 3.
        num_steps: Number of steps in each level.
        hidden_units: Channels of the hidden layers of the networks; (c, c) gives
            Glow's network of three convolutions.
        coupling: `"affine"`, `"spline"` (rational-quadratic), `"mixture"` (CDF of a
            mixture of logistics, as in Flow++: samples need a root search), or
            `"additive"`.
        residual: Whether networks are gated residual ones, see `networks.ConvNet`.
        positions: Whether networks see row and column of each pixel.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]`.
        num_components: Logistics of each mixture.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        num_values: Number of values of a pixel: 256 for 8 bits.
        logit_alpha: Models the logit of pixels, squeezed into `[alpha, 1 - alpha]`, as
            RealNVP does: black and white get room, and samples exceed
            `[0, num_values]` by at most half a value. `None`: pixels as they are,
            centred and scaled, as in Glow's paper.
        dequantize: The noise in [0, 1) that training and `bits_per_dim` add to data,
            which are integers: `"uniform"` (or `True`), or `"variational"`, noise whose
            density given the pixels is learned, for tighter bounds; `False` for data
            that are continuous already.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `checkpoint`, `seed`, `name`, `dtype`: see `Flow`.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed `num_levels` times.

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039;
        Ho et al. (2019). Flow++. https://arxiv.org/abs/1902.00275
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
        num_components: int = 8,
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
            "residual": residual,
            "positions": positions,
            "num_bins": num_bins,
            "tail_bound": tail_bound,
            "num_components": num_components,
            "activation": activation,
            "dropout": dropout,
            "num_values": num_values,
            "logit_alpha": logit_alpha,
            "dequantize": dequantize,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )


@_serialize.register()
class NeuralSplineImageFlow(_Steps):
    """Glow's levels with spline coupling by gated residual networks.

    Sampling and density are equally fast: one pass.

    Args:
        event_shape: Shape of one image, `(H, W, C)`.
        condition_shape: Shape of the condition; `None` for an unconditional density.
        num_levels: Number of levels; `None`: as many as possible, up to 3.
        num_steps: Number of steps in each level.
        hidden_units: Channels of the residual networks, once for the first layer and
            once for each block.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]`.
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
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032,
        section 5.2
    """

    _coupling_kind = "spline"
    _residual = True

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_levels: int | None = None,
        num_steps: int = 7,
        hidden_units: Sequence[int] = (48, 48),
        num_bins: int = 8,
        tail_bound: float = 5.0,
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
            "num_bins": num_bins,
            "tail_bound": tail_bound,
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
