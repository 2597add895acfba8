"""`tfp-flows info`: what a saved flow is, or how the columns of a table depend."""

from __future__ import annotations

import argparse
from typing import Any

from tfp_flows._counts import counted
from tfp_flows.cli import files, flow_options, measures, models, ranges, tables
from tfp_flows.cli.errors import UsageError
from tfp_flows.cli.output import Report

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "info",
        help="print what a flow is, or information measures of a table",
        description="Print architecture, number of parameters, columns and format "
        "version of a saved flow; or, with --measures, entropies and mutual "
        "information of the columns of a table, with standard errors.",
    )
    add = parser.add_argument
    add(
        "file",
        metavar="FILE",
        help=f"flow that `tfp-flows fit` wrote, .keras; or table: {files.TABLES}",
    )
    add(
        "--measures",
        metavar="LIST",
        help=f"such as '{measures.EXAMPLE}': words are "
        f"{', '.join(measures.MEASURES)}; columns of one group are joined by +",
    )
    add(
        "--unit",
        choices=("nats", "bits"),
        default="nats",
        help="of the measures; default nats",
    )
    add(
        "--flow",
        type=flow_options.flow_name,
        default="rbig",
        metavar="NAME",
        help="density; default rbig",
    )
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--seed",
        type=ranges.seed,
        default=0,
        metavar="N",
        help="of the measures; default 0",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Describe a flow, or measure a table.

    Raises:
        UsageError: If the file holds no flow, or the table cannot be measured.
    """
    if arguments.measures is not None:
        measures.run(arguments)
        return
    if files.is_table(arguments.file):
        files.check_input(arguments.file, files.TABLE_SUFFIXES)
        raise UsageError(
            f"the name of '{arguments.file}' must end in {files.MODEL_SUFFIX}; for a "
            "table add --measures, such as --measures tc,entropy."
        )
    path, flow = models.load(arguments.file)
    names, condition_columns = tables.names_of(flow)
    facts = {
        "architecture": repr(flow),
        "parameters": models.parameter_count(flow),
        "event_shape": list(flow.event_shape),
        "columns": names,
        "condition_shape": (
            None if flow.condition_shape is None else list(flow.condition_shape)
        ),
        "condition_columns": condition_columns,
        "format_version": models.format_version(path),
    }
    report = Report(arguments)
    report.line(repr(flow), **facts)
    report.line(f"parameters: {facts['parameters']}")
    report.line(f"columns: {_names(names)}")
    kinds = _kinds(flow, names)
    for name, kind in kinds.items():
        report.line(f"column {name!r}: {kind}")
    report.facts["kinds"] = kinds
    if flow.condition_shape is not None:
        report.line(f"condition: {_names(condition_columns)}")
    pairs = zip(condition_columns or (), flow.condition_kinds or (), strict=False)
    given = {name: str(kind) for name, kind in pairs if not kind.is_plain}
    for name, kind in given.items():
        report.line(f"condition {name!r}: {kind}")
    report.facts["condition_kinds"] = given
    units = tables.units_of(flow) or {}
    for name, unit in units.items():
        report.line(f"column {name!r}: {unit}")
    report.facts["units"] = units
    report.line(f"format version: {facts['format_version']}")
    for line in _card(flow.card):
        report.line(line)
    report.facts["card"] = flow.card
    report.end()


def _card(card: dict[str, Any] | None) -> list[str]:
    """Return what a fit says of a flow, a line for each fact."""
    lines, card = [], card or {}
    for key, value in card.items():
        if key in ("columns", "condition_columns", "of", "rows", "unit") or not value:
            continue
        text = value
        if key == "data":
            text = f"{counted(value['rows'], 'row')}, sha256 {value['sha256']}"
        elif key in ("log_likelihood", "gaussian"):
            text = models.figure(value["mean"], value["standard_error"])
            text += f" {card.get('unit')}, {card.get('rows')} {card.get('of')} rows"
        elif isinstance(value, dict):
            text = ", ".join(f"{name} {part}" for name, part in value.items())
        lines.append(f"card, {key.replace('_', ' ')}: {text}")
    return lines


def _kinds(flow: Any, names: list[str] | None) -> dict[str, str]:
    """Return what columns are that are no plain numbers, in words."""
    if flow.preprocessing is None:
        return {}
    columns = flow.preprocessing.columns
    known = names or tables.default_names(len(columns))
    pairs = zip(known, columns, strict=True)
    return {name: str(kind) for name, kind in pairs if not kind.is_plain}


def _names(names: list[str] | None) -> str:
    """Return a list as `--columns` reads it."""
    if names is None:
        return "not named"
    return ", ".join(f'"{name}"' if "," in name else name for name in names)
