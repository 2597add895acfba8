"""A flow of several blocks, with other maps between them."""

from __future__ import annotations

from tfp_flows import _serialize, flows
from tfp_flows.bijectors import LU, ActNorm, Permutation
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.flows import option

__all__ = ["NONE", "Stack"]

# A stack of the simple maps alone.
NONE = "none"


@_serialize.register()
class Stack(flows.Recipe):
    """Blocks of one layer each of a named flow, in turn with simple maps."""

    block: str = option(
        default="realnvp", doc="Name of the flow of the blocks, or 'none'."
    )
    num_layers: int = option(default=1, doc="Number of blocks.")
    convolve: bool = option(
        default=False, doc="Whether a trainable linear map follows each block."
    )
    actnorm: bool = option(
        default=False, doc="Whether an `ActNorm` follows each block."
    )

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        layers: list[bijector_base.Bijector] = []
        for i in range(self.num_layers):
            if i and size > 1:  # a single coupling layer always moves the same half
                layers.append(Permutation.reverse(size))
            if self.block != NONE:
                seed = self._next_seed()
                block = flows.build(self.block, size, num_layers=1, seed=seed)
                layers.append(block.bijector())
            if self.convolve:
                layers.append(
                    LU.trainable(
                        size, seed=self._next_seed(), dtype=self.variable_dtype
                    )
                )
            if self.actnorm:
                layers.append(ActNorm.trainable(size, dtype=self.variable_dtype))
        return layers
