"""Graphs of what each coordinate depends on, and the masks of networks that keep them.

A matrix says in row `i` on which coordinates `j` coordinate `i` depends: its parents.
Each hidden unit stands for the parents of one coordinate; it reads these, and units
whose parents are among its own, so that no path leads from a coordinate to another
that does not depend on it (NumPy).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "read_adjacency",
    "read_ranks",
    "require_transitive",
    "topological_ranks",
    "unit_parents",
    "unit_ranks",
    "weight_masks",
]

Matrix = tuple[tuple[bool, ...], ...]


def read_adjacency(value: Any, name: str = "adjacency") -> Matrix | None:
    """Return a matrix of parents as tuples of bools, `None` unchanged.

    Args:
        value: Square matrix of bools, or of zeros and ones, without a cycle.
        name: What to call it in errors.

    Raises:
        ValueError: If it is no such matrix; the message names the cycle.
    """
    if value is None:
        return None
    try:
        matrix = np.asarray(value)
    except ValueError:
        matrix = np.zeros([0])
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        got = f"shape {matrix.shape}" if matrix.size else "rows of unequal lengths"
        msg = (
            f"`{name}` must be a square matrix, one row and one column for each "
            f"coordinate, got {got}. Row i holds 1 at the parents of coordinate i."
        )
        raise ValueError(msg)
    if matrix.dtype.kind not in "biuf" or not np.isin(matrix, (0, 1)).all():
        msg = (
            f"`{name}` must hold zeros and ones, got {matrix.dtype.name} entries "
            "of other values. Put 1 in row i at each parent of coordinate i."
        )
        raise ValueError(msg)
    parents = matrix.astype(bool)
    cycle = _cycle(parents)
    if cycle:
        way = " -> ".join(str(i) for i in cycle)
        msg = (
            f"`{name}` must have no cycle, got {way}: each depends on the next. "
            "Drop one of these entries; the diagonal is zero, too."
        )
        raise ValueError(msg)
    return tuple(tuple(row) for row in parents.tolist())


def topological_ranks(parents: Matrix) -> tuple[int, ...]:
    """Return ranks such that parents come first, else from left to right.

    Args:
        parents: Matrix without a cycle.
    """
    matrix = np.asarray(parents)
    ranks = np.full(len(matrix), -1)
    for rank in range(len(matrix)):
        known = ranks >= 0
        ready = ~known & ~(matrix & ~known).any(axis=1)
        ranks[np.flatnonzero(ready)[0]] = rank
    return tuple(ranks.tolist())


def read_ranks(order: str | Sequence[int], parents: Matrix) -> tuple[int, ...]:
    """Return the ranks of coordinates of a graph.

    Args:
        order: `"left-to-right"`, for parents first; or ranks, which are checked.
        parents: Matrix without a cycle.

    Raises:
        ValueError: If a coordinate comes before one of its parents.
    """
    if isinstance(order, str) and order == "left-to-right":
        return topological_ranks(parents)
    size = len(parents)
    given = [] if isinstance(order, str) else [int(rank) for rank in order]
    ranks = np.asarray(given)
    is_known = sorted(given) == list(range(size))
    if not is_known or (np.asarray(parents) & (ranks >= ranks[:, None])).any():
        msg = (
            f"`order` must put parents of `adjacency` first, got {order!r}. Leave it "
            f"out for {topological_ranks(parents)}."
        )
        raise ValueError(msg)
    return tuple(given)


def require_transitive(parents: Matrix, remedy: str) -> None:
    """Raise unless parents of parents are parents.

    Args:
        parents: Matrix without a cycle.
        remedy: How the error ends.

    Raises:
        ValueError: Naming the missing entry.
    """
    matrix = np.asarray(parents)
    missing = np.argwhere((matrix.astype(int) @ matrix > 0) & ~matrix)
    if len(missing):
        child, parent = missing[0].tolist()
        between = int(np.flatnonzero(matrix[child] & matrix[:, parent])[0])
        msg = (
            "`adjacency` must hold the parents of parents where layers follow one "
            f"another, got {child} -> {between} -> {parent} without {child} -> "
            f"{parent}. {remedy}"
        )
        raise ValueError(msg)


def unit_parents(
    units: int, parents: Matrix, ranks: Sequence[int], *, with_none: bool
) -> np.ndarray:
    """Return which coordinates hidden units see, `[units, D]`, sorted by rank.

    Args:
        units: Number of hidden units.
        parents: Matrix without a cycle.
        ranks: Rank of each coordinate.
        with_none: Whether some units see none, only the condition.

    Raises:
        ValueError: If there are fewer units than different sets of parents.
    """
    rows = np.unique(np.asarray(parents), axis=0)
    if not with_none and rows.any():
        rows = rows[rows.any(axis=1)]
    rows = rows[np.argsort(unit_ranks(rows, ranks), kind="stable")]
    if units < len(rows):
        msg = (
            f"`hidden_units` must be at least {len(rows)} in each layer, the number "
            f"of different rows of `adjacency`, got {units}. Give more."
        )
        raise ValueError(msg)
    return rows[np.arange(units) * len(rows) // units]


def unit_ranks(seen: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """Return how many ranks must be known before each unit is, `[units]`.

    Args:
        seen: Which coordinates units see, `[units, D]`.
        ranks: Rank of each coordinate.
    """
    return np.max(np.where(seen, np.asarray(ranks) + 1, 0), axis=1, initial=0)


def weight_masks(
    parents: Matrix, seen: Sequence[np.ndarray], params_size: int
) -> dict[str, np.ndarray]:
    """Return the masks of a stack of dense layers by the names of its weights.

    Args:
        parents: Matrix without a cycle.
        seen: Which coordinates the units of each hidden layer see, `[units, D]`.
        params_size: Parameters per coordinate; outputs are parameter-major.
    """
    masks = {"kernel_0": seen[0]}
    for i in range(1, len(seen)):
        masks[f"kernel_{i}"] = _among(seen[i], seen[i - 1])
    head = _among(np.asarray(parents), seen[-1])
    return {**masks, "head": np.tile(head, (params_size, 1))}


def _among(wide: np.ndarray, narrow: np.ndarray) -> np.ndarray:
    """Return whether each row of one matrix holds each row of another."""
    return ~(narrow[None] & ~wide[:, None]).any(axis=2)


def _cycle(parents: np.ndarray) -> list[int]:
    """Return a cycle, its first coordinate once more at the end, or nothing."""
    left = np.ones(len(parents), bool)
    while True:
        free = left & ~(parents & left).any(axis=1)
        if not free.any():
            break
        left &= ~free
    if not left.any():
        return []
    # Each coordinate that is left depends on another one that is.
    way = [int(np.flatnonzero(left)[0])]
    while way[-1] not in way[:-1]:
        way.append(int(np.flatnonzero(parents[way[-1]] & left)[0]))
    return way[way.index(way[-1]) :]
