"""Linear flow: a Gaussian with full covariance, as a flow."""

from __future__ import annotations

import math
from typing import Any

from tfp_flows import _checks, _serialize
from tfp_flows._types import Shape
from tfp_flows.bijectors import transformers
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.linear import triangular
from tfp_flows.flows import base
from tfp_flows.flows.vectors import layers as recipe

__all__ = ["LinearFlow"]

# A number fitted by maximum likelihood costs 1 / (2 N) nats per row. From so many rows
# for each number on, holding a tenth of them back costs more than it can save.
ROWS_PER_NUMBER = 100


@_serialize.register()
class LinearFlow(base.Flow):
    """Affine map with a triangular matrix: with a normal base, a full Gaussian.

    With a condition, mean and diagonal scale depend on it through a network.
    Sampling and density are equally fast: one product.

    Args:
        event_shape: Shape of one event; an int for vectors.
        condition_shape: Shape of the condition, `None` for an unconditional density.
        num_layers: Number of affine maps; more than one adds no flexibility.
        hidden_units: Widths of the network of the condition.
        activation: Name in `tf.nn`.
        dropout: Share of hidden units dropped while training.
        base: Base density, see `distributions.Base`.
        **kwargs: `embedding`, `columns`, `condition_columns`, `checkpoint`, `seed`,
            `name`, `dtype`: see `Flow`.
    """

    def __init__(
        self,
        event_shape: Shape,
        condition_shape: Shape | None = None,
        *,
        num_layers: int = 1,
        hidden_units: tuple[int, ...] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
        base: str = "normal",
        **kwargs: Any,
    ) -> None:
        options = {
            "num_layers": num_layers,
            "hidden_units": tuple(hidden_units),
            "activation": activation,
            "dropout": dropout,
        }
        super().__init__(
            event_shape, condition_shape, options=options, base=base, **kwargs
        )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        options = self._options
        _checks.at_least(options["num_layers"], 1, "num_layers")
        layers: list[bijector_base.Bijector] = [
            triangular.TriangularAffine.trainable(size, dtype=self.variable_dtype)
            for _ in range(options["num_layers"])
        ]
        if condition_shape is not None:
            network = {
                "hidden_units": options["hidden_units"],
                "activation": options["activation"],
                "dropout": options["dropout"],
                "dtype": self.variable_dtype,
                "compute_dtype": self.compute_dtype,
                "seed": self._next_seed(),
            }
            layers.append(
                recipe.conditional_elementwise(
                    transformers.Affine(), size, condition_shape, network
                )
            )
        return layers

    @property
    def prefers_xla(self) -> bool:
        """Whether long training is faster under XLA: only with a network in it.

        What XLA compiles stays in memory when the flow is gone.
        """
        return self.condition_shape is not None

    def needs_validation(self, rows: int) -> bool:
        """Return whether a fit to so many rows can follow noise: with few rows only."""
        numbers = sum(math.prod(v.shape) for v in self.trainable_variables)
        return rows < ROWS_PER_NUMBER * numbers
