"""Turns what users have into arrays and Keras inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows._types import Condition, TensorLike

__all__ = ["Data", "split", "take"]


class Data:
    """Events with their conditions and weights, as arrays of equal length.

    Args:
        x: Events, `[N, *event_shape]`: array, tensor, or DataFrame.
        condition: Conditions, `[N, *condition_shape]`, or `None`.
        weights: Weights, `[N]`, or `None`.

    Raises:
        ValueError: If lengths differ, or values are not finite numbers.
    """

    def __init__(
        self,
        x: TensorLike,
        condition: Condition = None,
        weights: TensorLike | None = None,
    ) -> None:
        self.columns = _columns(x)
        self.condition_columns = _columns(condition)
        self.x = _numbers(x, "x")
        self.condition = None if condition is None else _numbers(condition, "condition")
        self.weights = None if weights is None else _numbers(weights, "weights")
        if self.weights is not None and (
            self.weights.ndim != 1 or self.weights.min() < 0 or not self.weights.any()
        ):
            msg = (
                "`weights` must be non-negative numbers of shape [N], not all zero, "
                f"got shape {self.weights.shape} with minimum {self.weights.min()}. "
                "Give one weight for each event."
            )
            raise ValueError(msg)
        for name, values in (("condition", self.condition), ("weights", self.weights)):
            if values is not None and len(values) != len(self.x):
                msg = (
                    f"`{name}` must have one row per event, got {len(values)} rows for "
                    f"{len(self.x)} events. Align them."
                )
                raise ValueError(msg)

    def __len__(self) -> int:
        """Number of events."""
        return len(self.x)

    def take(self, rows: np.ndarray) -> Data:
        """Return the given rows."""
        out = object.__new__(Data)
        out.columns = self.columns
        out.condition_columns = self.condition_columns
        out.x = self.x[rows]
        out.condition = None if self.condition is None else self.condition[rows]
        out.weights = None if self.weights is None else self.weights[rows]
        return out

    def counted(self) -> Data:
        """Return the rows whose weight is not zero."""
        return self if self.weights is None else self.take(self.weights > 0)

    def keras(self, dtype: str) -> tuple[Any, Any, Any]:
        """Return the tuple `(inputs, None, weights)` that Keras takes.

        The weights have mean 1: with them, the loss is a weighted mean.
        """
        weights = self.weights
        if weights is not None and weights.any():
            weights = (weights / weights.mean()).astype(dtype)
        x = self.x.astype(dtype)
        if self.condition is None:
            return x, None, weights
        return {"x": x, "condition": self.condition.astype(dtype)}, None, weights


def _columns(x: TensorLike) -> tuple[str, ...] | None:
    columns = getattr(x, "columns", None)
    return None if columns is None else tuple(str(c) for c in columns)


def _numbers(values: TensorLike, argument: str) -> np.ndarray:
    """Return a float array, naming the first entry that is no finite number."""
    for name in _columns(values) or ():
        kind = getattr(getattr(values[name], "dtype", None), "kind", "f")
        if kind not in "fiub":
            msg = (
                f"`{argument}` must be numeric, got column {name!r} of type "
                f"{values[name].dtype}. Drop or encode it."
            )
            raise ValueError(msg)
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        msg = f"`{argument}` must be numeric, got type {array.dtype}. Convert it."
        raise ValueError(msg)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    if array.ndim == 0 or len(array) == 0:
        msg = f"`{argument}` must hold at least one row, got shape {array.shape}."
        raise ValueError(msg)
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        place = tuple(int(i) for i in bad[0])
        msg = (
            f"`{argument}` must be finite, got {array[place]} in row {place[0] + 1}"
            f"{_place(values, place)}. Drop or impute such rows."
        )
        raise ValueError(msg)
    return array


def _place(values: TensorLike, place: tuple[int, ...]) -> str:
    names = _columns(values)
    if len(place) < 2:
        return ""
    column = names[place[1]] if names else place[1] + 1
    return f", column {column!r}"


def split(data: Data, share: float, seed: int | None) -> tuple[Data, Data]:
    """Split off a random share of the rows, at least one row on each side."""
    count = min(max(1, round(share * len(data))), len(data) - 1)
    rows = np.random.default_rng(seed).permutation(len(data))
    return data.take(np.sort(rows[count:])), data.take(np.sort(rows[:count]))


def take(dataset: tf.data.Dataset, limit: int = 100_000) -> Data:
    """Read the first events of a dataset of batches, for everything that adapts.

    Args:
        dataset: Batches of `x`, or of `{"x": ..., "condition": ...}`.
        limit: Stop after so many events.

    Returns:
        The events and conditions read.

    Raises:
        ValueError: If the dataset is empty.
    """
    events, conditions, count = [], [], 0
    for element in dataset:
        inputs = element[0] if isinstance(element, tuple) else element
        if isinstance(inputs, dict):
            conditions.append(np.asarray(inputs["condition"]))
            inputs = inputs["x"]
        events.append(np.asarray(inputs))
        count += len(events[-1])
        if count >= limit:
            break
    if not events:
        msg = (
            "`x` must yield at least one batch, got an empty dataset. Check its source."
        )
        raise ValueError(msg)
    condition = np.concatenate(conditions) if conditions else None
    return Data(np.concatenate(events), condition)
