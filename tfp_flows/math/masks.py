"""Autoregressive orders and the masks of networks that keep them (NumPy)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["hidden_degrees", "order_ranks", "stack_masks"]


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
            return tuple(np.random.default_rng(seed).permutation(size).tolist())
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
    return lambda: masks
