"""Epochs of few steps: arrays as one endless dataset."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["repeated", "wide"]

# Up to so many steps per epoch, what Keras does between epochs takes much of the time.
FEW_STEPS = 8


def _converted(values: Any, dtype: str) -> Any:
    """Return arrays whose floats are of one dtype, `None` for what is no array."""
    if isinstance(values, dict):
        parts = {key: _converted(value, dtype) for key, value in values.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(values, np.ndarray):
        return values.astype(dtype) if values.dtype.kind == "f" else values
    return values if isinstance(values, tf.Tensor) else None


def _rows(values: Any, rows: slice) -> Any:
    """Return rows of arrays, `None` for `None`."""
    if values is None:
        return None
    return tf.nest.map_structure(lambda value: value[rows], values)


def wide(
    x: Any, y: Any, sample_weight: Any, options: dict[str, Any], dtype: str
) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return what `fit` is given such that Keras rounds no float64 to float32.

    Rows of `validation_split` are the last ones, as in Keras; they, and arrays of
    `validation_data`, become a dataset, whose numbers Keras leaves as they are.

    Args:
        x: What `fit` is given.
        y: Targets, or `None`.
        sample_weight: Weights, or `None`.
        options: The others of `fit`, by name.
        dtype: That of the flow.

    Returns:
        The arguments and options.
    """
    parts = [_converted(part, dtype) for part in (x, y, sample_weight)]
    options, given = dict(options), options.get("validation_data")
    share = options.get("validation_split")
    rows = tf.nest.flatten(parts[0])[0] if parts[0] is not None else None
    if share and given is None and rows is not None:
        first = int(np.floor(len(rows) * (1.0 - share)))
        options.pop("validation_split")
        parts[1:] = [None if v is None else np.asarray(v) for v in (y, sample_weight)]
        given = [_rows(part, slice(first, None)) for part in parts]
        x, y, sample_weight = (_rows(part, slice(first)) for part in parts)
    if given is None or isinstance(given, tf.data.Dataset):
        return x, y, sample_weight, options
    given = given if isinstance(given, (tuple, list)) else (given,)
    held_out = [_converted(part, dtype) for part in given if part is not None]
    if not any(part is None for part in held_out):
        size = options.get("validation_batch_size") or options.get("batch_size") or 32
        batches = tf.data.Dataset.from_tensor_slices(tuple(held_out)).batch(size)
        options["validation_data"] = batches
    return x, y, sample_weight, options


def repeated(
    x: Any, y: Any, sample_weight: Any, options: dict[str, Any], dtype: str
) -> tuple[tf.data.Dataset, dict[str, Any]] | None:
    """Return arrays of few batches as one endless dataset, and options of `fit` for it.

    Keras makes new iterators of arrays for each epoch. Where an epoch has a few steps
    only, that takes longer than the steps, ten times as long for one step.

    Args:
        x: What `fit` is given.
        y: Targets, or `None`.
        sample_weight: Weights, or `None`.
        options: The others of `fit`, by name.
        dtype: That of the flow; Keras would make float32 of float64.

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
    parts = [_converted(part, dtype) for part in given]
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
    few = FEW_STEPS if dtype == keras.config.floatx() else steps
    if not 0 < steps <= few:
        return None
    dataset = tf.data.Dataset.from_tensor_slices(tuple(parts))
    if options.get("shuffle", True):
        dataset = dataset.shuffle(rows, reshuffle_each_iteration=True)
    changed = dict(options)
    changed.pop("batch_size", None)
    changed.setdefault("validation_batch_size", batch_size)
    changed |= {"shuffle": False, "steps_per_epoch": steps}
    return dataset.batch(batch_size).repeat().prefetch(2), changed
