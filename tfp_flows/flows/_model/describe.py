"""What a flow says about itself: its stack and its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["describe"]


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
