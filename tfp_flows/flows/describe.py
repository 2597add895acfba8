"""What a flow says about itself: its stack, its size, its column names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["column_names", "describe"]


def column_names(
    columns: Sequence[str] | None, shape: tuple[int, ...] | None, argument: str
) -> tuple[str, ...] | None:
    """Return names of coordinates as a tuple of strings, `None` unchanged.

    Raises:
        ValueError: Unless there is one name for each coordinate of a vector.
    """
    if columns is None:
        return None
    names = tuple(str(column) for column in columns)
    if shape != (len(names),):
        msg = (
            f"`{argument}` must name the coordinates of shape {shape}, got "
            f"{len(names)} names. Give one for each."
        )
        raise ValueError(msg)
    return names


def describe(flow: Any, maps: Sequence[Any], base: str) -> str:
    """Return the stack from the data to the base, and the number of parameters."""
    trainable = sum(math.prod(v.shape) for v in flow.trainable_variables)
    shape = flow.condition_shape
    condition = "" if shape is None else f" | {shape}"
    head = f"<{type(flow).__name__} {flow.name!r}: {flow.event_shape}{condition}"
    lines = [f"{i:3d}. {_one_map(m)}" for i, m in enumerate(maps[::-1], 1)]
    head = f"{head}, {trainable:,} trainable parameters"
    return "\n".join([head, *lines, f"     base: {base}>"])


def _one_map(bijector: Any) -> str:
    inner = getattr(bijector, "bijector", None)
    transformer = getattr(bijector, "transformer", None)
    return (
        type(bijector).__name__
        + ("" if inner is None else f"({_one_map(inner)})")
        + ("" if transformer is None else f"[{transformer}]")
    )
