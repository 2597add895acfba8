"""Dense layers of Keras whose initial weights a generator of NumPy draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

__all__ = ["dense_layers", "dense_network", "glorot"]


def glorot(rng: np.random.Generator) -> keras.Initializer:
    """Return the initializer of the next kernel.

    Args:
        rng: The generator.
    """
    return keras.initializers.GlorotUniform(seed=int(rng.integers(2**31 - 1)))


def dense_layers(
    sizes: Sequence[int],
    last: int | None,
    activation: str,
    rng: np.random.Generator,
    dtype: Any = None,
) -> list[keras.layers.Dense]:
    """Return dense layers.

    Args:
        sizes: Widths of the hidden layers.
        last: Number of outputs of a last layer without activation; `None` for none.
        activation: Of the hidden layers.
        rng: The generator.
        dtype: Policy of Keras, `None` for the global one.
    """
    widths = [(size, activation) for size in sizes]
    if last is not None:
        widths.append((last, "linear"))
    return [
        keras.layers.Dense(
            size, activation=function, kernel_initializer=glorot(rng), dtype=dtype
        )
        for size, function in widths
    ]


def dense_network(
    sizes: Sequence[int],
    last: int | None,
    activation: str,
    rng: np.random.Generator,
    dtype: Any = None,
) -> keras.Sequential:
    """Return a network of flattened events; see `dense_layers`."""
    layers = dense_layers(sizes, last, activation, rng, dtype)
    return keras.Sequential([keras.layers.Flatten(dtype=dtype), *layers])
