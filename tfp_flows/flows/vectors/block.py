"""Block neural autoregressive flow."""

from __future__ import annotations

from collections.abc import Sequence

from tfp_flows import _serialize
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.autoregressive import block
from tfp_flows.flows._model import options, policy
from tfp_flows.flows._model.options import option
from tfp_flows.flows._model.recipe import Recipe
from tfp_flows.networks import BlockNetwork

__all__ = ["BlockAutoregressiveFlow"]


@_serialize.register()
class BlockAutoregressiveFlow(Recipe):
    """Layers that are one network each, increasing in every coordinate (BNAF).

    The density is fast, one pass; sampling goes through the coordinates one after the
    other, each with a root search of its own units only.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("bnaf", 2, num_layers=1, hidden_units=(8,))
        >>> flow.log_prob([[1., 2.]]).shape.as_list()
        [1]

    References:
        De Cao et al. (2019). Block Neural Autoregressive Flow.
        https://arxiv.org/abs/1904.04676
    """

    # A network that is the map itself has no units to spare: no dropout.
    fit_policy = policy.FitPolicy(base="student-t")
    num_layers: int = option(
        default=2,
        doc="Number of layers, in alternating order.",
        read=options.at_least(1),
    )
    hidden_units: Sequence[int] = option(
        default=(16, 16),
        doc="Units of each coordinate in the hidden layers of a network.",
        read=options.sizes,
    )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        found: list[bijector_base.Bijector] = []
        for i in range(self.num_layers):
            # The layer next to the data sees the coordinates as they are.
            is_even = (self.num_layers - 1 - i) % 2 == 0
            network = BlockNetwork(
                size,
                self.hidden_units,
                ranks="left-to-right" if is_even else "right-to-left",
                condition_shape=condition_shape,
                dtype=self.variable_dtype,
                seed=self._next_seed(),
            )
            found.append(block.BlockAutoregressive(network))
        return found
