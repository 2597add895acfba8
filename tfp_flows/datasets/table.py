"""Tables of numbers with column names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import _results
from tfp_flows.datasets import dates, folds, frames, numeric, splits

__all__ = ["Table", "check_columns", "default_columns", "to_table"]


@dataclasses.dataclass(frozen=True, eq=False)
class Table(_results.Rows):
    """Rows of numbers, the names of their columns, and the fold of each row.

    NumPy functions take a table as they take its `x`.

    Attributes:
        x: Values, `[n, d]`, float32 or float64.
        columns: Names of the columns, `d` of them, all different.
        fold: Number of the test fold of each row, `[n]`, or None.
        units: What the numbers of a column count, of dates and lengths of time.
        labels: What the numbers of a column of categories stand for, from 0 on.
        types: Which columns were "integer", "boolean" or "category"; `None` if that is
            not known, as of arrays.

    Example:
        >>> import numpy as np
        >>> table = Table(np.eye(3), ("a", "b", "c"))
        >>> table.select(["c", "a"]).x[0]
        array([0., 1.])
    """

    x: np.ndarray
    columns: tuple[str, ...]
    fold: np.ndarray | None = None
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    types: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        x = numeric.of_array(self.x, "`x`")
        if x.ndim != 2:
            raise ValueError(
                f"`x` must have shape [n, d], got {x.shape}. Put one row of numbers "
                "per observation."
            )
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "columns", tuple(str(name) for name in self.columns))
        if self.fold is not None:
            object.__setattr__(self, "fold", np.asarray(self.fold))
        if len(self.columns) != self.x.shape[1]:
            raise ValueError(
                f"`columns` must name all {self.x.shape[1]} columns, got "
                f"{len(self.columns)} names. Give one name per column."
            )
        numeric.check_different(self.columns, "`columns`")
        if self.fold is not None and self.fold.shape != (len(self.x),):
            raise ValueError(
                f"`fold` must have shape [{len(self.x)}], one number per row, got "
                f"{self.fold.shape}. Leave it out if there are no folds."
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        array = self.x if dtype is None else self.x.astype(dtype, copy=False)
        return array.copy() if copy else array

    def select(self, columns: Sequence[str]) -> Table:
        """Return some columns, in the order asked.

        Args:
            columns: Names to keep.

        Returns:
            New table; its values are a copy.

        Raises:
            TypeError: If `columns` is a single string.
            ValueError: If a name does not exist or is asked for twice.
        """
        keep = _positions(self.columns, columns, "`columns`")
        names = tuple(self.columns[i] for i in keep)
        units = {name: self.units[name] for name in names if name in self.units}
        labels = {name: self.labels[name] for name in names if name in self.labels}
        held = self.types
        types = held and {name: held[name] for name in names if name in held}
        return Table(self.x[:, keep], names, self.fold, units, labels, types)

    def take(self, rows: Any) -> Table:
        """Return some rows, with their folds.

        Args:
            rows: Their numbers, or whether each is one, `[n]`.
        """
        fold = None if self.fold is None else self.fold[rows]
        return dataclasses.replace(self, x=self.x[rows], fold=fold)

    def in_units(self, units: Mapping[str, str]) -> Table:
        """Return the table with dates counted as elsewhere.

        Args:
            units: What is counted there, by column; other columns hold plain numbers.

        Raises:
            ValueError: If a column holds dates or lengths of time, and no dates there.
        """
        if all(units.get(name) == unit for name, unit in self.units.items()):
            return self
        x = np.stack(
            [
                dates.in_unit(values, self.units.get(name), units.get(name), name)
                for name, values in zip(self.columns, self.x.T, strict=True)
            ],
            axis=1,
        )
        known = {name: unit for name, unit in units.items() if name in self.columns}
        return dataclasses.replace(self, x=x, units=known)

    def split(
        self,
        fold: float,
        *,
        standardize: bool = False,
        distinct: bool = True,
        groups: Any = None,
        time: Any = None,
        seed: int | None = 0,
    ) -> tuple[Table, Table]:
        """Divide the rows into a training and a test part.

        Args:
            fold: Number of the fold whose rows are the test part; or the share of rows
                that are drawn for it, such as 0.1, where the table needs no folds.
            standardize: Whether to subtract the mean of the training rows and divide
                by their standard deviation, column by column, in both parts.
            distinct: Whether all copies of a row belong to the fold of the first one,
                so that each test row is new. If `False`, folds are taken as they
                stand, and copies of test rows may be among the training rows.
            groups: What rows belong together, `[n]`, or the name of a column, which
                both parts leave out: a group belongs to the fold of its first row.
            time: When rows were observed, `[n]`, or the name of a column, which both
                parts leave out: the test rows of a share are the last ones.
            seed: Int that fixes what a share takes.

        Returns:
            `(train, test)`, both without folds.

        Raises:
            ValueError: If the table has no folds or not this one, if each row of the
                fold is a copy of one of another fold, if groups or times do not fit,
                or if a column that would be divided by its deviation is constant.
        """
        kept, given = self._without({"groups": groups, "time": time})
        if isinstance(fold, float) and 0.0 < fold < 1.0:
            parts = (kept.x,) if distinct else (np.arange(len(self)),)
            count = min(max(1, round(fold * len(self))), len(self) - 1)
            _, held_out = splits.split_rows(count, seed, *parts, **given)
            is_test = np.isin(np.arange(len(self)), held_out)
        else:
            is_test = kept._of_fold(fold, given, distinct=distinct)  # noqa: SLF001
        train, test = (
            dataclasses.replace(kept.take(some), fold=None)
            for some in (~is_test, is_test)
        )
        return _standardized(train, test) if standardize else (train, test)

    def _without(self, given: dict[str, Any]) -> tuple[Table, dict[str, Any]]:
        """Return the table without columns that are named, and their values."""
        names = [name for name in given.values() if isinstance(name, str)]
        found = {
            key: self.select([name]).x[:, 0] if isinstance(name, str) else name
            for key, name in given.items()
        }
        if not names:
            return self, found
        return self.select([c for c in self.columns if c not in names]), found

    def _of_fold(
        self, fold: float, given: dict[str, Any], *, distinct: bool
    ) -> np.ndarray:
        """Return which rows are in the test part of a fold, `[n]`."""
        if self.fold is None:
            raise ValueError(
                "`split` needs a table with folds, got one without. Pass `fold` when "
                "building the table, or a share such as split(0.1)."
            )
        if given["time"] is not None:
            raise ValueError(
                f"`time` must come with a share of rows, got fold {fold!r}: folds have "
                "no order. Write split(0.1, time=...)."
            )
        known = np.unique(self.fold).tolist()
        if fold not in known:
            raise ValueError(
                f"`fold` must be one of {known}, got {fold!r}. Choose one of these, or "
                "a share between 0 and 1."
            )
        groups = folds.equal_rows(self.x) if distinct else None
        if given["groups"] is not None:
            numbers = splits.check_groups(given["groups"], len(self))
            numbers = splits.joined_groups(numbers, self.x) if distinct else numbers
            _, first, index = np.unique(numbers, return_index=True, return_inverse=True)
            groups = first[index.reshape(len(self))]
        is_test = (self.fold if groups is None else self.fold[groups]) == fold
        if not is_test.any():
            raise ValueError(
                f"`fold` must have a row that no other fold has before, got {fold!r} "
                "with copies only. Pass distinct=False to leave copies where they are."
            )
        return is_test


def _standardized(train: Table, test: Table) -> tuple[Table, Table]:
    """Return both parts in units of the training rows."""
    check_columns(train)
    # Sums of float32 squares lose digits in columns of large mean: use float64.
    loc = train.x.mean(axis=0, dtype=np.float64)
    scale = train.x.std(axis=0, dtype=np.float64)
    first, second = (
        Table(((part.x - loc) / scale).astype(part.x.dtype), part.columns)
        for part in (train, test)
    )
    return first, second


def default_columns(d: int) -> tuple[str, ...]:
    """Name `d` columns `x0`, `x1`, and so on.

    Args:
        d: Number of columns.

    Returns:
        Tuple of names.
    """
    return tuple(f"x{i}" for i in range(d))


def check_columns(data: Any, *, finite: bool = True, constant: bool = True) -> None:
    """Raise if a column cannot be standardised or modelled by a density.

    Args:
        data: Anything that `to_table` accepts.
        finite: Whether to look for NaN and infinite cells.
        constant: Whether to look for columns that hold one value only.

    Raises:
        ValueError: If such a cell or column is found; the message names the first
            cell, or all such columns.

    Example:
        >>> import numpy as np
        >>> check_columns(np.array([[1.0, 5.0], [2.0, 5.0]]))
        Traceback (most recent call last):
        ...
        ValueError: every column must vary, got constant 'x1' = 5.0. Drop it: a density
        has no width along it.
    """
    table = to_table(data)
    if finite:
        bad = np.argwhere(~np.isfinite(table.x))
        if len(bad):
            row, column = bad[0]
            value = table.x[row, column]
            what = "a missing value" if np.isnan(value) else "an infinite value"
            more = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
            raise ValueError(
                f"column {table.columns[column]!r} must hold finite numbers, got "
                f"{value} in row {row + 1}, {what}{more}. Fill in such cells or drop "
                "their rows."
            )
    if constant and len(table):
        still = np.flatnonzero((table.x == table.x[0]).all(axis=0))
        if len(still):
            names = ", ".join(f"{table.columns[i]!r} = {table.x[0, i]}" for i in still)
            raise ValueError(
                f"every column must vary, got constant {names}. Drop "
                f"{'it' if len(still) == 1 else 'them'}: a density has no width along "
                f"{'it' if len(still) == 1 else 'them'}."
            )


def to_table(
    data: Any,
    *,
    labels: frames.Labels | None = None,
    categories: Sequence[str] = (),
) -> Table:
    """Turn arrays and data frames into a table.

    float32 and float64 values keep their type; float16, integers and booleans become
    float32, and float64 if there is an integer beyond 2**24, which float32 would round.
    A data frame of several types gets the widest one. Moments become seconds since
    1970-01-01 (of UTC, if they have a time zone), dates days since then, lengths of
    time seconds (text in ISO format counts), and categorical columns the positions of
    labels, unless these are numbers themselves: `units` and `labels`
    of the table say so.

    Args:
        data: Table, data frame or series (of pandas, polars, Arrow, or any other that
            narwhals knows, or an object with `to_pandas`), or anything that NumPy makes
            an array of shape `[n, d]` or `[n]` of.
        labels: Labels of columns of categories whose order is known.
        categories: Names of columns to read as categories, whatever their type.

    Returns:
        Table with the column names of the data, or `x0`, `x1` and so on. A table is
        returned as it is.

    Raises:
        ValueError: If a column is not numeric, holds an unknown label, or has an
            integer beyond 2**53, whose last digits no float holds, if two columns share
            a name, or if the shape is neither `[n, d]` nor `[n]`.

    Example:
        >>> to_table([[1, 2], [3, 4]]).columns
        ('x0', 'x1')
    """
    if isinstance(data, Table):
        return data
    if not frames.is_frame(data) and hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if frames.is_frame(data):
        return _from_frame(data, labels, categories)
    array = numeric.of_array(data, "`data`")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"`data` must have shape [n, d] or [n], got {array.shape}. Put one row of "
            "numbers per observation."
        )
    array = array[:, None] if array.ndim == 1 else array
    return Table(array, default_columns(array.shape[1]))


def _from_frame(
    frame: Any, labels: frames.Labels | None, categories: Sequence[str]
) -> Table:
    """Convert a data frame, or name the columns that are not numeric."""
    columns = frames.take(frame)
    known = labels or {}
    found = {
        name: frames.read_column(
            series, name, known.get(name), label=name in categories
        )
        for name, series in columns
    }
    wrong = [name for name, numbers in found.items() if numbers.values is None]
    if wrong:
        raise frames.refusal(dict(columns)[wrong[0]], wrong[0], wrong[1:])
    values = [n.values for n in found.values() if n.values is not None]
    if not values:
        return Table(np.empty((len(columns), 0), np.float32), ())
    dtype = np.result_type(*(column.dtype for column in values))
    x = np.stack([column.astype(dtype, copy=False) for column in values], axis=1)
    return Table(
        x,
        tuple(found),
        units={k: n.unit for k, n in found.items() if n.unit is not None},
        labels={k: n.labels for k, n in found.items() if n.labels is not None},
        types={k: n.kind for k, n in found.items() if n.kind is not None},
    )


def _positions(names: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """Return where the wanted columns are, or name those that do not exist."""
    if isinstance(wanted, str):
        raise TypeError(
            f"{where} must be a list of names, got {wanted!r}. Write [{wanted!r}]."
        )
    wanted = list(wanted)
    numeric.check_different(wanted, where)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(
            f"{where} must name existing columns, got {', '.join(map(repr, unknown))}. "
            f"The table has {', '.join(map(repr, names))}."
        )
    return [list(names).index(name) for name in wanted]
