"""How the ready-made flows build their networks and their mixing maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfp_flows import _checks
from tfp_flows.bijectors._core import base as bijector_base
from tfp_flows.bijectors.autoregressive.masked import MaskedAutoregressive
from tfp_flows.bijectors.coupling import coupling
from tfp_flows.bijectors.elementwise import parameterised
from tfp_flows.bijectors.linear import lu
from tfp_flows.bijectors.linear.permutation import Permutation
from tfp_flows.networks import MADE, MLP

__all__ = [
    "TURN",
    "alternating_masks",
    "autoregressive",
    "conditional_elementwise",
    "coupling_layer",
    "mixing",
    "shuffle",
]

MIXINGS = ("none", "reverse", "permute", "lu")
# Where layers have the angles of periodic columns.
TURN = (-1.0, 1.0)


def alternating_masks(size: int, count: int) -> list[list[bool]]:
    """Return `count` masks that keep the first half, then the second, and so on."""
    half = (size + 1) // 2
    first = [i < half for i in range(size)]
    return [first if i % 2 == 0 else [not keep for keep in first] for i in range(count)]


def coupling_layer(
    transformer: Any,
    mask: Sequence[bool],
    condition_shape: tuple[int, ...] | None,
    network: dict[str, Any],
    angles: Sequence[bool] | None = None,
) -> bijector_base.Bijector:
    """Return a coupling layer; for one coordinate, an elementwise map of the condition.

    Args:
        transformer: The scalar map.
        mask: `True` where a coordinate passes unchanged.
        condition_shape: Trailing shape of the condition, or `None`.
        network: Options of `networks.MLP`.
        angles: Which coordinates are angles in `TURN`, where a flow has some.
    """
    if len(mask) == 1:
        return conditional_elementwise(transformer, 1, condition_shape, network)
    kept = sum(mask)
    net = MLP(
        kept,
        (len(mask) - kept, transformer.params_size),
        condition_shape=condition_shape,
        initial_output=transformer.initial(),
        **seen_angles(transformer, angles, np.flatnonzero(mask)),
        **network,
    )
    return coupling.Coupling(transformer, net, mask)


def conditional_elementwise(
    transformer: Any,
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
    transformer: Any,
    size: int,
    order: str | tuple[int, ...],
    condition_shape: tuple[int, ...] | None,
    network: dict[str, Any],
    angles: Sequence[bool] | None = None,
) -> MaskedAutoregressive:
    """Return a masked autoregressive layer.

    Args:
        transformer: The scalar map.
        size: Number of coordinates.
        order: Order of the coordinates, see `networks.MADE`.
        condition_shape: Trailing shape of the condition, or `None`.
        network: Options of `networks.MADE`.
        angles: Which coordinates are angles in `TURN`, where a flow has some.
    """
    net = MADE(
        size,
        transformer.params_size,
        order=order,
        condition_shape=condition_shape,
        initial_output=transformer.initial(),
        **seen_angles(transformer, angles, range(size)),
        **network,
    )
    return MaskedAutoregressive(transformer, net)


def seen_angles(
    transformer: Any, angles: Sequence[bool] | None, places: Iterable[int]
) -> dict[str, Any]:
    """Return the options by which a network sees angles among its inputs.

    Args:
        transformer: The scalar map, which says so of a layer of angles alone.
        angles: Which coordinates of the layer are angles, `None` where none is
            declared.
        places: The coordinates that the network sees.
    """
    if angles is None:
        return {"period": transformer.period}
    seen = tuple(bool(angles[i]) for i in places)
    if all(seen) or not any(seen):
        return {"period": TURN if any(seen) else None}
    return {"period": TURN, "periodic": seen}


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
