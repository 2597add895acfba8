"""What flows on vectors share: layers, their networks, and their transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.transformers import (
    Additive,
    Affine,
    CircularSpline,
    LogisticMixture,
    RationalQuadratic,
    Transformer,
)
from tfp_flows.bijectors.transformers.by_column import ByColumn
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.flows.vectors import layers

__all__ = ["LayeredFlow", "MixtureLayers", "SplineLayers", "VectorFlow"]


class VectorFlow(Recipe):
    """A flow of some layers whose networks have hidden units."""

    num_layers: int = option(
        default=6, doc="Number of layers.", read=options.at_least(1)
    )
    hidden_units: Sequence[int] = option(
        default=(64, 64),
        doc=(
            "Widths of the networks' hidden layers; of residual ones once for the "
            "first layer and once for each block of two, all equal."
        ),
        read=options.sizes,
    )
    activation: str = option(default="relu", doc="Name in `tf.nn`.")
    dropout: float = option(
        default=0.0,
        doc="Share of hidden units dropped while training.",
        read=options.fraction,
    )

    def _network(self, **more: Any) -> dict[str, Any]:
        """Return the options of one network, with a seed of its own."""
        return {
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "dropout": self.dropout,
            "dtype": self.variable_dtype,
            "compute_dtype": self.compute_dtype,
            "seed": self._next_seed(),
            **more,
        }


class LayeredFlow(VectorFlow):
    """Layers of one transformer, mixed between."""

    residual: bool = option(
        default=False,
        doc="Whether the networks are residual; then all widths must be equal.",
    )
    mixing: str = option(
        default="none",
        doc=(
            'Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`. '
            'With the base "uniform" `"lu"`, which would leave its cube, permutes '
            "alone; with periodic columns layers see the coordinates in orders of "
            "their own in place of a map."
        ),
        read=options.one_of(*layers.MIXINGS),
    )

    takes_angles = True

    # Networks remember single events of small tables, and tails of tables vary.
    fit_policy = policy.FitPolicy(base="student-t", dropout=0.2)

    @property
    def transformer(self) -> Transformer:
        """The scalar map of every layer."""
        raise NotImplementedError

    @property
    def is_affine(self) -> bool:
        """Whether every layer only shifts and scales, given other coordinates."""
        return not any(self.periodic) and isinstance(
            self.transformer, (Additive, Affine)
        )

    @property
    def keeps_bounds(self) -> bool:
        """Whether no data leave the box of a bounded base in training."""
        return self.transformer.onto(0.0, 1.0) is not None

    def _scalar_map(self, places: Sequence[int] | None = None) -> Any:
        """Return the transformer, on the box of the base if that has bounds.

        Args:
            places: The coordinates that it maps, by default all; angles among them
                have splines on the circle.
        """
        angles = self.periodic if places is None else [self.periodic[i] for i in places]
        bounds = self._base.bounds
        moved = None if bounds is None else self.transformer.onto(*bounds)
        plain = moved or self.transformer
        if not any(angles):
            return plain
        circle = CircularSpline(getattr(self, "num_bins", 8), *layers.TURN)
        if all(angles):
            return circle
        return ByColumn((plain, circle), tuple(int(is_angle) for is_angle in angles))

    @property
    def _angles(self) -> tuple[bool, ...] | None:
        """Whether each coordinate is an angle, `None` where none is declared."""
        return self.periodic if any(self.periodic) else None

    @property
    def _shuffles(self) -> bool:
        """Whether layers see the coordinates in orders of their own.

        Angles and numbers have no linear map between them.
        """
        return self._angles is not None and self.mixing in ("permute", "lu")

    def _mixing(self, size: int, position: int) -> list[bijector_base.Bijector]:
        if self._angles is not None:
            return []
        return layers.mixing(
            self.mixing,
            size,
            position,
            self._next_seed(),
            self.variable_dtype,
            bounded=self._base.bounds is not None,
        )


class SplineLayers(LayeredFlow):
    """Layers of rational-quadratic splines."""

    num_bins: int = option(
        default=8, doc="Bins of each spline.", read=options.at_least(1)
    )
    tail_bound: float = option(
        default=5.0,
        doc="The splines act on `[-tail_bound, tail_bound]` in units of standard "
        "deviations of the data; outside, each layer is the identity. With the base "
        '"uniform" they act on its cube.',
    )

    @property
    def transformer(self) -> Transformer:
        """The spline."""
        bound = self.tail_bound
        return RationalQuadratic(self.num_bins, -bound, bound)


class MixtureLayers(LayeredFlow):
    """Layers of mixtures of logistics."""

    num_components: int = option(
        default=8, doc="Logistics in each mixture.", read=options.at_least(1)
    )

    @property
    def transformer(self) -> Transformer:
        """The mixture."""
        return LogisticMixture(self.num_components)
