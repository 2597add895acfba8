"""Flows of vectors whose networks attend to the coordinates before."""

from __future__ import annotations

from typing import Any

from tfp_flows import _checks, _serialize
from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.transformers import Affine, Transformer, transformer
from tfp_flows.flows._model import options
from tfp_flows.flows._model.options import option
from tfp_flows.flows.vectors import autoregressive, layers, tokens
from tfp_flows.networks import CausalTransformer

__all__ = ["AttentionLayers", "TarFlow"]


class AttentionLayers(tokens.TokenLayers):
    """A flow of autoregressive layers whose networks are causal transformers."""

    num_layers: int = option(
        default=4,
        doc="Number of autoregressive layers, each with a network of its own.",
        read=options.at_least(1),
    )
    attention_layers: int = option(
        default=2,
        doc="Layers of attention in each network.",
        read=options.at_least(1),
    )
    width: int = option(
        default=64, doc="Units of a token in a network.", read=options.at_least(1)
    )
    num_heads: int = option(
        default=4,
        doc="Heads of each attention; must divide `width`.",
        read=options.at_least(1),
    )
    patch_size: int = option(default=1, doc="Coordinates of a token.")
    activation: str = option(default="gelu", doc="Name in `tf.nn`.")
    dropout: float = option(
        default=0.0,
        doc="Share of units dropped behind attention and dense layers in training.",
        read=options.fraction,
    )
    transformer: Transformer = option(
        default=Affine(),
        doc="The scalar map of every layer, or its name.",
        read=transformer,
    )

    def _attention(
        self,
        scalar_map: Transformer,
        size: int,
        token_size: int,
        order: str | tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
        **more: Any,
    ) -> MaskedAutoregressive:
        """Return one layer, of vectors in an order."""
        return self._token_layer(
            *(CausalTransformer, scalar_map, size, condition_shape),
            num_layers=self.attention_layers,
            num_heads=self.num_heads,
            token_size=token_size,
            order=order,
            **more,
        )


@_serialize.register()
class TarFlow(AttentionLayers, autoregressive.AutoregressiveLayers):
    """Autoregressive layers whose networks are causal transformers (TarFlow).

    The coordinates are cut into tokens of `patch_size`, and each token is mapped given
    those before it, in alternating order. The density is fast, one pass; sampling goes
    through the tokens one after the other, with the keys and values of those before
    kept, in steps that cost about one pass in total.

    Raises:
        ValueError: If `patch_size` does not divide the number of coordinates, or
            `num_heads` the width.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("tarflow", 4, num_layers=2, width=8, patch_size=2)
        >>> flow.log_prob([[1., 2., 3., 4.]]).shape.as_list()
        [1]

    References:
        Zhai et al. (2024). Normalizing Flows are Capable Generative Models.
        https://arxiv.org/abs/2412.06329
    """

    hidden_units = ()
    residual = True
    adjacency = None

    def _layer(
        self,
        size: int,
        order: str | tuple[int, ...],
        condition_shape: tuple[int, ...] | None,
    ) -> MaskedAutoregressive:
        _checks.divides(self.patch_size, size, "patch_size", "the number of columns")
        scalar_map = self._scalar_map()
        angles = layers.seen_angles(scalar_map, self._angles, range(size))
        return self._attention(
            scalar_map, size, self.patch_size, order, condition_shape, **angles
        )
