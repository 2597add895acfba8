"""Planar flows and their kin: radial and Sylvester ones, and reflections."""

from __future__ import annotations

from typing import Any

from tfp_flows import _serialize
from tfp_flows.bijectors import amortized, composition
from tfp_flows.bijectors import transformers as scalar_maps
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear import householder, permutation
from tfp_flows.bijectors.normalization import actnorm
from tfp_flows.bijectors.residual import planar, radial, sylvester
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers
from tfp_flows.networks import MLP

__all__ = ["HouseholderFlow", "PlanarFlow", "RadialFlow", "SylvesterFlow"]


class _Bends(base.VectorFlow):
    """Layers of one kind, whose parameters depend on the condition by networks."""

    num_layers: int = option(default=8)
    inverted: bool = option(
        default=False,
        doc="Whether sampling is the fast direction, as for a posterior that is "
        "trained by its own samples; else the density is.",
    )

    # Tails of tables vary; what XLA compiles stays in memory when the flow is gone.
    fit_policy = policy.FitPolicy(base="student-t", xla="conditional")

    _map: Any = None
    _reverses = False  # the coordinates between layers

    def _layer(self, size: int) -> bijector_base.Bijector:
        """Return one map of new variables."""
        return self._map.trainable(
            size, seed=self._next_seed(), dtype=self.variable_dtype
        )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = []
        for i in range(self.num_layers):
            if i and self._reverses:
                found.append(permutation.Permutation.reverse(size))
            layer = self._conditional(self._layer(size), condition_shape)
            found.append(layer if self.inverted else composition.Invert(layer))
        return found

    def _conditional(
        self, layer: bijector_base.Bijector, condition_shape: tuple[int, ...] | None
    ) -> bijector_base.Bijector:
        """Return a layer with parameters of the condition, if there is one."""
        if condition_shape is None:
            return layer
        count = amortized.Amortized.num_parameters(layer)
        network = self._network(condition_shape=condition_shape)
        return amortized.Amortized(layer, MLP(0, (1, count), **network))


@_serialize.register()
class PlanarFlow(_Bends):
    """Planar maps: points move along one direction by their distance to a plane.

    The density is fast, `O(D)` for each layer; sampling searches for one root in each
    layer; inverted, the other way round.

    References:
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770
    """

    _map = planar.Planar


@_serialize.register()
class RadialFlow(_Bends):
    """Radial maps: points move towards a centre, or away from it.

    Sampling and density are equally fast, closed forms of `O(D)` for each layer.

    References:
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770
    """

    _map = radial.Radial


@_serialize.register()
class SylvesterFlow(_Bends):
    """Sylvester maps: planar maps along several directions at once.

    The density is fast, `O(D * M)` for each layer; sampling searches for `M` roots in
    each layer; inverted, the other way round.

    References:
        van den Berg et al. (2018). Sylvester Normalizing Flows for Variational
        Inference. https://arxiv.org/abs/1803.05649
    """

    num_layers: int = option(default=4)
    num_directions: int | None = option(
        default=None,
        doc="Directions `M` of each layer; `None` for all coordinates, 8 at most.",
    )
    kind: str = option(
        default="orthogonal",
        doc='How directions are made: `"orthogonal"`, `"householder"`, or '
        '`"triangular"`, where coordinates are reversed between layers.',
        read=options.one_of(*sylvester.KINDS),
    )

    def _layer(self, size: int) -> bijector_base.Bijector:
        count = self.num_directions
        return sylvester.Sylvester.trainable(
            size,
            min(size, 8) if count is None else count,
            kind=self.kind,
            seed=self._next_seed(),
            dtype=self.variable_dtype,
        )

    @property
    def _reverses(self) -> bool:
        return self.kind == "triangular"


@_serialize.register()
class HouseholderFlow(_Bends):
    """Reflections of a diagonal Gaussian: one with full covariance.

    With a condition, scales and reflections depend on it through networks.
    Sampling and density are equally fast, `O(M * D)` for `M` reflections.

    References:
        Tomczak, Welling (2016). Improving Variational Auto-Encoders using Householder
        Flow. https://arxiv.org/abs/1611.09630
    """

    fit_policy = policy.FitPolicy(xla="conditional")
    num_layers: int = option(default=1, doc="Number of products of reflections.")
    num_reflections: int | None = option(
        default=None, doc="Reflections in each product; `None` for one per coordinate."
    )
    inverted = True

    def _layer(self, size: int) -> bijector_base.Bijector:
        # At random, as a rotated normal is a normal: reflections that cancel would
        # have no gradient.
        return householder.HouseholderProduct.trainable(
            size,
            self.num_reflections or size,
            init="random",
            seed=self._next_seed(),
            dtype=self.variable_dtype,
        )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found = super()._make_layers(size, condition_shape)
        if condition_shape is None:
            return [actnorm.ActNorm.trainable(size, dtype=self.variable_dtype), *found]
        affine = scalar_maps.Affine()
        scale = layers.conditional_elementwise(
            affine, size, condition_shape, self._network()
        )
        return [scale, *found]
