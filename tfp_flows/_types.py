"""Type aliases that public signatures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[type], type]:
        """Do nothing: type checkers and editors read it."""
        return lambda cls: cls


__all__ = [
    "Condition",
    "DType",
    "Given",
    "Pair",
    "Seed",
    "Shape",
    "TensorLike",
    "dataclass_transform",
]

# TensorFlow ships no stubs, so these name intent rather than check it.
TensorLike: TypeAlias = Any
Condition: TypeAlias = Any
DType: TypeAlias = Any
Shape: TypeAlias = int | Sequence[int]
Seed: TypeAlias = Any
# What maps are given: a condition as a tensor, for those that take one.
Given: TypeAlias = "tf.Tensor | None"
# What they return: a value and its log-det.
Pair: TypeAlias = "tuple[tf.Tensor, tf.Tensor]"
