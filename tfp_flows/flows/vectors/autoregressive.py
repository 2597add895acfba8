"""Autoregressive flows: one pass in one direction, `D` in the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfp_flows import _checks, _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import composition, transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.flows import base
from tfp_flows.flows.vectors import layers as recipe

__all__ = [
    "AutoregressiveSplineFlow",
    "InverseAutoregressiveFlow",
    "MaskedAutoregressiveFlow",
    "MixtureAutoregressiveFlow",
]

ORDERS = ("alternate", "left-to-right", "right-to-left", "random")


class _AutoregressiveFlow(base.Flow):
    """What the autoregressive flows share: layers whose order alternates."""

    tail_base = "student-t"
    _inverted = False

    def _transformer(self) -> transformers.Transformer:
        raise NotImplementedError

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        options = self._options
        _checks.at_least(options["num_layers"], 1, "num_layers")
        _checks.one_of(options["order"], ORDERS, "order")
        layers: list[bijector_base.Bijector] = []
        for i in range(options["num_layers"]):
            if i > 0:
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
                "residual": options["residual"],
                "activation": options["activation"],
                "dropout": options["dropout"],
                "dtype": self.variable_dtype,
                "compute_dtype": self.compute_dtype,
                "seed": self._next_seed(),
            }
            order = options["order"]
            if order == "alternate":
                # The layer next to the data sees the coordinates as they are.
                last = options["num_layers"] - 1 - i
                order = "left-to-right" if last % 2 == 0 else "right-to-left"
            elif order == "random":
                order = recipe.shuffle(size, i)
            layer: bijector_base.Bijector = recipe.autoregressive(
                self._transformer(), size, order, condition_shape, network
            )
            layers.append(composition.Invert(layer) if self._inverted else layer)
        return layers


@_serialize.register()
class MaskedAutoregressiveFlow(_AutoregressiveFlow):
    """Affine masked autoregressive flow (MAF).

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, in steps that cost about one pass in total.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of autoregressive layers.
        hidden_units: Widths of the networks' hidden layers.
        residual: Whether the networks are residual; then all widths must be equal.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        order: `"alternate"` (from left to right next to the data, then back and
            forth), `"left-to-right"`, `"right-to-left"` or `"random"` in each layer.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 5,
        hidden_units: Sequence[int] = (64, 64),
        residual: bool = False,
        activation: str = "relu",
        dropout: float = 0.0,
        order: str = "alternate",
        mixing: str = "none",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "residual": residual,
            "activation": activation,
            "dropout": dropout,
            "order": order,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        return transformers.Affine()


@_serialize.register()
class InverseAutoregressiveFlow(_AutoregressiveFlow):
    """Affine inverse autoregressive flow (IAF).

    Sampling is fast, one pass, and so is the density of its own samples; the density
    of other data goes through the coordinates one after the other, in steps that cost
    about one pass in total.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of autoregressive layers.
        hidden_units: Widths of the networks' hidden layers.
        residual: Whether the networks are residual; then all widths must be equal.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        order: See `MaskedAutoregressiveFlow`.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Kingma et al. (2016). Inverse Autoregressive Flow.
        https://arxiv.org/abs/1606.04934
    """

    _inverted = True

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 5,
        hidden_units: Sequence[int] = (64, 64),
        residual: bool = False,
        activation: str = "relu",
        dropout: float = 0.0,
        order: str = "alternate",
        mixing: str = "none",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "residual": residual,
            "activation": activation,
            "dropout": dropout,
            "order": order,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        return transformers.Affine()


@_serialize.register()
class AutoregressiveSplineFlow(_AutoregressiveFlow):
    """Autoregressive rational-quadratic spline flow (NSF-AR).

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, in steps that cost about one pass in total.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of autoregressive layers.
        hidden_units: Widths of the networks' hidden layers.
        residual: Whether the networks are residual; then all widths must be equal.
        num_bins: Bins of each spline.
        tail_bound: The splines act on `[-tail_bound, tail_bound]` in units of standard
            deviations of the data; outside, each layer is the identity.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        order: See `MaskedAutoregressiveFlow`.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`. With "uniform" the splines act on
            its cube, and "lu", which would leave it, mixes by permutations alone.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Durkan et al. (2019). Neural Spline Flows. https://arxiv.org/abs/1906.04032
    """

    keeps_bounds = True

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 3,
        hidden_units: Sequence[int] = (64, 64),
        residual: bool = True,
        num_bins: int = 8,
        tail_bound: float = 5.0,
        activation: str = "relu",
        dropout: float = 0.0,
        order: str = "alternate",
        mixing: str = "none",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "residual": residual,
            "num_bins": num_bins,
            "tail_bound": tail_bound,
            "activation": activation,
            "dropout": dropout,
            "order": order,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        bound = self._options["tail_bound"]
        low, high = self._base.bounds or (-bound, bound)
        return transformers.RationalQuadratic(self._options["num_bins"], low, high)


@_serialize.register()
class MixtureAutoregressiveFlow(_AutoregressiveFlow):
    """Masked autoregressive flow with mixture-of-logistics conditionals (MAF-MoG).

    One layer is a MADE with mixture conditionals. The density is fast, one pass;
    sampling takes one pass and one root search per coordinate and layer.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of autoregressive layers.
        hidden_units: Widths of the networks' hidden layers.
        residual: Whether the networks are residual; then all widths must be equal.
        num_components: Logistics in each mixture.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        order: See `MaskedAutoregressiveFlow`.
        mixing: Linear map between layers: `"none"`, `"reverse"`, `"permute"`, `"lu"`.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.

    References:
        Papamakarios et al. (2017). Masked Autoregressive Flow.
        https://arxiv.org/abs/1705.07057
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 2,
        hidden_units: Sequence[int] = (64, 64),
        residual: bool = False,
        num_components: int = 8,
        activation: str = "relu",
        dropout: float = 0.0,
        order: str = "alternate",
        mixing: str = "none",
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "residual": residual,
            "num_components": num_components,
            "activation": activation,
            "dropout": dropout,
            "order": order,
            "mixing": mixing,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _transformer(self) -> transformers.Transformer:
        return transformers.LogisticMixture(self._options["num_components"])
