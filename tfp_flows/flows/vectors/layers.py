"""How the ready-made flows build their networks and their mixing maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfp_flows import _checks
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.coupling import coupling
from tfp_flows.bijectors.elementwise import parameterised
from tfp_flows.bijectors.linear import lu
from tfp_flows.bijectors.linear.permutation import Permutation
from tfp_flows.bijectors.transformers.base import Transformer
from tfp_flows.networks import MADE, MLP

__all__ = [
    "alternating_masks",
    "autoregressive",
    "conditional_elementwise",
    "coupling_layer",
    "mixing",
    "shuffle",
]

MIXINGS = ("none", "reverse", "permute", "lu")


def alternating_masks(size: int, count: int) -> list[list[bool]]:
    """Return `count` masks that keep the first half, then the second, and so on."""
    half = (size + 1) // 2
    first = [i < half for i in range(size)]
    return [first if i % 2 == 0 else [not keep for keep in first] for i in range(count)]


def coupling_layer(
    transformer: Transformer,
    mask: Sequence[bool],
    condition_shape: tuple[int, ...] | None,
    network: dict[str, Any],
) -> bijector_base.Bijector:
    """Return a coupling layer; for one coordinate, an elementwise map of the condition.

    Args:
        transformer: The scalar map.
        mask: `True` where a coordinate passes unchanged.
        condition_shape: Trailing shape of the condition, or `None`.
        network: Options of `networks.MLP`.
    """
    if len(mask) == 1:
        return conditional_elementwise(transformer, 1, condition_shape, network)
    kept = sum(mask)
    net = MLP(
        kept,
        (len(mask) - kept, transformer.params_size),
        condition_shape=condition_shape,
        initial_output=transformer.initial(),
        period=transformer.period,
        **network,
    )
    return coupling.Coupling(transformer, net, mask)


def conditional_elementwise(
    transformer: Transformer,
    size: int,
    condition_shape: tuple[int, ...] | None,
    network: dict[str, Any],
) -> parameterised.ConditionalElementwise:
    """Return a map of each coordinate whose parameters see the condition only."""
    net = MLP(
        0,
        (size, transformer.params_size),
        condition_shape=condition_shape,
        initial_output=transformer.initial(),
        **network,
    )
    return parameterised.ConditionalElementwise(transformer, net)


def autoregressive(
    transformer: Transformer,
    size: int,
    order: str | tuple[int, ...],
    condition_shape: tuple[int, ...] | None,
    network: dict[str, Any],
) -> MaskedAutoregressive:
    """Return a masked autoregressive layer.

    Args:
        transformer: The scalar map.
        size: Number of coordinates.
        order: Order of the coordinates, see `networks.MADE`.
        condition_shape: Trailing shape of the condition, or `None`.
        network: Options of `networks.MADE`.
    """
    net = MADE(
        size,
        transformer.params_size,
        order=order,
        condition_shape=condition_shape,
        initial_output=transformer.initial(),
        period=transformer.period,
        **network,
    )
    return MaskedAutoregressive(transformer, net)


def shuffle(size: int, position: int) -> tuple[int, ...]:
    """Return a random permutation that depends on nothing but its arguments.

    It is structure, not a weight: flows of one configuration must agree on it whatever
    their seeds, or weights could not be loaded from one into the other.
    """
    return tuple(np.random.default_rng([size, position]).permutation(size).tolist())


def mixing(
    kind: str, size: int, position: int, seed: int, dtype: Any, *, bounded: bool
) -> list[bijector_base.Bijector]:
    """Return the linear map between two layers, as a list of none or one.

    Args:
        kind: `"none"`, `"reverse"`, `"permute"` (random), or `"lu"` (trainable, the
            identity at the start, behind a random permutation).
        size: Number of coordinates.
        position: Number of the layer, on which the permutation depends.
        seed: Seed of the weights.
        dtype: Type of the weights.
        bounded: Whether events must stay in a cube, where `"lu"` permutes alone.

    Raises:
        ValueError: If `kind` is unknown.
    """
    _checks.one_of(kind, MIXINGS, "mixing")
    if size == 1 or kind == "none":
        return []
    if kind == "reverse":
        return [Permutation.reverse(size)]
    permutation = Permutation(shuffle(size, position))
    if kind == "permute" or bounded:
        return [permutation]
    return [lu.LU.trainable(size, seed=seed, dtype=dtype), permutation]
