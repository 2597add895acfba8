"""Tables as the commands read them, and their columns matched to a flow's."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import columns
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.datasets.readers import Source
    from tfp_flows.flows import Flow

__all__ = [
    "AllBut",
    "check_float32",
    "check_varies",
    "complete",
    "default_names",
    "event_columns",
    "for_splits",
    "names_of",
    "open_source",
    "read",
    "read_conditions",
    "read_for_flow",
    "split_rows",
    "units_of",
]


class AllBut:
    """All names of columns but some, and but those that columns without names get.

    Args:
        names: What is not contained.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: object) -> bool:
        """Return whether a name is none of these."""
        return name not in self._names and not re.fullmatch(r"x\d+", str(name))


def open_source(
    path: Path, sheet: str | None = None, text: Container[str] | None = ()
) -> Source:
    """Read a file without choosing its columns.

    Args:
        path: The file.
        sheet: Name of a sheet, of `.xlsx` files.
        text: Columns to keep as they are written, `None` for all.

    Raises:
        UsageError: If it cannot be read.
    """
    from tfp_flows.datasets import readers

    with explained(path):
        return readers.open_table(path, sheet=sheet, text=text)


def split_rows(
    share: float,
    seed: int,
    x: np.ndarray,
    condition: np.ndarray | None = None,
    **given: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows to fit and of those held out.

    Rows that are equal, with their conditions, all go to the same side; `groups` and
    `time` are as in `datasets.split_rows`.
    """
    from tfp_flows import datasets

    held_out = max(1, round(share * len(x))) if share else 0
    return datasets.split_rows(held_out, seed, x, condition, **given)


def for_splits(
    source: Source, groups: str | None, time: str | None
) -> dict[str, np.ndarray]:
    """Return the columns by which rows are held out, for `split_rows` and for `fit`.

    Raises:
        UsageError: If there is no such column, or if it holds no times.
    """
    import numpy as np

    found = {}
    for key, name in (("groups", groups), ("time", time)):
        if name is None:
            continue
        if name not in source.columns:
            raise UsageError(f"{source.path}: {columns.missing(name, source.columns)}")
        with explained(source.path):
            labels = source.labels(name)
        row = next((i for i, label in enumerate(labels, 1) if label == ""), None)
        if row is not None:
            raise UsageError(
                f"{source.path}: column {name!r} must be known in each row, got none "
                f"in row {row}."
            )
        found[key] = np.array(labels)
        if key == "time":
            found[key] = _times(source.path, name, labels)
    return found


def _times(path: Path, name: str, labels: Sequence[Any]) -> np.ndarray:
    """Return numbers or dates, from text too."""
    import numpy as np

    from tfp_flows.datasets import dates

    try:
        return np.array(labels, np.float64)
    except (ValueError, TypeError):
        found = dates.read([str(label) for label in labels]).values
    if found is not None:
        return found
    raise UsageError(
        f"{path}: column {name!r} must hold numbers or dates such as 2026-01-31 or "
        f"2026-01-31T12:00, got {labels[0]!r} in row 1."
    )


def read(
    source: Source,
    events: str | None,
    conditions: str | None,
    aside: Sequence[str | None] = (),
    *,
    finite: bool = True,
    categories: Sequence[str] = (),
) -> tuple[Table, Table | None]:
    """Return the events and conditions that a flow is to be fitted to.

    Args:
        source: The file.
        events: Names of the events' columns; all that are no conditions if `None`.
        conditions: Names of the condition's columns.
        aside: Names of columns that are no events unless they are named.
        finite: Whether to raise on cells without a value.
        categories: Names of columns of categories, which may hold text.

    Returns:
        `(events, conditions)`, the latter `None` if there are none.

    Raises:
        UsageError: If the columns cannot be used.
    """
    from tfp_flows.datasets import readers

    chosen = columns.resolve(events, source.columns)
    given = columns.resolve(conditions, source.columns) or []
    both = sorted(set(chosen or ()) & set(given))
    if both:
        raise UsageError(f"column {both[0]!r} cannot be event and condition at once.")
    for name in (*(chosen or ()), *given):
        if name not in source.columns:
            raise UsageError(f"{source.path}: {columns.missing(name, source.columns)}")
    if chosen is None:
        if "" in source.columns:
            with explained(source.path):
                readers.checked(source)  # says what to do about the name
        apart = {*given, *aside}
        chosen = [name for name in source.columns if name not in apart]
    if not chosen and source.columns:
        raise UsageError(f"{source.path}: no column is left for the events.")
    with explained(source.path):
        names = [*chosen, *given] or None
        table = readers.checked(source, names, check=finite, categories=categories)
        return table.select(chosen), table.select(given) if given else None


def check_float32(path: Path, *tables: Table | None) -> None:
    """Raise if a number is too large for float32, in which flows compute.

    Raises:
        UsageError: With the first such cell.
    """
    import numpy as np

    for table in tables:
        if table is None:
            continue
        bad = np.argwhere(np.abs(table.x) > np.finfo(np.float32).max)
        if len(bad):
            row, column = bad[0]
            raise UsageError(
                f"{path}: column {table.columns[column]!r} must hold numbers within "
                f"3.4e38, which float32 can hold, got {table.x[row, column]} in row "
                f"{row + 1}. Divide the column by a unit, or drop the row."
            )


def complete(*tables: Table | None) -> np.ndarray:
    """Return which rows have a value in each cell."""
    import numpy as np

    found = [np.isfinite(t.x).all(axis=1) for t in tables if t is not None]
    return np.all(found, axis=0)


def check_varies(path: Path, *tables: Table | None) -> None:
    """Raise if a column holds one value only.

    Raises:
        UsageError: With the names of such columns.
    """
    from tfp_flows import datasets

    for table in tables:
        if table is not None:
            with explained(path):
                datasets.check_columns(table, finite=False)


def read_for_flow(
    source: Source,
    flow: Flow,
    conditions: str | None,
    identifier: str | None = None,
    *,
    finite: bool = True,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows that a flow is to score.

    Columns are matched by name where the flow and the table have names, and then
    further columns do not matter. Otherwise they are matched by position, the event's
    before the condition's, and their number must be right.

    Args:
        source: The file.
        flow: The flow.
        conditions: Names of the condition's columns, for a flow that does not know
            them.
        identifier: Column that identifies rows, and is none of those unless the flow
            knows it.
        finite: Whether to raise on cells without a value.

    Returns:
        `(x, condition)`.

    Raises:
        UsageError: If the columns do not fit.
    """
    from tfp_flows.datasets import readers

    sizes = _sizes(flow)
    events, known = names_of(flow)
    given = columns.resolve(conditions, source.columns)
    if given is not None and len(given) != sizes[1]:
        raise UsageError(
            f"--condition must name {sizes[1]} columns for this flow, got {len(given)}."
        )
    for name in given or ():
        if name not in source.columns:
            raise UsageError(f"{source.path}: {columns.missing(name, source.columns)}")
    given = known if given is None else given
    used = {*(events or ()), *(given or ())}
    names = [n for n in source.columns if n != identifier or n in used]
    if not names:
        raise UsageError(f"'{source.path}' must hold a table, got one without columns.")
    events, given = _match(source.path, names, sizes, events, given)
    with explained(source.path):
        labels = {**flow.category_labels(), **flow.condition_labels()}
        units = units_of(flow)
        table = readers.checked(
            source, [*events, *given], check=finite, labels=labels, units=units
        )
    if flow.variable_dtype == "float32":
        check_float32(source.path, table)
    return table.select(events).x, table.select(given).x if sizes[1] else None


def read_conditions(source: Source, flow: Flow) -> Table:
    """Return the conditions in a table, by name where flow and table have names.

    Raises:
        UsageError: If the columns do not fit.
    """
    from tfp_flows.datasets import readers

    size, names = _sizes(flow)[1], names_of(flow)[1]
    there = source.columns
    if names is None or (
        there == default_names(len(there)) and not set(names) <= set(there)
    ):
        names = list(there)
        if len(names) != size:
            raise UsageError(
                f"{source.path}: this flow is given {size} columns, the table has "
                f"{len(names)}."
            )
    for name in names:
        if name not in there:
            raise UsageError(f"{source.path}: {columns.missing(name, there)}")
    labels = flow.condition_labels()
    with explained(source.path):
        return readers.checked(source, names, labels=labels, units=units_of(flow))


def units_of(flow: Flow) -> dict[str, str] | None:
    """Return what dates are counted in, by name; `None` if the flow does not know."""
    if flow.units is None:
        return None
    return {name: unit for held in flow.units.values() for name, unit in held.items()}


def _match(
    path: Path,
    names: Sequence[str],
    sizes: tuple[int, int],
    events: list[str] | None,
    conditions: list[str] | None,
) -> tuple[list[str], list[str]]:
    """Return the table's columns of the events and of the condition."""
    known = [*(events or ()), *(conditions or ())]
    missing = [name for name in known if name not in names]
    if missing and tuple(names) != default_names(len(names)):
        raise UsageError(f"{path}: {columns.missing(missing[0], names)}")
    if missing or not known:
        events, conditions = list(names[: sizes[0]]), list(names[sizes[0] :])
    elif events is None:
        events = [name for name in names if name not in known]
    elif conditions is None:
        conditions = [name for name in names if name not in known] if sizes[1] else []
    if (len(events), len(conditions or ())) != sizes:
        more = f" and {sizes[1]} of the condition" if sizes[1] else ""
        raise UsageError(
            f"{path}: this flow was fitted to {sizes[0]} columns{more}, the table has "
            f"{len(names)}."
        )
    return events, conditions or []


def names_of(flow: Flow) -> tuple[list[str] | None, list[str] | None]:
    """Return the names of the events' and of the condition's columns, if known."""
    events, conditions = flow.columns, flow.condition_columns
    return (
        None if events is None else list(events),
        None if conditions is None else list(conditions),
    )


def event_columns(flow: Flow) -> list[str]:
    """Return the names of the events' columns, `x0`, `x1` and so on if unknown."""
    names = names_of(flow)[0]
    return list(default_names(flow.event_size)) if names is None else names


def default_names(count: int) -> tuple[str, ...]:
    """Return the names that columns without names get."""
    from tfp_flows.datasets import table

    return table.default_columns(count)


def _sizes(flow: Flow) -> tuple[int, int]:
    shapes = (flow.event_shape, flow.condition_shape or (0,))
    if any(len(shape) != 1 for shape in shapes):
        raise UsageError(
            f"this flow is no density of table rows: its event shape is {shapes[0]}"
            + ("." if flow.condition_shape is None else f", given {shapes[1]}.")
        )
    return shapes[0][0], shapes[1][0]
