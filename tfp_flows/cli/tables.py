"""Tables as the commands read them, and their columns matched to a flow's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.flows import Flow

__all__ = [
    "check_varies",
    "default_names",
    "event_columns",
    "names_of",
    "read",
    "read_for_flow",
    "split_names",
    "split_rows",
]


def split_names(text: str | None) -> list[str] | None:
    """Return the names in a list such as `a,b`, `None` for `None`."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def split_rows(
    share: float, seed: int, x: np.ndarray, condition: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows to fit and of those held out at random.

    Rows that are equal, with their conditions, all go to the same side.
    """
    from tfp_flows import datasets

    held_out = max(1, round(share * len(x))) if share else 0
    return datasets.random_split(held_out, seed, x, condition)


def read(
    path: Path, events: Sequence[str] | None, conditions: Sequence[str]
) -> tuple[Table, Table | None]:
    """Read the events and conditions that a flow is to be fitted to.

    Args:
        path: The file.
        events: Columns of the events; all that are no conditions if `None`.
        conditions: Columns of the condition.

    Returns:
        `(events, conditions)`, the latter `None` if there are none.

    Raises:
        UsageError: If the file or its columns cannot be used.
    """
    from tfp_flows import datasets

    both = sorted(set(events or ()) & set(conditions))
    if both:
        raise UsageError(f"column {both[0]!r} cannot be event and condition at once.")
    wanted = None if events is None else [*events, *conditions]
    with explained(path):
        table = datasets.read_table(path, wanted)
    missing = [name for name in conditions if name not in table.columns]
    if missing:
        raise UsageError(_no_column(path, missing[0], table.columns))
    if events is None:
        events = [name for name in table.columns if name not in conditions]
    if not events:
        raise UsageError(f"{path}: no column is left for the events.")
    with explained(path):
        chosen = table.select(events)
        return chosen, table.select(conditions) if conditions else None


def check_varies(path: Path, *tables: Table | None) -> None:
    """Raise if a column holds one value only.

    Raises:
        UsageError: With the names of such columns.
    """
    from tfp_flows import datasets

    for table in tables:
        if table is not None:
            with explained(path):
                datasets.check_columns(table)


def read_for_flow(
    path: Path, flow: Flow, conditions: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the rows that a flow is to score.

    Columns are matched by name where the flow and the table have names, and then
    further columns do not matter. Otherwise they are matched by position, the event's
    before the condition's, and their number must be right.

    Args:
        path: The file.
        flow: The flow.
        conditions: Names of the condition's columns, for a flow that does not know
            them.

    Returns:
        `(x, condition)`.

    Raises:
        UsageError: If the file cannot be used, or its columns do not fit.
    """
    sizes = _sizes(flow)
    events, known = names_of(flow)
    if conditions is not None and len(conditions) != sizes[1]:
        raise UsageError(
            f"--condition must name {sizes[1]} columns for this flow, got "
            f"{len(conditions)}."
        )
    table = _read_any(path, [*(events or ()), *(conditions or known or ())])
    missing = [name for name in conditions or () if name not in table.columns]
    if missing:
        raise UsageError(_no_column(path, missing[0], table.columns))
    conditions = known if conditions is None else list(conditions)
    events, conditions = _match(path, table.columns, sizes, events, conditions)
    return table.select(events).x, table.select(conditions).x if sizes[1] else None


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
        raise UsageError(_no_column(path, missing[0], names))
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


def _read_any(path: Path, wanted: Sequence[str]) -> Table:
    """Read all columns, or only those wanted if others hold no numbers."""
    from tfp_flows import datasets

    with explained(path):
        try:
            return datasets.read_table(path)
        except ValueError:
            if not wanted:
                raise
        return datasets.read_table(path, list(wanted))


def _no_column(path: Path, name: str, columns: Sequence[str]) -> str:
    return f"{path}: there is no column {name!r}, only {', '.join(map(repr, columns))}."
