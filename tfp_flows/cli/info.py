"""`tfp-flows info`: what a saved flow is, or how the columns of a table depend."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tfp_flows.cli import files, flow_options, measures, models, tables
from tfp_flows.cli.errors import UsageError

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
        help="flow that `tfp-flows fit` wrote, .keras; or table: .csv, .parquet, .npz",
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
    add("--json", action="store_true", help="print one JSON object")
    add("--seed", type=int, default=0, metavar="N", help="of the measures; default 0")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Describe a flow, or measure a table.

    Raises:
        UsageError: If the file holds no flow, or the table cannot be measured.
    """
    if arguments.measures is not None:
        measures.run(arguments)
        return
    if Path(arguments.file).suffix.lower() in files.TABLE_SUFFIXES:
        files.check_input(arguments.file, files.TABLE_SUFFIXES)
        raise UsageError(
            f"the name of '{arguments.file}' must end in {files.MODEL_SUFFIX}; for a "
            "table add --measures, such as --measures tc,entropy."
        )
    path, flow = models.load(arguments.file)
    columns, condition_columns = tables.names_of(flow)
    facts = {
        "architecture": repr(flow),
        "parameters": models.parameter_count(flow),
        "event_shape": list(flow.event_shape),
        "columns": columns,
        "condition_shape": (
            None if flow.condition_shape is None else list(flow.condition_shape)
        ),
        "condition_columns": condition_columns,
        "format_version": models.format_version(path),
    }
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return
    print(facts["architecture"])
    print(f"parameters: {facts['parameters']}")
    print(f"columns: {_names(columns)}")
    if flow.condition_shape is not None:
        print(f"condition: {_names(condition_columns)}")
    print(f"format version: {facts['format_version']}")


def _names(names: list[str] | None) -> str:
    return "not named" if names is None else ", ".join(names)
