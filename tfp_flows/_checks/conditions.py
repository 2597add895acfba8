"""Checks of what a density is conditioned on."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "lifted_condition",
    "require_condition",
]


def lifted_condition(condition: Any, condition_shape: tuple[int, ...] | None) -> Any:
    """Return conditions of one number as `[N, 1]`, as a condition shape `(1,)` wants.

    A number is one condition, and `[N]` are `N` conditions, as where a flow is fitted.
    Arrays of higher rank, and `[1]`, are returned as they are.

    Args:
        condition: Array, tensor, series or number; `None` for none.
        condition_shape: Trailing shape that is wanted.
    """
    if condition is None or condition_shape != (1,) or callable(condition):
        return condition
    if getattr(condition, "shape", None) is None or hasattr(condition, "to_numpy"):
        condition = np.asarray(condition)  # numbers, lists, and series of a data frame
    shape = condition.shape
    rank = shape.rank if hasattr(shape, "rank") else len(shape)
    if rank == 0 or (rank == 1 and shape[0] != 1):
        return condition[..., np.newaxis]
    return condition


def require_condition(
    condition: Any,
    condition_shape: tuple[int, ...] | None,
    owner: str,
) -> None:
    """Raise when a condition is missing, or given to something that takes none."""
    if condition_shape is None and condition is not None:
        msg = (
            f"`condition` was given, but {owner} was built without condition_shape. "
            "Leave it out, or build with condition_shape=..."
        )
        raise ValueError(msg)
    if condition_shape is not None and condition is None:
        msg = (
            f"`condition` is missing: {owner} was built with condition_shape="
            f"{condition_shape}. Pass a tensor with trailing shape {condition_shape}."
        )
        raise ValueError(msg)
