"""Type aliases that public signatures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

__all__ = ["Condition", "DType", "Seed", "Shape", "TensorLike"]

# TensorFlow ships no stubs, so these name intent rather than check it.
TensorLike: TypeAlias = Any
Condition: TypeAlias = Any
DType: TypeAlias = Any
Shape: TypeAlias = int | Sequence[int]
Seed: TypeAlias = Any
