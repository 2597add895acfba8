"""The table that `tfp-flows fit` is given, read before TensorFlow is loaded."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tfp_flows.cli import columns, flow_options, images, models, tables
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    from tfp_flows.datasets import Table

__all__ = ["Opened", "table"]


class Opened(NamedTuple):
    """What a table holds, and what is known of it before TensorFlow is loaded.

    Attributes:
        events: The rows.
        conditions: Their conditions, `None` without any.
        apart: Columns that say how rows are split.
        told: What was said of columns.
        flow: The flow that is gone on with, if one is.
    """

    events: Table
    conditions: Table | None
    apart: dict[str, Any]
    told: dict[str, Any]
    flow: Any


def table(path: Path, arguments: argparse.Namespace, options: dict[str, Any]) -> Opened:
    """Read a table.

    Args:
        path: The file.
        arguments: What the shell was given.
        options: Options of the flow and the fit.

    Raises:
        UsageError: If the table, or what was said of it, is bad.
    """
    try:
        aside = [n for n in (arguments.groups, arguments.time) if n is not None]
        source = tables.open_source(path, arguments.sheet, aside)
        chosen, told = columns.kinds(arguments.columns, source.columns)
        for column in told:
            if column not in source.columns:
                sentence = columns.missing(column, source.columns)
                raise UsageError(f"{path}: {sentence}")
        chosen = columns.without_conditions(
            chosen, told, arguments.condition, source.columns
        )
        apart = tables.for_splits(source, arguments.groups, arguments.time)
        flow = _saved(arguments, options)
        try:
            read = _read(source, flow, arguments, chosen, told)
        except UsageError:
            _check_kinds(told)  # a kind may be why; to ask before loads TensorFlow
            raise
        return Opened(*read, apart, told, flow)
    except UsageError as cause:
        if not images.holds_images(path):
            raise
        known = " or --flow ".join(images.FLOWS)
        raise UsageError(f"'{path}' holds images: add --flow {known}.") from cause


def _check_kinds(told: dict[str, Any]) -> None:
    """Raise if a kind of a column is none."""
    from tfp_flows.preprocessing import Column

    with explained():
        for name, kind in told.items():
            if kind != "drop":
                Column.read(kind, name)


def _saved(arguments: argparse.Namespace, options: dict[str, Any]) -> Any:
    """Return the flow that is gone on with, if one is."""
    if not arguments.resume:
        return None
    wrong = sorted(set(options) - set(flow_options.FIT_OPTIONS))
    if wrong:
        raise UsageError(f"--option {wrong[0]} is known from the file: leave it out.")
    return models.load(arguments.out)[1]


@contextlib.contextmanager
def _missing_explained() -> Iterator[None]:
    """Say in errors about missing cells which option of this command fills them."""
    try:
        yield
    except UsageError as error:
        text = str(error)
        if "a missing value" not in text:
            raise
        raise UsageError(f"{text.rstrip('.')}, or add --missing impute.") from error


def _read(
    source: Any,
    flow: Any,
    arguments: argparse.Namespace,
    chosen: str | None,
    told: dict[str, Any],
) -> tuple[Table, Table | None]:
    """Return events and conditions, of the columns that a saved flow knows."""
    if flow is None:
        with _missing_explained():
            return tables.read(
                source,
                chosen,
                arguments.condition,
                aside=(
                    arguments.groups,
                    arguments.time,
                    *(name for name, kind in told.items() if kind == "drop"),
                ),
                finite=arguments.missing == "error",
                categories=[name for name, kind in told.items() if "category" in kind],
            )
    from tfp_flows.datasets import Table

    names = tables.names_of(flow)
    x, condition = tables.read_for_flow(source, flow, None)
    size = 0 if condition is None else condition.shape[1]
    events = Table(x, tuple(names[0] or tables.default_names(x.shape[1])))
    if condition is None:
        return events, None
    return events, Table(condition, tuple(names[1] or tables.default_names(size)))
