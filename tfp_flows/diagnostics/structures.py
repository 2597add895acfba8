"""Parameters in the structure of a joint distribution, as named columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["column_names", "is_parts", "joined", "leaves", "listed", "words_of"]


def is_parts(values: Any) -> bool:
    """Whether values come in parts with names: a dictionary or a named tuple."""
    return isinstance(values, dict) or hasattr(values, "_fields")


def listed(values: Any) -> bool:
    """Whether values are a list or tuple of arrays: parts, or the rows of one array."""
    is_many = isinstance(values, (list, tuple)) and len(values) > 0
    return is_many and all(hasattr(part, "shape") for part in values)


def leaves(values: Any) -> list[Any]:
    """Return the parts of a structure in the order of `tf.nest`: dictionaries sorted.

    That is the order in which `NPE.draws` has the columns.
    """
    return tf.nest.flatten(values)


def words_of(structure: Any, count: int) -> list[str]:
    """Return a name for each of the parts of a structure.

    Args:
        structure: A dictionary, a named tuple or a list.
        count: Number of parts, those inside of parts too.
    """
    fields = getattr(structure, "_fields", None)
    if fields is None and isinstance(structure, dict):
        fields = sorted(structure)
    words = [str(field) for field in fields or ()]
    return words if len(words) == count else [f"part{i}" for i in range(count)]


def column_names(words: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Return a name for each number: that of its part, counted if there are many.

    Args:
        words: Names of the parts.
        shapes: Shapes of the parts of one event.
    """
    found: list[str] = []
    for word, shape in zip(words, shapes, strict=True):
        size = math.prod(shape)
        found += [word] if size == 1 else [f"{word}{i}" for i in range(size)]
    return found


def joined(parts: Sequence[np.ndarray], lead: int) -> np.ndarray:
    """Return parts `[N, ...]` side by side, `[N, D]`; draws `[N, L, ...]` have two.

    Args:
        parts: The parts.
        lead: How many axes are in front of those of an event.
    """
    flat = [part.reshape((*part.shape[:lead], -1)) for part in parts]
    return np.concatenate(flat, axis=-1)
