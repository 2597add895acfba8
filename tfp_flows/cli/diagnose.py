"""`tfp-flows diagnose`: what is wrong with a flow, a table, or the pair of both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import files, models, ranges, tables
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows import Flow

__all__ = ["add_parser", "run"]

_PAGE_SUFFIX = ".html"


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "diagnose",
        help="say what is wrong with a flow or a table, and what to do",
        description="Compare a flow with the rows of a table: whether numbers hold, "
        "what no density describes (copies, ties, outliers, bounds), calibration, "
        "tails, over-fitting, shift, and plain densities on the same rows. Each figure "
        "comes with a sentence of judgement and what to do.",
    )
    add = parser.add_argument
    add("flow", metavar="MODEL", help="flow that `tfp-flows fit` wrote, .keras")
    add(
        "data",
        metavar="TABLE",
        help=f"rows, best such that the fit has not seen: {files.TABLES}; - for CSV on "
        "standard input",
    )
    add(
        "--train",
        metavar="TABLE",
        help="rows of the fit: for over-fitting, shift, and plain densities",
    )
    add("--report", metavar="PAGE", help="page to write, .html, pictures included")
    add(
        "--condition",
        metavar="C,D",
        help="columns of the condition, if not in the file",
    )
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--seed",
        type=ranges.seed,
        default=0,
        metavar="N",
        help="of samples and splits; default 0",
    )
    add("--force", action="store_true", help="overwrite the page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Diagnose a flow and a table.

    Raises:
        UsageError: If the input is bad, or flow and table do not fit each other.
    """
    model = files.check_input(arguments.flow, (files.MODEL_SUFFIX,))
    given = [arguments.data, *([arguments.train] if arguments.train else [])]
    paths = [files.check_input(path, files.TABLE_SUFFIXES) for path in given]
    page = None
    if arguments.report is not None:
        page = files.check_output(
            arguments.report,
            (_PAGE_SUFFIX,),
            force=arguments.force,
            inputs=[model, *paths],
        )
    _, flow = models.load(arguments.flow)
    read = [_read(path, flow, model, arguments) for path in paths]
    from tfp_flows import diagnosis

    with explained(f"'{model}' and '{paths[0]}'"):
        found = diagnosis.diagnose(
            flow, *read[0], train=read[1] if read[1:] else None, seed=arguments.seed
        )
    report = Report(arguments)
    report.facts |= {**found.to_dict(), "report": page}
    if page is not None:
        with explained(f"cannot write to '{page}'"):
            found.save_html(page)
    report.line(str(found))
    report.end()


def _read(
    path: Path, flow: Flow, model: Path, arguments: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return events and conditions.

    Raises:
        UsageError: With the names of both files, if they do not fit each other.
    """
    try:
        source = tables.open_source(path, arguments.sheet)
        x, condition = tables.read_for_flow(source, flow, arguments.condition)
    except UsageError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise UsageError(f"'{model}' does not fit '{path}': {reason}") from error
    if not len(x):
        raise UsageError(
            f"'{path}' must hold rows for '{model}' to be compared with, got none."
        )
    return x, condition
