"""`tfp-flows fit` of a folder or a pattern of tables, which are read in parts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tfp_flows.cli import (
    columns,
    config,
    files,
    fitting,
    flow_options,
    images,
    models,
    quiet,
)
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

__all__ = ["holds_tables", "run"]

# What needs all rows in memory, or a file of them.
_REFUSED = (
    *("sheet", "groups", "time", "members", "conditionals", "budget", "resume"),
    "missing",
)


def holds_tables(data: str) -> bool:
    """Return whether a name is that of a folder, or a pattern, of tables."""
    if not files.are_several(data):
        return False
    with files.named(data) as path:
        found = list(path.iterdir()) if path.is_dir() else [path]
    return any(
        files.is_table(file.name) and file.suffix.lower() not in images.ARRAY_SUFFIXES
        for file in found
    )


def run(arguments: argparse.Namespace, options: dict[str, Any]) -> None:
    """Fit a flow to rows that are never all in memory.

    Args:
        arguments: Of the command.
        options: Of the flow and of the fit.

    Raises:
        UsageError: If the input is bad.
        Interrupted: After Ctrl-C, once the weights so far are written.
    """
    for name in _REFUSED:
        if getattr(arguments, name) not in (None, False, "error"):
            raise UsageError(
                f"--{name} has no part in a fit to a folder or a pattern of tables, "
                "whose rows are never all in memory: name one file."
            )
    from tfp_flows.datasets import open_shards

    with explained(arguments.data):
        source = open_shards(arguments.data)
    out = config.check_outputs(arguments, source.paths)
    condition, told = _columns(arguments, source.columns)
    name = flow_options.checked(arguments.flow, options)
    if name in images.FLOWS:
        sentence = f"holds tables: --flow {name} is of images."
        raise UsageError(f"'{arguments.data}' {sentence}")
    quiet.notice("loading TensorFlow", quiet=arguments.quiet)
    quiet.import_tensorflow()
    try:
        done = fitting.run(
            name,
            source,
            condition,
            arguments,
            options,
            out=out,
            columns=told or "auto",
            outliers="drop",
            validation=arguments.test_fraction,
        )
    except UsageError as error:
        flow = getattr(error.__cause__, "flow", None)
        if flow is None:
            raise
        # A file could no longer be read: nothing is lost of what was fitted.
        models.save(flow, out)
        sentence = str(error).replace("`flow` of this error", f"'{out}'")
        raise UsageError(sentence) from error
    models.save(done.flow, out)
    done.write(arguments, out, name)
    _print(arguments, done, out, name)
    done.end(out)


def _columns(
    arguments: argparse.Namespace, known: tuple[str, ...]
) -> tuple[list[str] | None, dict[str, Any]]:
    """Return the columns of the condition, and what the others are."""
    chosen, told = columns.kinds(arguments.columns, known)
    chosen = columns.without_conditions(chosen, told, arguments.condition, known)
    condition = columns.resolve(arguments.condition, known)
    events = columns.resolve(chosen, known)
    for name in (*told, *(condition or ()), *(events or ())):
        if name not in known:
            sentence = columns.missing(name, known)
            raise UsageError(f"{arguments.data}: {sentence}")
    if events is not None:
        left = [n for n in known if n not in events and n not in (condition or ())]
        told |= dict.fromkeys(left, "drop")
    return condition, told


def _print(
    arguments: argparse.Namespace, done: fitting.Done, out: Path, name: str
) -> None:
    """Print what the fit has come to."""
    report, found = Report(arguments), done.judged
    count = models.parameter_count(done.flow)
    report.line(f"flow: {name}, {count} parameters", flow=name, parameters=count)
    if found is not None:
        rows = {"fit": found.rows, "validation": found.count}
        text = f"rows: {found.rows} to fit, {found.count} that chose the weights"
        report.line(text, rows=rows)
        for line in found.columns:
            report.line(line)
        fitting.tell(report, found)
    done.report(report, out)
    report.end()
