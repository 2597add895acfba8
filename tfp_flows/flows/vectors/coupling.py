"""Coupling flows: both directions cost one pass."""

from __future__ import annotations

from typing import Any

from tfp_flows import _serialize
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.transformers import Additive, Affine, Transformer, transformer
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers

__all__ = ["NICE", "CouplingFlow", "NeuralSplineFlow", "RealNVP"]


class _Coupling(base.LayeredFlow):
    """Alternating halves: each is mapped given the other."""

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = []
        for i, mask in enumerate(layers.alternating_masks(size, self.num_layers)):
            found += self._mixing(size, i)
            network = self._network(residual=self.residual)
            layer = layers.coupling_layer(
                self._scalar_map(), mask, condition_shape, network
            )
            found.append(layer)
        return found


@_serialize.register()
class CouplingFlow(_Coupling):
    """Coupling layers of any transformer.

    Sampling and density are equally fast, one pass, if the transformer is.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build(
        ...     "coupling", 6, num_layers=2, transformer=tfpf.bijectors.Bernstein(12))
        >>> flow.sample(3, seed=1).shape.as_list()
        [3, 6]

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, eq. 9
    """

    transformer: Transformer = option(
        default=Affine(),
        doc="The scalar map of every layer, or its name.",
        read=transformer,
    )


@_serialize.register()
class NICE(_Coupling):
    """Additive coupling with a trainable scale at the end (NICE).

    Sampling and density are equally fast: one pass.

    References:
        Dinh et al. (2014). NICE. https://arxiv.org/abs/1410.8516
    """

    base: Any = option(default="diagonal-normal")
    transformer = Additive()


@_serialize.register()
class RealNVP(_Coupling):
    """Affine coupling (RealNVP).

    Sampling and density are equally fast: one pass.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803
    """

    transformer = Affine()


@_serialize.register()
class NeuralSplineFlow(base.SplineLayers, _Coupling):
    """Rational-quadratic spline coupling (neural spline flow).

    Sampling and density are equally fast: one pass.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    residual: bool = option(default=True)
    mixing: str = option(default="lu")
