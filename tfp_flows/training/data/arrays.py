"""Turns what users have into arrays and Keras inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _context, _results, datasets, preprocessing
from tfp_flows._types import Condition, TensorLike
from tfp_flows.datasets import frames, numeric, splits

__all__ = ["EMPTY", "Data", "batch_of", "check_batches", "hold_out", "read", "split"]

_HOW_TO_FILL = ", or pass missing='impute'"
EMPTY = "`x` must yield at least one batch, got an empty dataset. Check its source."


class Data(_results.Rows):
    """Events with their conditions and weights, as arrays of equal length.

    Args:
        x: Events, `[N, *event_shape]`: array, tensor, DataFrame, or `datasets.Table`.
        condition: Conditions, `[N, *condition_shape]`, or `None`.
        weights: Weights, `[N]`, or `None`.
        missing: What to do with missing cells of `x` and `condition`, which are NaN or
            masked: `"error"`, or `"impute"` to fill them as `preprocessing.impute`; or
            `"marginal"` to fill those of `x` for statistics alone, and train without
            them.
        seed: Int that fixes what is filled in.

    Raises:
        ValueError: If lengths differ, or values are not finite numbers.
    """

    imputed = 0  # how many cells were filled
    holes: np.ndarray | None = None  # which of those of the events, `[N, D]`
    keeps_holes = False  # whether training sees them as missing
    labels: Mapping[str, tuple[Any, ...]] = {}  # of columns of categories
    units: Mapping[str, str] = {}  # of dates and lengths of time
    types: Mapping[str, str] | None = None  # that columns had, if it is known
    condition_labels: Mapping[str, tuple[Any, ...]] = {}
    condition_units: Mapping[str, str] = {}

    def __init__(
        self,
        x: TensorLike,
        condition: Condition = None,
        weights: TensorLike | None = None,
        *,
        missing: str = "error",
        seed: int | None = None,
    ) -> None:
        _checks.one_of(missing, ("error", "impute", "marginal"), "missing")
        self.keeps_holes = missing == "marginal"
        fills = missing != "error"
        if isinstance(x, datasets.Table) or frames.is_frame(x):
            table = datasets.to_table(x)
            self.labels, self.units, self.types = table.labels, table.units, table.types
            x = table.x[:, 0] if frames.is_series(x) else table
        x, self.columns = _unnamed(x)
        self.x = _numbers(x, "x", self.columns, missing=fills)
        if isinstance(condition, datasets.Table) or frames.is_frame(condition):
            table = datasets.to_table(condition)
            self.condition_labels, self.condition_units = table.labels, table.units
            condition = table.x[:, 0] if frames.is_series(condition) else table
        condition, names = (None, None) if condition is None else _unnamed(condition)
        self.condition_columns = names
        self.condition = (
            None
            if condition is None
            else _numbers(condition, "condition", names, missing=missing == "impute")
        )
        if self.condition is not None and self.condition.ndim == 1:
            self.condition = self.condition[:, np.newaxis]  # one number per event
        self.weights = (
            None
            if weights is None
            else _arrays.event_weights(_numbers(weights, "weights"), "weights")
        )
        for name, values in (("condition", self.condition), ("weights", self.weights)):
            if values is not None and len(values) != len(self.x):
                msg = (
                    f"`{name}` must have one row per event, got {len(values)} rows for "
                    f"{len(self.x)} events. Align them."
                )
                raise ValueError(msg)
        if fills:
            self._fill(seed)

    def _fill(self, seed: int | None) -> None:
        """Fill missing cells of events and conditions, each from both."""
        parts = [self.x] if self.condition is None else [self.x, self.condition]
        rows = [part.reshape(len(part), -1) for part in parts]
        self.imputed = sum(int(np.isnan(part).sum()) for part in parts)
        if not self.imputed:
            return
        filled = preprocessing.impute(np.concatenate(rows, axis=1), seed)
        width = rows[0].shape[1]
        self.holes = np.isnan(rows[0])
        self.x = filled[:, :width].reshape(self.x.shape).astype(self.x.dtype)
        if self.condition is not None:
            condition = filled[:, width:].reshape(self.condition.shape)
            self.condition = condition.astype(self.condition.dtype)

    groups: np.ndarray | None = None
    time: np.ndarray | None = None

    def place(self, groups: Any, time: Any) -> None:
        """Take groups and times by which rows are held out; see `split_rows`.

        Raises:
            ValueError: If they do not fit to the rows.
        """
        if groups is not None:
            self.groups = splits.check_groups(groups, len(self))
        if time is not None:
            self.time = splits.check_times(time, len(self))

    def select(self, rows: np.ndarray) -> Data:
        """Return the given rows."""
        out = object.__new__(Data)
        out.imputed, out.labels, out.units = self.imputed, self.labels, self.units
        out.types = self.types
        out.condition_labels = self.condition_labels
        out.condition_units = self.condition_units
        out.keeps_holes = self.keeps_holes
        out.holes = None if self.holes is None else self.holes[rows]
        out.columns = self.columns
        out.condition_columns = self.condition_columns
        out.groups = None if self.groups is None else self.groups[rows]
        out.time = None if self.time is None else self.time[rows]
        out.x = self.x[rows]
        out.condition = None if self.condition is None else self.condition[rows]
        out.weights = None if self.weights is None else self.weights[rows]
        return out

    def with_indicators(self) -> Data:
        """Return rows whose conditions have zeros and ones in place of labels.

        The first label of a column has zeros only.
        """
        found = self.select(np.arange(len(self)))
        if self.condition is None or not self.condition_labels:
            return found
        parts, names = [], []
        columns = self.condition_columns or ()
        for name, values in zip(columns, self.condition.T, strict=True):
            labels = self.condition_labels.get(name, ())
            shown = np.arange(1, len(labels))
            known = values[:, np.newaxis]
            parts.append(known == shown if labels else known)
            names += [f"{name} is {label}" for label in labels[1:]] or [name]
        found.condition = np.concatenate(parts, axis=1).astype(self.condition.dtype)
        found.condition_columns, found.condition_labels = tuple(names), {}
        return found

    def condition_for(self, columns: Sequence[str] | None) -> Any:
        """Return the conditions by their labels, in the order of a flow that has names.

        Args:
            columns: Names of the conditions of the flow, if it has them.
        """
        names, found = self.condition_columns, self.condition
        if found is None or names is None:
            return found
        if self.condition_labels:
            found = found.astype(object)
            for i, name in enumerate(names):
                if name in self.condition_labels:
                    labels = np.array(self.condition_labels[name], object)
                    found[:, i] = labels[found[:, i].astype(int)]
        if columns is None or set(columns) != set(names):
            return found
        return found[:, [names.index(name) for name in columns]]

    def complete(self) -> Data:
        """Return the rows that training sees whole."""
        if not self.keeps_holes or self.holes is None:
            return self
        return self.select(np.flatnonzero(~self.holes.any(axis=1)))

    def gaps(self) -> str:
        """Return in words what became of missing cells."""
        if self.keeps_holes:
            return f"{self.imputed} missing cells are left out of the likelihood"
        return f"{self.imputed} missing cells are filled from similar rows"

    def counted(self) -> Data:
        """Return the rows whose weight is not zero."""
        return self if self.weights is None else self.select(self.weights > 0)

    def keras(self, dtype: str) -> tuple[Any, Any, Any]:
        """Return the tuple `(inputs, targets, weights)` that Keras takes.

        A flow has no targets to compare with, but Keras wants them with weights: they
        are `[N, 0]`. The weights have mean 1, so that the loss is a weighted mean.
        """
        inputs: Any = self.x.astype(dtype)
        if self.keeps_holes and self.holes is not None:
            inputs = np.where(self.holes, np.nan, inputs).astype(dtype)
        if self.condition is not None:
            inputs = {"x": inputs, "condition": self.condition.astype(dtype)}
        weights = self.weights
        if weights is not None and weights.any():
            weights = (weights / weights.mean()).astype(dtype)
        return inputs, np.zeros([len(self), 0], dtype), weights


def _unnamed(values: TensorLike) -> tuple[Any, tuple[str, ...] | None]:
    """Return the numbers of a table and the names of its columns, if it has names."""
    if not isinstance(values, datasets.Table) and not frames.is_frame(values):
        return values, None
    table = datasets.to_table(values)
    if frames.is_series(values):
        return table.x[:, 0], None
    return table.x, table.columns


def _numbers(
    values: TensorLike,
    argument: str,
    names: tuple[str, ...] | None = None,
    *,
    missing: bool = False,
) -> np.ndarray:
    """Return a float array, naming the first entry that is no finite number.

    Args:
        values: Numbers.
        argument: What to call them in errors.
        names: Names of the columns, if they have names.
        missing: Whether NaN and masked cells stand for missing ones, and are NaN.
    """
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    if mask is not None and not missing:
        values = _arrays.unmasked(values, argument, names)
    array = numeric.of_array(values, f"`{argument}`", rounds=True)
    if mask is not None and mask.any():
        array = np.where(mask, np.nan, array).astype(array.dtype)
    if array.ndim == 0 or 0 in array.shape:
        what = "row" if array.ndim == 0 or len(array) == 0 else "number in each row"
        msg = f"`{argument}` must hold at least one {what}, got shape {array.shape}."
        raise ValueError(msg)
    bad = np.argwhere(np.isinf(array) if missing else ~np.isfinite(array))
    if bad.size:
        place = tuple(int(i) for i in bad[0])
        fills = np.isnan(array[place]) and argument != "weights"
        msg = (
            f"`{argument}` must be finite, got {array[place]} in row {place[0] + 1}"
            f"{_arrays.column_of(names, place)}. Drop or impute such rows"
            f"{_HOW_TO_FILL if fills else ''}."
        )
        raise ValueError(msg)
    return array


def filled(values: Any) -> np.ndarray:
    """Return an array, NaN where a cell of a masked array is masked."""
    if isinstance(values, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(values), np.nan, np.ma.getdata(values))
    return np.asarray(values)


def split(data: Data, share: float, seed: int | None) -> tuple[Data, Data]:
    """Split off a share of the rows, at least one row on each side.

    Rows that are equal, with their conditions, all go to the same side: a copy of a
    training row would reward a density for what it remembers. See
    `datasets.split_rows` for what groups and times of the data do.

    Raises:
        ValueError: If there is one row only.
    """
    if len(data) == 1:
        msg = (
            "`x` must have at least two rows to hold some out, got 1. Give more, or "
            "validation=None."
        )
        raise ValueError(msg)
    count = min(max(1, round(share * len(data))), len(data) - 1)
    rng = _context.generator(seed)
    rest, held_out = datasets.split_rows(
        count, rng, data.x, data.condition, groups=data.groups, time=data.time
    )
    return data.select(rest), data.select(held_out)


def hold_out(
    data: Data,
    validation: float | tuple[Any, ...] | None,
    seed: int | None,
    *,
    missing: str = "error",
) -> tuple[Data, Data | None]:
    """Return the rows to train on and those held out, as `fit` is told.

    Args:
        data: All rows.
        validation: Share of rows; or `(x,)` or `(x, condition)` held out beside the
            data; or `None`.
        seed: Int that fixes which rows a share takes.
        missing: What to do with missing cells of rows beside the data.
    """
    if isinstance(validation, (tuple, list)):
        return data, Data(*validation, missing=missing, seed=seed)
    if not validation:
        return data, None
    _checks.fraction(validation, "validation")
    return split(data, validation, seed)


def batch_of(element: Any) -> tuple[Any, Any]:
    """Return events and conditions of an element of a dataset, or of its form.

    An element is `x`, or `{"x": ..., "condition": ...}`, or `(inputs, condition)`.

    Raises:
        ValueError: If it is anything else.
    """
    inputs, *rest = element if isinstance(element, tuple) else (element,)
    is_dict = isinstance(inputs, dict)
    parts = [*(inputs.values() if is_dict else [inputs]), *rest]
    keys = sorted(inputs) if is_dict else ["x"]
    is_known = "x" in keys and {*keys} <= {"x", "condition"}
    if not is_known or not all(hasattr(part, "shape") for part in parts):
        got = f"the keys {keys}" if is_dict else "nested ones"
        msg = (
            "`x` must yield arrays, dicts of 'x' and 'condition', or pairs (x, "
            f"condition), got {got}. Map the elements to these."
        )
        raise ValueError(msg)
    condition = rest[0] if rest and rest[0].shape[-1:] != (0,) else None
    if is_dict:
        return inputs["x"], inputs.get("condition", condition)
    return inputs, condition


def read(
    dataset: tf.data.Dataset,
    event_shape: tuple[int, ...] | None = None,
    limit: int = 100_000,
) -> Data:
    """Read the first events of a dataset of batches, for everything that adapts.

    Args:
        dataset: Batches of `x`, of `{"x": ..., "condition": ...}`, or of pairs
            `(x, condition)`.
        event_shape: Shape of one event, if it is known.
        limit: Stop after so many events.

    Returns:
        The events and conditions read.

    Raises:
        ValueError: If the dataset is empty, or yields events instead of batches.
    """
    check_batches(dataset, event_shape)
    events, conditions, count = [], [], 0
    for element in dataset:
        x, condition = batch_of(element)
        events.append(np.asarray(x))
        if condition is not None:
            conditions.append(np.asarray(condition))
        count += len(events[-1])
        if count >= limit:
            break
    if not events:
        raise ValueError(EMPTY)
    joined = np.concatenate(conditions) if conditions else None
    return Data(np.concatenate(events), joined)


def check_batches(
    dataset: tf.data.Dataset, event_shape: tuple[int, ...] | None = None
) -> None:
    """Raise if a dataset yields events instead of batches of them."""
    spec, _ = batch_of(dataset.element_spec)
    # A row of a table and a batch of scalars look alike: only `batch` leaves a size
    # open.
    vague = event_shape is None and spec.shape.rank == 1 and spec.shape[0] is not None
    flat = event_shape is not None and spec.shape.rank == len(event_shape)
    if vague or flat or spec.shape.rank == 0:
        msg = (
            f"`x` must yield batches [N, *event_shape], got elements {spec.shape}. "
            "Call its method batch, or give a flow that is built for such scalars."
        )
        raise ValueError(msg)
