"""`tfp-flows impute`: fill the missing cells of a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from tfp_flows.cli import files, models, output, ranges, sample, tables
from tfp_flows.cli.errors import UsageError, explained

__all__ = ["add_parser", "run"]

_DRAW, _ROW = "draw", "row"


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "impute",
        help="fill the missing cells of a table by a flow",
        description="Fill the missing cells of a table by draws of a flow that "
        "`tfp-flows fit --conditionals any` wrote, given the cells that are there. "
        "Columns that the flow does not fill are kept as they are written, in front. "
        "Several draws give several tables, one below the other, with the columns "
        "`draw` and `row` before all.",
    )
    add = parser.add_argument
    add("flow", metavar="F.keras", help="flow that `tfp-flows fit` wrote")
    add("data", metavar="DATA", help=f"table: {files.TABLES}")
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--out",
        metavar="ROWS",
        help=f"table to write: {files.TABLES}; default: CSV to standard output",
    )
    add(
        "--draws",
        type=ranges.count,
        metavar="N",
        help="number of completed tables; default: one",
    )
    add(
        "--condition",
        metavar="C,D",
        help="columns of the condition, if not in the file",
    )
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Fill a table.

    Raises:
        UsageError: If the input is bad.
    """
    import numpy as np

    files.check_input(arguments.flow, (files.MODEL_SUFFIX,))
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    out = files.check_table_output(arguments, [path])
    _, flow = models.load(arguments.flow)
    if not hasattr(flow, "impute"):
        raise UsageError(
            f"'{arguments.flow}' cannot fill cells: it is a `{type(flow).__name__}`. "
            "Fit one by tfp-flows fit --conditionals any."
        )
    known = [part for names in tables.names_of(flow) for part in names or ()]
    as_written = tables.AllBut(known) if known else ()
    source = tables.open_source(path, arguments.sheet, as_written)
    x, condition = tables.read_for_flow(source, flow, arguments.condition, finite=False)
    with explained(path):
        filled = flow.impute(
            x, condition, draws=arguments.draws or 1, seed=arguments.seed
        )
    missing = int(np.isnan(x).sum())
    names, rows = tables.event_columns(flow), filled.reshape(-1, x.shape[1])
    labels: dict[str, list[Any]] = {}
    if arguments.draws is not None:
        if taken := {_DRAW, _ROW} & {*names, *source.columns}:
            raise UsageError(
                f"column {sorted(taken)[0]!r} is what --draws numbers tables by: "
                "rename it."
            )
        labels[_DRAW] = np.repeat(np.arange(len(filled)) + 1, len(x)).tolist()
        labels[_ROW] = np.tile(np.arange(len(x)) + 1, len(filled)).tolist()
    if out is None or out.suffix != ".npy":  # which holds numbers only
        labels |= _further(source, names, len(filled))
    report = output.Report(arguments)
    is_table = out is not None or not report.json
    types = flow.types_of_columns() if is_table else {}
    text = sample.labelled(flow, rows, names, out, types)
    kept = [i for i, name in enumerate(names) if name not in text]
    if is_table:
        shown = [names[i] for i in kept]
        order = [*labels, *names]
        output.write(out, rows[:, kept], shown, {**labels, **text}, order)
    else:
        text = {**labels, **text}
        report.facts |= {"columns": names, "rows": filled, "labels": text}
    report.facts |= {"missing": missing, "draws": arguments.draws or 1, "out": out}
    done = report.note if out is None else report.line
    done(f"filled {missing} missing cells of {x.size}")
    report.end()


def _further(source: Any, names: Sequence[str], draws: int) -> dict[str, list[Any]]:
    """Return the columns of a table that a flow does not fill, for each draw."""
    if not set(names) <= set(source.columns):  # matched by position
        return {}
    with explained(source.path):
        return {
            name: source.labels(name) * draws
            for name in source.columns
            if name not in names
        }
