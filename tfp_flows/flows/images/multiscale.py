"""What the multi-scale flows share: levels, priors, pixels, networks."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors import composition, transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.coupling.images import ChannelCoupling
from tfp_flows.bijectors.multiscale import multiscale
from tfp_flows.flows._model import options
from tfp_flows.flows._model.options import option
from tfp_flows.flows.images import dequantization, raw
from tfp_flows.math import images as image_math
from tfp_flows.networks import ConvNet

__all__ = ["COUPLINGS", "AnyCoupling", "MultiScaleFlow"]

COUPLINGS = ("affine", "spline", "mixture", "additive")
# Without a number given: as many levels as the size allows, up to this many.
MAX_LEVELS = 3
# Couplings of learned noise, as in Flow++: each number of a block is changed twice.
NOISE_STEPS = 4


class MultiScaleFlow(raw.PixelFlow):
    """Base class of flows that set half of the channels aside, level by level.

    Subclasses implement `_level`.

    Raises:
        ValueError: If the event is no image, or cannot be squeezed so often.
    """

    num_levels: int | None = option(
        default=None,
        doc=(
            "Number of levels; both sides must be multiples of `2 ** num_levels`. "
            "`None`: as many as possible, up to 3."
        ),
    )
    num_steps: int = option(
        default=8, doc="Number of steps in each level.", read=options.at_least(1)
    )
    hidden_units: Sequence[int] = option(
        default=(64, 64),
        doc=(
            "Channels of the hidden layers of the networks; of residual ones once for "
            "the first layer and once for each block."
        ),
        read=options.sizes,
    )
    residual: bool = option(
        default=False,
        doc="Whether networks are gated residual ones, see `networks.ConvNet`.",
    )
    num_bins: int = option(default=8, doc="Bins of each spline.")
    tail_bound: float = option(
        default=5.0, doc="The splines act on `[-tail_bound, tail_bound]`."
    )
    positions: bool = option(
        default=True, doc="Whether networks see row and column of each pixel."
    )
    activation: str = option(default="relu", doc="Name in `tf.nn`.")
    dropout: float = option(
        default=0.0,
        doc="Share of hidden units dropped while training.",
        read=options.fraction,
    )
    dequantize: bool | str = option(  # type: ignore[assignment]
        default=True,
        doc="The noise in [0, 1) that training and `bits_per_dim` add to data, which "
        'are integers: `"uniform"` (or `True`), or `"variational"`, noise whose '
        "density given the pixels is learned, for tighter bounds; `False` for data "
        "that are continuous already.",
        read=options.one_of("uniform", "variational", *(True, False)),
    )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        del size
        shape, count = self.event_shape, self.num_levels
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
        return [multiscale.MultiScale(levels, priors)]

    def _make_auxiliary_modules(
        self, condition_shape: tuple[int, ...] | None
    ) -> list[tf.Module]:
        if self.options["dequantize"] != "variational":
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
            couplings.append(ChannelCoupling(map_, net, mask))
        self._noise = dequantization.PixelNoise(couplings, self.num_values)
        return [self._noise]

    def _chain(self, maps: list[bijector_base.Bijector]) -> composition.Chain:
        return composition.Chain(maps, checkpoint=self._checkpoint)

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

    def _scalar_map(self) -> transformers.Transformer:
        """Return the transformer of the couplings."""
        return transformers.RationalQuadratic(
            self.num_bins, -self.tail_bound, self.tail_bound
        )

    def _coupling(
        self,
        transformer: transformers.Transformer,
        size: tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
        *,
        flip: bool = False,
    ) -> ChannelCoupling:
        """Return a coupling that keeps the first half, or the second if `flip`."""
        channels = size[-1]
        first = (channels + 1) // 2
        mask = [(channel < first) != flip for channel in range(channels)]
        seen = (sum(mask), channels - sum(mask))
        net = self._network(seen, size[:2], transformer, condition_shape)
        return ChannelCoupling(transformer, net, mask)

    def _network(
        self,
        channels: tuple[int, int],
        sides: Sequence[int],
        transformer: transformers.Transformer,
        condition_shape: tuple[int, ...] | None,
    ) -> ConvNet:
        """Return a network for channels seen and changed, and the size of images."""
        return ConvNet(
            channels[0],
            (channels[1], transformer.params_size),
            self.hidden_units,
            residual=self.residual,
            positions=self.positions,
            activation=self.activation,
            condition_shape=condition_shape,
            condition_factor=_map_factor(condition_shape, sides),
            dropout=self.dropout,
            initial_output=transformer.initial(),
            dtype=self.variable_dtype,
            compute_dtype=self.compute_dtype,
            seed=self._next_seed(),
        )


class AnyCoupling(MultiScaleFlow):
    """Levels whose couplings have any transformer."""

    coupling: str = option(
        default="affine",
        doc=(
            '`"affine"`, `"spline"` (rational-quadratic), `"mixture"` (CDF of a '
            "mixture of logistics, as in Flow++: samples need a root search), or "
            '`"additive"`.'
        ),
        read=options.one_of(*COUPLINGS),
    )
    transformer: transformers.Transformer | None = option(
        default=None,
        doc=(
            "The scalar map of the couplings, or its name; `None` for that of "
            "`coupling`."
        ),
        read=lambda value, name: value and transformers.transformer(value, name),
    )
    num_components: int = option(default=8, doc="Logistics of each mixture.")

    def _scalar_map(self) -> transformers.Transformer:
        if self.transformer is not None:
            return self.transformer
        if self.coupling == "mixture":
            return transformers.LogisticMixture(self.num_components)
        if self.coupling == "spline":
            return super()._scalar_map()
        kinds = {"affine": transformers.Affine, "additive": transformers.Additive}
        return kinds[self.coupling]()


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
