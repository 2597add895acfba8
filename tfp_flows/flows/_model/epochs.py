"""Epochs of few steps: arrays as one endless dataset."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["repeated"]

# Up to so many steps per epoch, what Keras does between epochs takes much of the time.
FEW_STEPS = 8


def _converted(values: Any) -> Any:
    """Return arrays in the types of Keras, `None` for what is no array."""
    if isinstance(values, dict):
        parts = {key: _converted(value) for key, value in values.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(values, np.ndarray):
        return (
            values.astype(keras.config.floatx()) if values.dtype.kind == "f" else values
        )
    return values if isinstance(values, tf.Tensor) else None


def repeated(
    x: Any, y: Any, sample_weight: Any, options: dict[str, Any]
) -> tuple[tf.data.Dataset, dict[str, Any]] | None:
    """Return arrays of few batches as one endless dataset, and options of `fit` for it.

    Keras makes new iterators of arrays for each epoch. Where an epoch has a few steps
    only, that takes longer than the steps, ten times as long for one step.

    Args:
        x: What `fit` is given.
        y: Targets, or `None`.
        sample_weight: Weights, or `None`.
        options: The others of `fit`, by name.

    Returns:
        The dataset and options; `None` where Keras had better see the arrays.

    Raises:
        ValueError: If lengths differ.
    """
    if any(options.get(name) for name in ("validation_split", "steps_per_epoch")):
        return None
    if options.get("class_weight") is not None:
        return None
    given = [x] + [part for part in (y, sample_weight) if part is not None]
    parts = [_converted(part) for part in given]
    if (sample_weight is not None and y is None) or any(p is None for p in parts):
        return None
    sizes = {(*part.shape, 0)[0] for part in tf.nest.flatten(parts)}
    if len(sizes) != 1:
        msg = (
            "`x`, conditions, and weights must have one row for each event, got "
            f"{sorted(sizes)} rows. Align them."
        )
        raise ValueError(msg)
    rows, batch_size = max(sizes), options.get("batch_size") or 32
    steps = -(-rows // batch_size)
    if not 0 < steps <= FEW_STEPS:
        return None
    dataset = tf.data.Dataset.from_tensor_slices(tuple(parts))
    if options.get("shuffle", True):
        dataset = dataset.shuffle(rows, reshuffle_each_iteration=True)
    changed = dict(options)
    changed.pop("batch_size", None)
    changed.setdefault("validation_batch_size", batch_size)
    changed |= {"shuffle": False, "steps_per_epoch": steps}
    return dataset.batch(batch_size).repeat().prefetch(2), changed
