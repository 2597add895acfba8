"""Data frames of pandas, polars, Arrow and others, through narwhals, as numbers."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

from tfp_flows.datasets import dates, numeric, own_types, remedies
from tfp_flows.datasets.dates import DAYS, LENGTH, MOMENTS, SECONDS, Numbers

__all__ = [
    "Labels",
    "Numbers",
    "is_categorical",
    "is_frame",
    "is_series",
    "names",
    "read_column",
    "refusal",
    "select",
    "take",
    "text_columns",
]

# Labels of the categories of columns, in the order of their numbers.
Labels = Mapping[str, Sequence[Any]]

# Types of which no data are frames: narwhals takes longer to say so than a small flow
# to score.
_OTHERS: weakref.WeakSet[type] = weakref.WeakSet()


def is_frame(data: Any) -> bool:
    """Whether data are a frame or a series that narwhals knows, in memory or not."""
    if type(data) in _OTHERS:
        return False
    known = nw.dependencies
    found = (
        known.is_into_dataframe(data)
        or known.is_into_series(data)
        or known.is_polars_lazyframe(data)
    )
    if not found:
        _OTHERS.add(type(data))
    return bool(found)


def _frame(data: Any) -> Any:
    """Return a frame of narwhals.

    Raises:
        TypeError: If the rows are not in memory.
        ValueError: If names occur twice.
    """
    if not nw.dependencies.is_polars_lazyframe(data):
        columns = getattr(data, "column_names", getattr(data, "columns", ()))  # Arrow's
        words = [str(name) for name in columns]
        numeric.check_different(words, "the table's columns")
        if any(not isinstance(name, str) for name in columns):  # numbers, of pandas
            data = data.set_axis(words, axis="columns")
    found = nw.from_native(data, allow_series=True)
    if isinstance(found, nw.LazyFrame):
        msg = (
            "`data` must be in memory, got a frame that is still to be computed. Call "
            "its method collect()."
        )
        raise TypeError(msg)
    if isinstance(found, nw.Series):
        name = "x0" if found.name in (None, "") else str(found.name)
        return found.rename(name).to_frame()
    return found


def names(data: Any) -> tuple[str, ...]:
    """Return the names of the columns of a frame or series."""
    return tuple(str(name) for name in _frame(data).columns)


def is_series(data: Any) -> bool:
    """Whether data are a single column."""
    return nw.dependencies.is_into_series(data)


def select(data: Any, wanted: Sequence[str]) -> Any:
    """Return columns of a frame, in this order, as a frame of narwhals."""
    frame = _frame(data)
    known = {str(name): name for name in frame.columns}
    return frame.select([known[name] for name in wanted])


def take(data: Any, wanted: Sequence[str] | None = None) -> list[tuple[str, Any]]:
    """Return columns by name, all if none are named, as series of narwhals."""
    frame = _frame(data)
    known = [str(name) for name in frame.columns]
    chosen = known if wanted is None else list(wanted)
    return [(name, frame[:, known.index(name)]) for name in chosen]


def is_categorical(series: Any) -> bool:
    """Whether a series of narwhals holds categories."""
    return isinstance(series.dtype, (nw.Categorical, nw.Enum))


def text_columns(data: Any, *, labels: bool = False) -> list[str]:
    """Return the names of columns of text that stands for no numbers or dates.

    Args:
        data: A data frame.
        labels: Whether columns of a categorical type count, too.
    """
    return [
        name
        for name, series in take(data)
        if (labels and is_categorical(series))
        or (
            isinstance(series.dtype, (nw.String, nw.Object))
            and read_column(series, name).values is None
        )
    ]


def read_column(
    series: Any, name: str, labels: Sequence[Any] | None = None, *, label: bool = False
) -> Numbers:
    """Return a column as numbers.

    Args:
        series: A series of narwhals.
        name: Of the column.
        labels: Labels whose positions stand for them, if they are known.
        label: Whether the column holds categories, whatever its type.

    Raises:
        ValueError: If a label is none of those known, or an integer has more digits
            than a float.
    """
    kind = series.dtype
    if labels is not None and not all(isinstance(v, (int, float)) for v in labels):
        return _coded(series, name, labels)
    if isinstance(kind, (nw.Categorical, nw.Enum)) or (label and _is_text(series)):
        return _coded(series, name, _labels(series))
    if isinstance(kind, nw.Datetime):
        unit = MOMENTS if kind.time_zone is None else SECONDS
        return Numbers(_counted(series), unit)
    if isinstance(kind, nw.Date):
        return Numbers(_counted(series, "datetime64[D]"), DAYS)
    if isinstance(kind, nw.Duration):
        return Numbers(_counted(series), LENGTH)
    if kind.is_numeric() or isinstance(kind, nw.Boolean):
        return Numbers(_plain(series, name), kind=own_types.of_series(series))
    native = series.to_native()
    if hasattr(native, "hasnans"):  # pandas: objects, and types of its own
        values = numeric.of_series(native)
        if values is not None:
            return Numbers(numeric.floating(values, f"column {name!r}"))
    return _dates(series)


def _is_text(series: Any) -> bool:
    cells = [cell for cell in series.to_list() if not numeric.is_missing(cell)]
    return any(not isinstance(cell, (int, float)) for cell in cells)


def _plain(series: Any, name: str) -> np.ndarray:
    """Return numbers of one type as floats that hold them."""
    where = f"column {name!r}"
    if series.dtype.is_integer() and series.null_count():
        there = np.flatnonzero(~series.is_null().to_numpy())
        whole = series.drop_nulls().to_numpy()
        numeric.check_digits(whole, where, there)
        return numeric.scattered(whole.astype(np.float64), there, len(series))
    if isinstance(series.dtype, nw.Boolean) and not series.null_count():
        return np.array(series.to_list(), np.float32)
    if isinstance(series.dtype, (nw.Decimal, nw.Boolean)) or series.null_count():
        cells = series.to_list()
        return np.array(
            [np.nan if numeric.is_missing(c) else float(c) for c in cells], float
        )
    return numeric.floating(np.asarray(series.to_numpy()), where)


def _counted(series: Any, kind: str | None = None) -> np.ndarray:
    """Return moments or lengths of time as numbers since 1970, in seconds or days."""
    if isinstance(series.dtype, nw.Datetime) and series.dtype.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    there = np.flatnonzero(~series.is_null().to_numpy())
    cells = series.drop_nulls().to_numpy()
    if kind is not None or cells.dtype.kind not in "mM":
        cells = cells.astype(kind or "datetime64[us]")
    return numeric.scattered(dates.count(cells), there, len(series))


def _labels(series: Any) -> tuple[Any, ...]:
    """Return the labels that occur, in their order."""
    cells = {cell for cell in series.to_list() if not numeric.is_missing(cell)}
    if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        ordered = series.cat.get_categories().to_list()
        return tuple(label for label in ordered if label in cells)
    return tuple(sorted(cells, key=lambda cell: (type(cell).__name__, cell)))


def _coded(series: Any, name: str, labels: Sequence[Any]) -> Numbers:
    """Return the positions of labels, or labels that are numbers as they are."""
    numbers = all(isinstance(label, (int, float)) for label in labels)
    places = {label: float(label if numbers else i) for i, label in enumerate(labels)}
    values = np.full(len(series), np.nan)
    for row, cell in enumerate(series.to_list()):
        if numeric.is_missing(cell):
            continue
        if cell not in places:
            known = ", ".join(map(repr, list(labels)[:8]))
            msg = (
                f"column {name!r} must hold one of the labels {known}, got {cell!r} in "
                f"row {row + 1}. Drop such rows, or fit with them."
            )
            raise ValueError(msg)
        values[row] = places[cell]
    return Numbers(values, labels=tuple(labels), kind=own_types.of_series(series))


def _dates(series: Any) -> Numbers:
    """Return text that holds ISO dates only as numbers, or no numbers."""
    cells = series.to_list()
    there = [i for i, cell in enumerate(cells) if not numeric.is_missing(cell)]
    found = dates.read([str(cells[i]) for i in there])
    if found.values is None:
        return found
    filled = numeric.scattered(found.values, np.array(there), len(cells))
    return Numbers(filled, found.unit)


def refusal(series: Any, name: str, others: Sequence[str]) -> ValueError:
    """Return the error about a column that holds no numbers.

    Args:
        series: The column.
        name: Its name.
        others: Names of further ones.
    """
    row, cell = numeric.first_text(series.to_list())
    is_text = isinstance(cell, str)
    if is_text and cell.lstrip("-").isdecimal() and len(cell) > numeric.DIGITS:
        return numeric.too_long(f"column {name!r}", cell, row)
    more = f" (nor are {', '.join(map(repr, others))})" if others else ""
    hint = remedies.remedy(series.to_list(), cell, name)
    return ValueError(
        f"column {name!r} must be numeric, got {cell!r} in row {row + 1}{more}. {hint}"
    )
