"""What flows share whose networks read an event token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.transformers import Transformer
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.networks import TokenNetwork

__all__ = ["TokenLayers"]


class TokenLayers(Recipe):
    """Base class of flows whose layers have a `TokenNetwork` each.

    Subclasses declare its `width`.
    """

    width: int

    def _token_layer(
        self,
        network: Callable[..., TokenNetwork],
        scalar_map: Transformer,
        size: int,
        condition_shape: tuple[int, ...] | None,
        **given: Any,
    ) -> MaskedAutoregressive:
        """Return a layer of a new network.

        Args:
            network: Class of the network.
            scalar_map: The scalar map.
            size: Number of coordinates.
            condition_shape: Trailing shape of the condition, or `None`.
            **given: Further arguments of the network.
        """
        net = network(
            size,
            scalar_map.params_size,
            self.width,
            activation=self.activation,
            condition_shape=condition_shape,
            dropout=self.dropout,
            initial_output=scalar_map.initial(),
            dtype=self.variable_dtype,
            compute_dtype=self.compute_dtype,
            seed=self._next_seed(),
            **given,
        )
        return MaskedAutoregressive(scalar_map, net)
