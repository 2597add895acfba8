"""Coupling flows: both directions cost one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows import _checks, _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.flows import base
from tfp_flows.flows.vectors import layers as recipe

__all__ = ["NICE", "NeuralSplineFlow", "RealNVP"]


class _CouplingFlow(base.Flow):
    """What the coupling flows share: alternating halves, mixed between layers."""

    tail_base = "student-t"
    _residual = False

    def _transformer(self) -> transformers.Transformer:
        raise NotImplementedError

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        options = self._options
        _checks.at_least(options["num_layers"], 1, "num_layers")
        layers: list[bijector_base.Bijector] = []
        masks = recipe.alternating_masks(size, options["num_layers"])
        for i, mask in enumerate(masks):
            layers += recipe.mixing(
                options["mixing"],
                size,
                i,
                self._next_seed(),
                self.variable_dtype,
                bounded=self._base.bounds is not None,
            )
            network = {
                "hidden_units": options["hidden_units"],
                "residual": self._residual,
                "activation": options["activation"],
                "dropout": options["dropout"],
                "dtype": self.variable_dtype,
                "compute_dtype": self.compute_dtype,
                "seed": self._next_seed(),
            }
            layers.append(
                recipe.coupling_layer(
                    self._transformer(), mask, condition_shape, network
                )
            )
        return layers


@_serialize.register()
class NICE(_CouplingFlow):
    """Additive coupling with a trainable scale at the end (NICE).

    Sampling and density are equally fast: one pass.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of coupling layers.
        hidden_units: Widths of the networks' hidden layers.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Dinh et al. (2014). NICE. https://arxiv.org/abs/1410.8516
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 6,
        hidden_units: Sequence[int] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
        mixing: str = "none",
        base: str = "diagonal-normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "activation": activation,
            "dropout": dropout,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        return transformers.Additive()


@_serialize.register()
class RealNVP(_CouplingFlow):
    """Affine coupling (RealNVP).

    Sampling and density are equally fast: one pass.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of coupling layers.
        hidden_units: Widths of the networks' hidden layers.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 6,
        hidden_units: Sequence[int] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
        mixing: str = "none",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "activation": activation,
            "dropout": dropout,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        return transformers.Affine()


@_serialize.register()
class NeuralSplineFlow(_CouplingFlow):
    """Rational-quadratic spline coupling (neural spline flow).

    Sampling and density are equally fast: one pass.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of coupling layers.
        hidden_units: Width of the residual networks, once for the first layer and once
            for each block of two.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]` in units of standard
            deviations of the data; outside, each layer is the identity.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`. With "uniform" the splines act on
            its cube, and "lu", which would leave it, mixes by permutations alone.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    _residual = True
    keeps_bounds = True

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 6,
        hidden_units: Sequence[int] = (64, 64),
        num_bins: int = 8,
        tail_bound: float = 5.0,
        activation: str = "relu",
        dropout: float = 0.0,
        mixing: str = "lu",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "num_bins": num_bins,
            "tail_bound": tail_bound,
            "activation": activation,
            "dropout": dropout,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        bound = self._options["tail_bound"]
        low, high = self._base.bounds or (-bound, bound)
        return transformers.RationalQuadratic(self._options["num_bins"], low, high)
