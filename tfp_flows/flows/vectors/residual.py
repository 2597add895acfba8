"""Residual flows: layers that add a contraction."""

from __future__ import annotations

from collections.abc import Sequence

from tfp_flows import _serialize
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.bijectors.residual import block
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.networks import LipschitzMLP

__all__ = ["ResidualFlow"]


@_serialize.register()
class ResidualFlow(Recipe):
    """Residual blocks with an `ActNorm` between: every coordinate sees all others.

    The density is fast: one pass for each layer, and one direction of its derivative
    for each coordinate. Sampling repeats some ten to a hundred passes for each layer;
    inverted, the other way round.

    References:
        Chen et al. (2019). Residual Flows for Invertible Generative Modeling.
        https://arxiv.org/abs/1906.02735
    """

    num_layers: int = option(
        default=8, doc="Number of blocks.", read=options.at_least(1)
    )
    hidden_units: Sequence[int] = option(
        default=(64, 64), doc="Widths of the networks' layers.", read=options.sizes
    )
    lipschitz: float = option(
        default=0.9,
        doc="Bound of the slope of each network, below 1: the closer, the more a block "
        "can do, and the longer sampling takes.",
    )
    activation: str = option(
        default="lipswish",
        doc='`"lipswish"` or `"sin"`.',
        read=options.one_of("lipswish", "sin"),
    )
    exact: bool | None = option(
        default=None,
        doc="Whether log-dets are exact, else unbiased estimates; `None`: up to 32 "
        "coordinates.",
    )
    inverted: bool = option(
        default=False, doc="Whether sampling is the fast direction."
    )

    fit_policy = policy.FitPolicy(base="student-t")

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = []
        for _ in range(self.num_layers):
            network = LipschitzMLP(
                size,
                self.hidden_units,
                lipschitz=self.lipschitz,
                activation=self.activation,
                condition_shape=condition_shape,
                dtype=self.variable_dtype,
                seed=self._next_seed(),
            )
            layer = block.ResidualBlock(network, exact=self.exact)
            found.append(layer if self.inverted else composition.Invert(layer))
            found.append(actnorm.ActNorm.trainable(size, dtype=self.variable_dtype))
        return found[:-1]
