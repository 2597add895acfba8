"""Names of the coordinates: kept by a flow, and followed where data have names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import _arrays, _checks, _optional, datasets
from tfp_flows.datasets import frames
from tfp_flows.preprocessing import Column

__all__ = ["Columns", "NamedColumns", "by_name"]

# Names of coordinates in their order, or the kind of each.
Columns = Sequence[str] | Mapping[str, Any]


def _column_names(
    columns: Columns | None, shape: tuple[int, ...] | None, argument: str
) -> tuple[str, ...] | None:
    """Return names of coordinates as a tuple of strings, `None` unchanged.

    Raises:
        ValueError: Unless there is one name for each coordinate of a vector, or if a
            kind is unknown.
    """
    if columns is None:
        return None
    if isinstance(columns, Mapping):
        for name, kind in columns.items():
            column = Column.read(kind, str(name))
            if argument == "condition_columns" and column.categories is not None:
                msg = (
                    f"`{argument}` must be numbers, got categories of {name!r}. Give "
                    "one column of zeros and ones for each label."
                )
                raise ValueError(msg)
    names = tuple(str(column) for column in columns)
    if shape != (len(names),):
        msg = (
            f"`{argument}` must name the coordinates of shape {shape}, got "
            f"{len(names)} names. Give one for each."
        )
        raise ValueError(msg)
    return names


def by_name(
    value: Any,
    names: tuple[str, ...] | None,
    argument: str,
    labels: Callable[[], Mapping[str, Sequence[Any]]] = dict,
) -> Any:
    """Return named columns in their order as an array; what has no names, unchanged.

    Args:
        value: A data frame or table, or data without names: arrays, and frames whose
            columns are numbered.
        names: Names to select, `None` for no names.
        argument: What to call the data in the error.
        labels: Returns labels of columns of categories, whose positions stand for them.

    Raises:
        ValueError: If a name is missing, or a column of that name is no numbers, or if
            a cell of a masked array is masked.
    """
    if value is None or type(value) is np.ndarray:  # the usual, at once
        return value
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
    if is_table:
        return value.select(names).x
    return datasets.to_table(frames.select(value, names), labels=labels()).x


class NamedColumns:
    """Names of the coordinates of events and conditions, for a class that has shapes.

    Names are optional. Data frames are then read by name, whatever the order of their
    columns, and may have further columns.
    """

    event_shape: tuple[int, ...]
    condition_shape: tuple[int, ...] | None

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

    def as_frame(self, x: Any) -> Any:
        """Return events as the rows of a pandas data frame.

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
        for name, labels in self.category_labels().items():
            frame[name] = np.array(labels, object)[frame[name].to_numpy(int)]
        return frame

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

    def in_order(self, x: Any, condition: Any) -> tuple[Any, Any]:
        """Return events and conditions as the flow takes them.

        Named columns come in the order of the flow, and conditions of one number, `[N]`
        or a number, as `[N, 1]` or `[1]`.
        """
        condition = by_name(condition, self.condition_columns, "condition")
        return (
            by_name(x, self.columns, "x", self.category_labels),
            _checks.lifted_condition(condition, self.condition_shape),
        )
