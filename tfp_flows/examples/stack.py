"""A flow of several blocks, with other maps between them."""

from __future__ import annotations

from typing import Any

from tfp_flows import _serialize, flows
from tfp_flows.bijectors import LU, ActNorm, Permutation
from tfp_flows.bijectors._core import base as bijector_base

__all__ = ["Stack"]


@_serialize.register()
class Stack(flows.Flow):
    """Blocks of one layer each of a named flow, in turn with simple maps.

    Args:
        event_shape: Size of one event.
        condition_shape: Must be `None`; here for the sake of the common signature.
        block: Name of the flow that the blocks are.
        num_layers: Number of blocks.
        convolve: Whether a trainable linear map follows each block.
        actnorm: Whether an `ActNorm` follows each block.
        **kwargs: `base`, `columns`, `seed`, `name`, `dtype`: see `Flow`.
    """

    def __init__(
        self,
        event_shape: int,
        condition_shape: None = None,
        *,
        block: str,
        num_layers: int = 1,
        convolve: bool = False,
        actnorm: bool = False,
        **kwargs: Any,
    ) -> None:
        options = {
            "block": block,
            "num_layers": num_layers,
            "convolve": convolve,
            "actnorm": actnorm,
        }
        super().__init__(event_shape, condition_shape, options=options, **kwargs)

    def _make_layers(
        self, size: int, condition_shape: tuple[int, ...] | None
    ) -> list[bijector_base.Bijector]:
        options = self._options
        layers: list[bijector_base.Bijector] = []
        for i in range(options["num_layers"]):
            if i and size > 1:  # a single coupling layer always moves the same half
                layers.append(Permutation.reverse(size))
            block = flows.build(
                options["block"], size, num_layers=1, seed=self._next_seed()
            )
            layers.append(block.bijector())
            if options["convolve"]:
                layers.append(
                    LU.trainable(
                        size, seed=self._next_seed(), dtype=self.variable_dtype
                    )
                )
            if options["actnorm"]:
                layers.append(ActNorm.trainable(size, dtype=self.variable_dtype))
        return layers
