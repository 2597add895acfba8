"""What the columns of a fit are: as told, and otherwise as their values tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import _checks, datasets
from tfp_flows._findings import Finding
from tfp_flows.preprocessing import Column, detect
from tfp_flows.preprocessing.checks import label, spread
from tfp_flows.training.data import arrays

__all__ = ["Kinds", "observed", "unbounded"]

WORDS = ("auto", "continuous")
DROP = "drop"
# A step of this part of the deviation shapes a density, if it is not spread over.
_COARSE = 0.25


class Kinds:
    """What `fit` is told of the columns of events and conditions.

    Attributes:
        told: Kinds of columns of the events by name.
        conditions: Kinds of conditions by name.
        names: Names of the events' columns, if only these are told.
        detects: Whether kinds that are not told are to be detected.

    Args:
        columns: `"auto"`; `"continuous"` or a list of names for numbers; or kinds by
            name, with `"drop"` for a column that is left out; others are detected.

    Raises:
        ValueError: If it is another word, or a list of kinds without names.
    """

    def __init__(self, columns: Any) -> None:
        self.told: dict[str, Any] = {}
        self.conditions: dict[str, Any] = {}
        self.names: tuple[str, ...] | None = None
        self.detects = columns in (None, "auto") if not _is_many(columns) else False
        if isinstance(columns, Mapping):
            self.told = {str(name): kind for name, kind in columns.items()}
            self.detects = True
        elif _is_many(columns):
            _refuse_kinds(columns)
            self.names = tuple(str(name) for name in columns)
        elif columns is not None and columns not in WORDS:
            msg = (
                "`columns` must be 'auto', 'continuous', names, or kinds by name such "
                f"as {{'age': 'integer'}}, got {columns!r}."
            )
            raise ValueError(msg)

    @property
    def is_told(self) -> bool:
        """Whether more is said than a word."""
        return bool(self.told) or self.names is not None

    @property
    def categories(self) -> list[str]:
        """Names of columns to read as categories."""
        found = []
        for name, kind in self.told.items():
            if kind != DROP and Column.read(kind, name).categories is not None:
                found.append(name)
        return found

    @property
    def labels(self) -> dict[str, Sequence[Any]]:
        """Labels of categories that are told."""
        return {
            name: columns
            for name in self.categories
            if (columns := Column.read(self.told[name], name).categories)
        }

    def read_condition(self, condition: Any) -> Any:
        """Return conditions, text in categories as numbers, without what is dropped.

        Kinds of names that conditions have are theirs from now on.
        """
        is_table = isinstance(condition, datasets.Table)
        if not is_table and not datasets.frames.is_frame(condition):
            return condition
        if not is_table and datasets.frames.is_series(condition):
            condition = datasets.frames.select(
                condition, datasets.frames.names(condition)
            )
        names = condition.columns if is_table else datasets.frames.names(condition)
        mine = {name: self.told[name] for name in names if name in self.told}
        kept = [name for name in names if mine.get(name) != DROP]
        if is_table:
            condition = condition.select(kept)
        else:
            of = Kinds(mine)
            condition = datasets.to_table(
                datasets.frames.select(condition, kept),
                labels=of.labels,
                categories=of.categories,
            )
        self.conditions = mine
        return condition

    def choose_conditions(self, data: arrays.Data) -> dict[str, Column] | None:
        """Return what conditions are by name, `None` if all are numbers.

        Args:
            data: The rows.
        """
        if data.condition is None or data.condition_columns is None:
            return None
        found = {}
        for i, name in enumerate(data.condition_columns):
            found[name] = Column()
            if name in self.conditions:
                kind, values = self.conditions[name], data.condition[:, i]
                found[name] = _told(kind, name, values, data.condition_labels)
            elif name in data.condition_labels:
                found[name] = _of_labels(name, data.condition_labels[name])
        seen = (c.categories is not None or c.periodic for c in found.values())
        return found if any(seen) else None

    def read(self, x: Any) -> Any:
        """Return events, text in categories as numbers, without what is dropped."""
        self._leave_out_conditions(x)
        told = (*self.told, *(self.names or ()))
        if not isinstance(x, datasets.Table) and not datasets.frames.is_frame(x):
            if not self.told:
                return x
            x = datasets.to_table(arrays.filled(x))
            if x.x.shape[1] == len(told) and not set(told) & set(x.columns):
                x = datasets.Table(x.x, told)  # in their order
        dropped = [name for name, kind in self.told.items() if kind == DROP]
        if not isinstance(x, datasets.Table) and dropped:
            known = datasets.frames.names(x)
            _require_known(told, known)
            keep = [name for name in known if name not in dropped]
            if not keep:
                msg = "`columns` must leave a column in, got 'drop' for all of them."
                raise ValueError(msg)
            x = datasets.frames.select(x, keep)
        if datasets.frames.is_frame(x) and self.told:
            x = datasets.to_table(x, labels=self.labels, categories=self.categories)
        if isinstance(x, datasets.Table) and self.told:
            rest = [name for name in told if name not in dropped]
            _require_known(rest, x.columns)
            x = x.select([name for name in x.columns if name not in dropped])
        return x

    def _leave_out_conditions(self, x: Any) -> None:
        """Forget kinds of names that only conditions have."""
        known: Sequence[str] = ()
        if isinstance(x, datasets.Table):
            known = x.columns
        elif datasets.frames.is_frame(x):
            known = datasets.frames.names(x)
        for name in self.conditions:
            if name not in known:
                self.told.pop(name, None)

    def choose(self, data: arrays.Data, *, detects: bool) -> tuple[Column, ...] | None:
        """Return what the columns are, `None` if all are numbers.

        Args:
            data: The rows.
            detects: Whether the flow can take what is detected.
        """
        if data.x.ndim > 2:
            return None
        values = data.x.reshape(len(data), -1)
        names = self.names or data.columns
        names = names or datasets.table.default_columns(values.shape[1])
        if self.detects and detects:
            found = list(detect(observed(data)))
        else:
            found = [Column()] * values.shape[1]
        for i, name in enumerate(names[: len(found)]):
            if name in self.told:
                found[i] = _told(self.told[name], name, values[:, i], data.labels)
            elif name in data.labels:
                found[i] = _of_labels(name, data.labels[name])
        return None if all(column.is_plain for column in found) else tuple(found)

    def notices(
        self, data: arrays.Data, found: Sequence[Column] | None
    ) -> list[Finding]:
        """Return that atoms were detected: at them, `log_prob` counts masses."""
        heaps = []
        names = self.names or data.columns
        for i, column in enumerate(found or ()):
            told = names is not None and names[i] in self.told
            if column.atoms and not told:
                values = data.x.reshape(len(data), -1)[:, i]
                shares = [f"{100 * (values == a).mean():.0f} %" for a in column.atoms]
                held = [
                    f"{a:g} in {s}" for a, s in zip(column.atoms, shares, strict=True)
                ]
                heaps.append((label(names, i), " and ".join(held)))
        if not heaps:
            return []
        (where, what), more = heaps[0], len(heaps) - 1
        tail = f" ({more} more columns have atoms, too)" if more else ""
        sentence = (
            f"has {what} of the rows, an atom{tail}: log_prob counts its mass there. "
            "Say what the column is by columns={...}, or columns='continuous'."
        )
        return [Finding(where, sentence)]


def _of_labels(name: str, labels: Sequence[Any]) -> Column:
    """Return what a column of categories is.

    Raises:
        ValueError: If there is one label only.
    """
    if len(labels) == 1:
        msg = (
            f"column {name!r} is constant, {labels[0]!r} in every row: nothing depends "
            "on it. Drop it."
        )
        raise ValueError(msg)
    return Column(categories=tuple(labels))


def _is_many(columns: Any) -> bool:
    return isinstance(columns, (Sequence, Mapping)) and not isinstance(columns, str)


def _refuse_kinds(columns: Sequence[Any]) -> None:
    """Raise if what stands where names should are kinds."""
    words = {"continuous", "integer", "positive", "log", "category", DROP}
    is_kind = [not isinstance(name, (str, int)) or name in words for name in columns]
    several = any(isinstance(name, (tuple, list, Column)) for name in columns)
    if several or (is_kind and all(is_kind)):
        first = next((c for c in columns if not isinstance(c, str)), columns[0])
        msg = (
            f"`columns` must tell kinds by name, such as {{'x0': {first!r}}}, got a "
            f"list with {first!r}; a list is of names. Columns of an array are called "
            "x0, x1 and so on."
        )
        raise ValueError(msg)


def _require_known(wanted: Sequence[str], names: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            there = ", ".join(map(repr, names))
            hint = _checks.did_you_mean(name, names) or "."
            msg = f"`columns` must be those of `x`, {there}, got {name!r}{hint}"
            raise ValueError(msg)


def observed(data: arrays.Data) -> np.ndarray:
    """Return events with NaN where a cell was filled."""
    values = data.x.reshape(len(data), -1)
    return values if data.holes is None else np.where(data.holes, np.nan, values)


def _told(
    kind: Any, name: str, values: np.ndarray, labels: Mapping[str, tuple[Any, ...]]
) -> Column:
    column = Column.read(kind, name)
    if column.categories is None:
        return column
    if name in labels:
        return _of_labels(name, labels[name])
    if column.categories == ():
        return _of_labels(name, np.unique(values).tolist())
    return column


# What to do where kinds are not detected.
REMEDY = (
    "Fit a flow by its name, with columns='auto' or their kinds, which gives such "
    "values masses."
)


def unbounded(
    data: arrays.Data,
    kinds: Sequence[Column] | None,
    names: Sequence[str] | None,
    remedy: str = REMEDY,
) -> list[Finding]:
    """Find columns of heaps that are taken for numbers, whose densities have no bound.

    Args:
        data: The rows.
        kinds: What the flow takes the columns for, `None` for numbers.
        names: Names of the columns, if they have names.
        remedy: What to do.
    """
    values = data.x.reshape(len(data), -1)
    found = {}
    for i, column in enumerate(detect(observed(data))):
        if kinds is not None and kinds[i].is_discrete:
            continue
        heaps = column.atoms or column.categories is not None
        step = column.step or 0.0
        if heaps or step > _COARSE * spread(values[:, i]):
            found[i] = column
    if not found:
        return []
    where = [label(names, i) for i in found]
    first, more = where[0], f" ({len(where) - 1} more)" if where[1:] else ""
    sentence = (
        f"holds {next(iter(found.values()))}{more}: taken for any number, its density "
        f"has no bound where rows have equal values. {remedy}"
    )
    return [Finding(first, sentence)]
