"""Conditions that are no plain numbers, as networks see them: labels and angles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

__all__ = ["Encoding", "encode", "encoded_size", "is_scaled"]

# Of one component of a condition: `None` for a number, `("labels", ...)` for the
# numbers that stand for labels, `("period", low, high)` for an angle.
Encoding = tuple[str | float, ...] | None


def encoded_size(encodings: Sequence[Encoding]) -> int:
    """Return how many numbers a condition becomes.

    Args:
        encodings: One for each component.
    """
    return sum(_size(encoding) for encoding in encodings)


def _size(encoding: Encoding) -> int:
    if encoding is None:
        return 1
    return 2 if encoding[0] == "period" else len(encoding) - 1


def is_scaled(encodings: Sequence[Encoding]) -> list[bool]:
    """Return which of the numbers are to be standardised: those of plain numbers.

    Args:
        encodings: One for each component.
    """
    return [encoding is None for encoding in encodings for _ in range(_size(encoding))]


def encode(condition: tf.Tensor, encodings: Sequence[Encoding]) -> tf.Tensor:
    """Return a condition with zeros and a one for labels, cosine and sine for angles.

    A number that stands for no label becomes NaN: no density is made up for it.

    Args:
        condition: `[..., C]`.
        encodings: One for each component.

    Returns:
        `[..., encoded_size(encodings)]`.
    """
    parts = []
    for i, encoding in enumerate(encodings):
        value = condition[..., i : i + 1]
        if encoding is None:
            parts.append(value)
        elif encoding[0] == "period":
            low, high = (float(end) for end in encoding[1:])
            angle = (value - low) * (2.0 * math.pi / (high - low))
            parts += [tf.cos(angle), tf.sin(angle)]
        else:
            labels = tf.constant(encoding[1:], value.dtype)
            found = tf.cast(tf.equal(value, labels), value.dtype)
            known = tf.reduce_any(tf.equal(value, labels), axis=-1, keepdims=True)
            parts.append(tf.where(known, found, tf.constant(math.nan, value.dtype)))
    return tf.concat(parts, axis=-1)
