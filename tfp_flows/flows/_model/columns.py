"""Names of the coordinates: kept by a flow, and followed where data have names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import _arrays, _checks, _optional, _serialize, datasets
from tfp_flows.datasets import dates, frames, numeric, own_types
from tfp_flows.flows._model import condition_kinds as kinds
from tfp_flows.preprocessing import Column

__all__ = ["Columns", "NamedColumns", "by_name"]

# Names of coordinates in their order, or the kind of each.
Columns = Sequence[str] | Mapping[str, Any]


def _column_names(
    columns: Columns | None, shape: tuple[int, ...] | None, argument: str
) -> tuple[str, ...] | None:
    """Return names of coordinates as a tuple of strings, `None` unchanged.

    Raises:
        ValueError: Unless there is one name for each coordinate of a vector, if a name
            is there twice, or if a kind is unknown.
    """
    if columns is None:
        return None
    if isinstance(columns, Mapping):
        for name, kind in columns.items():
            Column.read(kind, str(name))  # raises, if there is none
    names = tuple(str(column) for column in columns)
    if shape != (len(names),):
        msg = (
            f"`{argument}` must name the coordinates of shape {shape}, got "
            f"{len(names)} names. Give one for each."
        )
        raise ValueError(msg)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = (
            f"`{argument}` must name each coordinate by a name of its own, got "
            f"{twice!r} {names.count(twice)} times. Rename one of them."
        )
        raise ValueError(msg)
    return names


def by_name(
    value: Any,
    names: tuple[str, ...] | None,
    argument: str,
    labels: Callable[[], Mapping[str, Sequence[Any]]] = dict,
    units: Mapping[str, str] | None = None,
) -> Any:
    """Return named columns in their order as an array; what has no names, unchanged.

    Args:
        value: A data frame or table, or data without names: arrays, and frames whose
            columns are numbered.
        names: Names to select, `None` for no names.
        argument: What to call the data in the error.
        labels: Returns labels of columns of categories, whose positions stand for them.
        units: What dates and lengths of time are counted in, by name; `None` if that is
            not known.

    Raises:
        ValueError: If a name is missing, or a column of that name is no numbers, or if
            a cell of a masked array is masked.
    """
    if value is None:
        return value
    if type(value) is np.ndarray:  # the usual, at once
        is_plain = value.dtype.kind in "fiub"
        return value if is_plain else numeric.of_array(value, f"`{argument}`")
    value = _arrays.unmasked(value, argument, names)
    is_table = isinstance(value, datasets.Table)
    if not is_table and not frames.is_frame(value):
        return value
    if not is_table and frames.is_series(value):
        return datasets.to_table(value).x[:, 0]
    found = value.columns if is_table else frames.names(value)
    numbered = all(name.isdigit() for name in found)
    if names is None or (numbered and set(names) - set(found)):
        return datasets.to_table(value).x
    missing = [name for name in names if name not in found]
    if missing:
        msg = (
            f"`{argument}` must have the columns {list(names)}, got {list(found)}: "
            f"{missing[0]!r} is missing. Rename them, or pass an array."
        )
        raise ValueError(msg)
    table = (
        value.select(names)
        if is_table
        else datasets.to_table(frames.select(value, names), labels=labels())
    )
    return (table if units is None else table.in_units(units)).x


class NamedColumns:
    """Names of the coordinates of events and conditions, for a class that has shapes.

    Names are optional. Data frames are then read by name, whatever the order of their
    columns, and may have further columns.

    Attributes:
        condition_kinds: What the conditions are, `None` if all of them are numbers.
        units: What dates and lengths of time are counted in, by name of their columns,
            of `"columns"` and of `"condition_columns"`; `None` if that is not known.
        column_types: What columns of integers, booleans and categories were, by name;
            `None` if that is not known.
    """

    event_shape: tuple[int, ...]
    condition_shape: tuple[int, ...] | None
    condition_kinds: tuple[Column, ...] | None = None
    units: Mapping[str, Mapping[str, str]] | None = None
    column_types: Mapping[str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the coordinates, if they were given."""
        return self._column_names

    @columns.setter
    def columns(self, names: Columns | None) -> None:
        self._column_names = _column_names(names, self.event_shape, "columns")

    @property
    def condition_columns(self) -> tuple[str, ...] | None:
        """Names of the coordinates of the condition, if they were given."""
        return self._condition_names

    @condition_columns.setter
    def condition_columns(self, names: Columns | None) -> None:
        shape = self.condition_shape
        self._condition_names = _column_names(names, shape, "condition_columns")
        if isinstance(names, Mapping):
            self.condition_kinds = kinds.read_kinds(names)

    def as_frame(self, x: Any) -> Any:
        """Return events as the rows of a pandas data frame.

        Integers, booleans, categories, text and dates come back as what they were.

        Args:
            x: Events, `[..., D]`; leading dimensions become rows.

        Raises:
            ValueError: If events are no vectors.
            MissingExtraError: If pandas is not installed.
        """
        pd = _optional.require("pandas", extra="tables")
        if len(self.event_shape) > 1:
            msg = (
                "`as_frame` is for flows of vectors, this one has events of shape "
                f"{self.event_shape}. Leave it out."
            )
            raise ValueError(msg)
        size = self.event_shape[0] if self.event_shape else 1
        names = self.columns or datasets.table.default_columns(size)
        frame = pd.DataFrame(np.reshape(x, [-1, size]), columns=list(names))
        labels, types = self.category_labels(), self.types_of_columns()
        for name, kind in types.items():
            if name not in labels:
                frame[name] = own_types.restored(frame[name].to_numpy(), kind)
        for name, known in labels.items():
            frame[name] = np.array(known, object)[frame[name].to_numpy(int)]
        for name, column in self._kinds_by_name().items():
            if types.get(name) == own_types.CATEGORY and column.categories is not None:
                frame[name] = pd.Categorical(frame[name], column.categories)
        for name, unit in self._units("columns").items():
            found = dates.times(frame[name].to_numpy(), unit)
            days = found.dtype == "datetime64[D]"  # which pandas has not
            frame[name] = found.astype("datetime64[s]") if days else found
            if unit == dates.SECONDS:
                frame[name] = frame[name].dt.tz_localize("UTC")
        return frame

    def types_of_columns(self) -> Mapping[str, str]:
        """Return which columns are integers, booleans or categories, by name.

        Where the rows of the fit did not say it, columns are integers whose values are.
        """
        if self.column_types is not None:
            return self.column_types
        found = self._kinds_by_name()
        return {name: own_types.INTEGER for name in found if found[name].is_whole}

    def _kinds_by_name(self) -> dict[str, Column]:
        """Return what each column is, nothing where all of them are plain numbers."""
        spec = getattr(self, "preprocessing", None)
        if spec is None:
            return {}
        names = self.columns or datasets.table.default_columns(len(spec.columns))
        return dict(zip(names, spec.columns, strict=True))

    def _units(self, which: str) -> Mapping[str, str]:
        """Return the units of columns, none where they are not known."""
        return (self.units or {}).get(which, {})

    def category_labels(self) -> dict[str, Sequence[Any]]:
        """Return the labels of columns whose numbers are positions of labels."""
        spec = getattr(self, "preprocessing", None)
        if spec is None or self.columns is None:
            return {}
        pairs = zip(self.columns, spec.columns, strict=True)
        return {
            name: column.categories
            for name, column in pairs
            if column.categories is not None
            and not all(isinstance(v, (bool, int, float)) for v in column.categories)
        }

    def condition_labels(self) -> dict[str, Sequence[Any]]:
        """Return the labels of conditions whose numbers are positions of labels."""
        return kinds.labels_of(self.condition_columns, self.condition_kinds)

    def in_order(self, x: Any, condition: Any) -> tuple[Any, Any]:
        """Return events and conditions as the flow takes them.

        Named columns come in the order of the flow, conditions of one number, `[N]` or
        a number, as `[N, 1]` or `[1]`, and labels as their numbers.

        Raises:
            ValueError: If a name is missing, or a label is unknown.
        """
        units = None if self.units is None else self._units("columns")
        x = by_name(x, self.columns, "x", self.category_labels, units)
        return x, self._condition_in_order(condition)

    def _condition_in_order(self, condition: Any) -> Any:
        if condition is None:
            return None
        names, of = self.condition_columns, self.condition_kinds
        units = None if self.units is None else self._units("condition_columns")
        condition = kinds.by_key(condition, names, units or {})
        condition = kinds.coded(condition, names, of)
        condition = by_name(condition, names, "condition", self.condition_labels, units)
        condition = _checks.lifted_condition(condition, self.condition_shape)
        kinds.require_labels(condition, names, of)
        return condition

    def _names_config(self) -> dict[str, Any]:
        """Return names, kinds of conditions, and units, as a configuration has them."""
        columns, given = self.columns, self.condition_columns
        config: dict[str, Any] = {
            "columns": _serialize.listed(columns),
            "condition_columns": _serialize.listed(given),
        }
        if self.condition_kinds is not None and given is not None:
            found = [kind.get_config() for kind in self.condition_kinds]
            config["condition_columns"] = dict(zip(given, found, strict=True))
        if self.units is not None:
            config["units"] = {key: dict(held) for key, held in self.units.items()}
        if self.column_types:
            config["column_types"] = dict(self.column_types)
        return config
