"""Autoregressive orders and the masks of networks that keep them (NumPy)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from tfp_flows import _context

__all__ = [
    "Block",
    "held",
    "hidden_degrees",
    "order_ranks",
    "stack_blocks",
    "stack_masks",
    "stack_slots",
]

# Blocks of rows of a masked product. More save more of it, at worse use of the cache.
BLOCKS = 4
# Narrower layers are multiplied as a whole.
WORTH_BLOCKS = 128

T = TypeVar("T")


class Block(NamedTuple):
    """Rows `start` to `stop` of a masked product see the first `seen` columns only."""

    start: int
    stop: int
    seen: int


def order_ranks(
    order: str | Sequence[int], size: int, seed: int | None = None
) -> tuple[int, ...]:
    """Return the rank of each coordinate in an autoregressive order.

    Args:
        order: `"left-to-right"`, `"right-to-left"`, `"random"` or the ranks.
        size: Number of coordinates.
        seed: Seed of a random order.

    Returns:
        A permutation of `range(size)`.

    Raises:
        ValueError: If `order` is neither a known name nor such a permutation.
    """
    if isinstance(order, str):
        if order == "left-to-right":
            return tuple(range(size))
        if order == "right-to-left":
            return tuple(range(size))[::-1]
        if order == "random":
            return tuple(_context.generator(seed).permutation(size).tolist())
    elif sorted(int(rank) for rank in order) == list(range(size)):
        return tuple(int(rank) for rank in order)
    msg = (
        "`order` must be 'left-to-right', 'right-to-left', 'random' or a permutation "
        f"of range({size}), got {order!r}. Give each coordinate one rank."
    )
    raise ValueError(msg)


def hidden_degrees(units: int, size: int, *, with_zero: bool) -> np.ndarray:
    """Return sorted degrees of hidden units: one of degree m sees inputs of rank < m.

    Args:
        units: Number of hidden units.
        size: Number of coordinates.
        with_zero: Whether some units see no input at all (only the condition), for
            the first coordinate.

    Returns:
        Degrees from 0 or 1 to `size - 1`, spread evenly; all 0 for one coordinate.
    """
    low = 0 if with_zero or size == 1 else 1
    steps = np.arange(units) * (size - low) // units
    return low + steps


def stack_masks(
    ranks: Sequence[int], degrees: Sequence[np.ndarray], params_size: int
) -> Callable[[], dict[str, np.ndarray]]:
    """Return the masks of a stack of dense layers by the names of its weights.

    Args:
        ranks: Rank of each coordinate.
        degrees: Degrees of the units of each hidden layer.
        params_size: Parameters per coordinate; outputs are parameter-major.

    Returns:
        A function without arguments that returns the masks, `[out, in]`.
    """
    rank = np.asarray(ranks)
    masks = {"kernel_0": degrees[0][:, None] > rank[None]}
    for i in range(1, len(degrees)):
        masks[f"kernel_{i}"] = degrees[i][:, None] >= degrees[i - 1][None]
    masks["head"] = np.tile(rank[:, None] >= degrees[-1][None], (params_size, 1))
    # A function, since containers of arrays would be tracked as parts of a module.
    return held(masks)


def stack_blocks(
    masks: dict[str, np.ndarray], size: int
) -> Callable[[], dict[str, list[Block]]]:
    """Return how masked products are cut into blocks of rows, by their names.

    The rows of the head are taken per coordinate, all its parameters together.

    Args:
        masks: Masks by name, `[out, in]`.
        size: Number of coordinates.

    Returns:
        A function without arguments that returns the blocks.
    """
    blocks = {}
    for name, mask in masks.items():
        rows = mask[:size] if name == "head" else mask
        seen = np.where(rows.any(axis=1), rows.shape[1] - rows[:, ::-1].argmax(1), 1)
        cuts = np.linspace(0, len(rows), BLOCKS + 1).astype(int)
        cut = [
            Block(int(start), int(stop), int(seen[start:stop].max()))
            for start, stop in itertools.pairwise(cuts)
            if stop > start
        ]
        used = sum((block.stop - block.start) * block.seen for block in cut)
        whole = Block(0, len(rows), rows.shape[1])
        worth = min(mask.shape) >= WORTH_BLOCKS and used <= 0.8 * rows.size
        blocks[name] = cut if worth else [whole]
    return held(blocks)


def stack_slots(
    ranks: Sequence[int], degrees: Sequence[np.ndarray], params_size: int
) -> Callable[[], list[np.ndarray]]:
    """Return, for each layer, which units each step of the order brings.

    Args:
        ranks: Rank of each coordinate.
        degrees: Degrees of the units of each hidden layer.
        params_size: Parameters per coordinate.

    Returns:
        A function without arguments that returns one array `[D, G]` per layer, first
        the input, last the output; where a step brings fewer units than others, the
        number of units stands for none.
    """
    size = len(ranks)
    by_rank = np.argsort(ranks)
    slots = [by_rank[:, None]]
    for degree in degrees:
        counts = np.bincount(degree, minlength=size)
        table = np.full((size, max(1, counts.max())), len(degree))
        for step, count in enumerate(counts):
            table[step, :count] = np.flatnonzero(degree == step)
        slots.append(table)
    slots.append(by_rank[:, None] + size * np.arange(params_size)[None])
    return held(slots)


def held(value: T) -> Callable[[], T]:
    """Return a function without arguments that returns a value, and can be pickled.

    Args:
        value: Containers of arrays, which would be tracked as parts of a module.
    """
    return functools.partial(_held, value)


def _held(value: T) -> T:
    """Return what a `functools.partial` holds: unlike a lambda, it can be pickled."""
    return value
