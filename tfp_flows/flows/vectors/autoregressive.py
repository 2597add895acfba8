"""Autoregressive flows: one pass in one direction, `D` in the other."""

from __future__ import annotations

from typing import Any

from tfp_flows import _serialize
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.transformers import (
    Affine,
    Bernstein,
    DeepSigmoidal,
    MonotoneNetwork,
    SumOfSquares,
    Transformer,
    transformer,
)
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import base, layers
from tfp_flows.math import graphs

__all__ = [
    "AutoregressiveFlow",
    "AutoregressiveLayers",
    "AutoregressiveSplineFlow",
    "BernsteinFlow",
    "InverseAutoregressiveFlow",
    "MaskedAutoregressiveFlow",
    "MixtureAutoregressiveFlow",
    "MonotoneNetworkFlow",
    "NeuralAutoregressiveFlow",
    "SumOfSquaresFlow",
]


class AutoregressiveLayers(base.LayeredFlow):
    """Layers that map each coordinate given those before it, in alternating order."""

    num_layers: int = option(default=5)
    order: str = option(
        default="alternate",
        doc='`"alternate"` (from left to right next to the data, then back and forth), '
        '`"left-to-right"`, `"right-to-left"` or `"random"` in each layer.',
        read=options.one_of("alternate", "left-to-right", "right-to-left", "random"),
    )
    adjacency: Any = option(
        default=None,
        doc="Which coordinates each one depends on: a matrix of zeros and ones whose "
        "row `i` holds 1 at the parents of coordinate `i`, without a cycle; `None` for "
        "all that come before. Further layers need parents of parents among them, and "
        "no mixing between.",
        read=graphs.read_adjacency,
    )
    _inverted = False

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        self._check_adjacency()
        found: list[bijector_base.Bijector] = []
        for i in range(self.num_layers):
            if i > 0:
                found += self._mixing(size, i)
            layer = self._layer(size, self._order(size, i), condition_shape)
            found.append(composition.Invert(layer) if self._inverted else layer)
        return found

    def _layer(
        self,
        size: int,
        order: str | tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> bijector_base.Bijector:
        """Return one layer, of vectors in an order."""
        return layers.autoregressive(
            self._scalar_map(),
            size,
            order,
            condition_shape,
            self._network(residual=self.residual, adjacency=self.adjacency),
            self._angles,
        )

    def _check_adjacency(self) -> None:
        """Raise where layers would connect coordinates that do not depend.

        Raises:
            ValueError: If they would.
        """
        if self.adjacency is None:
            return
        if self.mixing != "none":
            msg = (
                f"`mixing` must be 'none' with `adjacency`, got {self.mixing!r}: it "
                "would connect all coordinates. Leave it out."
            )
            raise ValueError(msg)
        if self.order in ("random", "right-to-left"):
            msg = (
                f"`order` must be left out with `adjacency`, got {self.order!r}: "
                "parents come first."
            )
            raise ValueError(msg)
        if self.num_layers > 1:
            remedy = "Give num_layers=1, or add the entry."
            graphs.require_transitive(self.adjacency, remedy)

    def _order(self, size: int, position: int) -> str | tuple[int, ...]:
        if self.adjacency is not None:
            return "left-to-right"  # with parents first
        if self.order == "random" or (self._shuffles and position > 0):
            return layers.shuffle(size, position)
        if self.order == "alternate":
            # The layer next to the data sees the coordinates as they are.
            is_even = (self.num_layers - 1 - position) % 2 == 0
            return "left-to-right" if is_even else "right-to-left"
        return self.order


@_serialize.register()
class AutoregressiveFlow(AutoregressiveLayers):
    """Masked autoregressive layers of any transformer.

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, in steps that cost about one pass in total; inverted, the other way round.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build(
        ...     "autoregressive", 3, num_layers=1, transformer="bernstein")
        >>> flow.log_prob([[1., 2., 3.]]).shape.as_list()
        [1]
        >>> chain = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]  # 0 before 1 before 2
        >>> flow = tfpf.flows.build("maf", 3, num_layers=1, adjacency=chain)

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
    """

    transformer: Transformer = option(
        default=Affine(),
        doc="The scalar map of every layer, or its name.",
        read=transformer,
    )
    inverted: bool = option(
        default=False, doc="Whether sampling is the fast direction."
    )

    @property
    def _inverted(self) -> bool:
        return self.inverted


@_serialize.register()
class MaskedAutoregressiveFlow(AutoregressiveLayers):
    """Affine masked autoregressive flow (MAF).

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, in steps that cost about one pass in total.

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
    """

    transformer = Affine()


@_serialize.register()
class InverseAutoregressiveFlow(AutoregressiveLayers):
    """Affine inverse autoregressive flow (IAF).

    Sampling is fast, one pass, and so is the density of its own samples; the density
    of other data goes through the coordinates one after the other.

    References:
        Kingma et al. (2016). Inverse Autoregressive Flow.
        https://arxiv.org/abs/1606.04934
    """

    transformer = Affine()
    _inverted = True


@_serialize.register()
class AutoregressiveSplineFlow(base.SplineLayers, AutoregressiveLayers):
    """Autoregressive rational-quadratic spline flow (NSF-AR).

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, in steps that cost about one pass in total.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    num_layers: int = option(default=3)
    residual: bool = option(default=True)
    # Of new wines each of the three gains some tenths of a nat; see the benchmarks.
    fit_policy = policy.FitPolicy(
        base="student-t", dropout=0.4, mixing="lu", average=0.99
    )


@_serialize.register()
class MixtureAutoregressiveFlow(base.MixtureLayers, AutoregressiveLayers):
    """Masked autoregressive flow with mixture-of-logistics conditionals (MAF-MoL).

    One layer is a MADE with mixture conditionals. The density is fast, one pass;
    sampling takes one pass and one root search per coordinate and layer.

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
    """

    num_layers: int = option(default=2)


@_serialize.register()
class BernsteinFlow(AutoregressiveFlow):
    """Autoregressive flow of Bernstein polynomials.

    The density is fast, one pass; sampling takes one pass and one root search per
    coordinate and layer.

    References:
        Ramasinghe et al. (2021). Robust normalizing flows using Bernstein-type
        polynomials. https://arxiv.org/abs/2102.03509
    """

    num_layers: int = option(default=3)
    transformer: Transformer = option(default=Bernstein())


@_serialize.register()
class SumOfSquaresFlow(AutoregressiveFlow):
    """Autoregressive flow of polynomials whose slopes are sums of squares (SOS).

    The density is fast, one pass; sampling takes one pass and one root search per
    coordinate and layer.

    References:
        Jaini et al. (2019). Sum-of-Squares Polynomial Flow.
        https://arxiv.org/abs/1905.02325
    """

    num_layers: int = option(default=3)
    transformer: Transformer = option(default=SumOfSquares())


@_serialize.register()
class NeuralAutoregressiveFlow(AutoregressiveFlow):
    """Autoregressive flow of deep sigmoidal functions (NAF).

    The density is fast, one pass; sampling takes one pass and one root search per
    coordinate and layer.

    References:
        Huang et al. (2018). Neural Autoregressive Flows.
        https://arxiv.org/abs/1804.00779
    """

    num_layers: int = option(default=2)
    transformer: Transformer = option(default=DeepSigmoidal())


@_serialize.register()
class MonotoneNetworkFlow(AutoregressiveFlow):
    """Autoregressive flow of integrals of positive networks (UMNN).

    The density takes one pass, and an integral of some 30 nodes for each number;
    sampling one root search per coordinate and layer, of some ten integrals each.

    References:
        Wehenkel, Louppe (2019). Unconstrained Monotonic Neural Networks.
        https://arxiv.org/abs/1908.05164
    """

    num_layers: int = option(default=2)
    transformer: Transformer = option(default=MonotoneNetwork())
