"""`tfp-flows info`: what a saved flow is."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tfp_flows.cli import models, tables

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "info",
        help="print a flow's architecture, size and columns",
        description="Print architecture, number of parameters, columns and format "
        "version of a saved flow.",
    )
    add = parser.add_argument
    add("flow", metavar="F.keras", help="flow that `tfp-flows fit` wrote")
    add("--json", action="store_true", help="print one JSON object")
    add("--seed", type=int, metavar="N", help="accepted by each command; not used here")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Describe a flow.

    Raises:
        UsageError: If the file holds no flow.
    """
    path, flow = models.load(arguments.flow)
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
