"""`tfp-flows score`: log-density of each row of a table, bits/dim of images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tfp_flows._counts import counted
from tfp_flows.cli import columns, files, images, models, output, ranges, tables
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    from tfp_flows.datasets.readers import Source

__all__ = ["add_parser", "labels", "run"]

_UNIT = " nats, columns in their own units"
# Stands for the number of the row.
_ROW = "row"


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "score",
        help="write the log-density of each row of a table",
        description="Write the log-density, in nats, of each row of a table under a "
        "flow, as a density of the columns in their own units. Columns are matched by "
        "name where the flow knows names, and further "
        "columns are then ignored; else by position, the condition's columns last. "
        "Under a flow of images: bits per dimension of each image.",
    )
    add = parser.add_argument
    add("flow", metavar="F.keras", help="flow that `tfp-flows fit` wrote")
    add(
        "data",
        metavar="DATA",
        help=f"table: {files.TABLES}; - for CSV on standard input; folder or pattern "
        "of tables, read in parts; images: .npz, .npy, idx file or folder",
    )
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--out",
        metavar="SCORES",
        help=f"table to write: {files.TABLES}; default: CSV to standard output",
    )
    add(
        "--id",
        metavar="NAME",
        help="column to keep beside the scores as it is written; `row` for the number "
        "of the row, from 1, where no column is called so",
    )
    add(
        "--condition",
        metavar="C,D",
        help="columns of the condition, if not in the file; for images: the array of "
        "classes, default y",
    )
    seed = "accepted by each command; not used here"
    add("--seed", type=ranges.seed, metavar="N", help=seed)
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Score a table.

    Raises:
        UsageError: If the input is bad.
    """
    files.check_input(arguments.flow, (files.MODEL_SUFFIX,))
    if files.are_several(arguments.data):
        _, flow = models.load(arguments.flow)
        if not images.is_image_flow(flow):
            _score_files(arguments, flow)
            return
    path = images.check_input(arguments.data)
    out = files.check_table_output(arguments, [path])
    _, flow = models.load(arguments.flow)
    name = arguments.id
    if images.is_image_flow(flow):
        if name not in (None, _ROW):
            raise UsageError(f"--id must be {_ROW} for images, got {name!r}.")
        bits = images.score(flow, path, arguments.condition)
        report = output.Report(arguments)
        what = ("image", "mean bits/dim")
        _report(report, arguments, out, bits, "bits_per_dim", what, "")
        return
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    known = [part for names in tables.names_of(flow) for part in names or ()]
    as_written = [] if name is None or name in known else [name]
    source = tables.open_source(path, arguments.sheet, as_written)
    ids = labels(source, name)
    x, condition = tables.read_for_flow(source, flow, arguments.condition, name)
    from tfp_flows.preprocessing import DataNotice

    report = output.Report(arguments)
    with output.noted(report, DataNotice):
        values = models.log_prob(flow, x, condition)
    note_of_impossible(report, flow, x, values)
    what = ("row", "mean log-likelihood")
    _report(report, arguments, out, values, "log_prob", what, _UNIT, ids)


def _score_files(arguments: argparse.Namespace, flow: Any) -> None:
    """Score the rows of several files block by block."""
    from tfp_flows import training
    from tfp_flows.datasets import block_writers, open_shards

    if arguments.out is None:
        raise UsageError("--out is needed where DATA is a folder or a pattern.")
    with explained(arguments.data):
        source = open_shards(arguments.data)
        out = files.check_output(
            arguments.out,
            block_writers.SUFFIXES,
            force=arguments.force,
            inputs=source.paths,
        )
        found = training.score(
            flow,
            source,
            out=out,
            condition=columns.resolve(arguments.condition, source.columns),
            identifier=arguments.id,
            force=True,
        )
    report = output.Report(arguments)
    mean, error = found.log_likelihood
    facts = {"mean": mean, "standard_error": error, "not_finite": found.not_finite}
    report.facts |= {
        "rows": found.rows,
        "log_prob": facts,
        "unit": _UNIT.strip(),
        "out": out,
    }
    if found.first_not_finite is not None:
        report.note(f"note: the first that is not finite is {found.first_not_finite}")
    summary = f"{counted(found.rows, 'row')}, mean log-likelihood "
    summary += models.figure(mean, error)
    summary += _UNIT
    if found.not_finite:
        summary += f", {found.not_finite} of them not finite"
    report.line(summary)
    report.end()


def note_of_impossible(report: output.Report, flow: Any, x: Any, values: Any) -> None:
    """Say which row and column no sample of the flow can have, if there is one."""
    import numpy as np

    from tfp_flows.preprocessing import values as allowed

    rows = np.flatnonzero(np.isneginf(values))
    if not len(rows):
        return
    sentence = None
    if flow.cells is not None:
        sentence = allowed.foreign(flow.cells, x, flow.columns)
    if sentence is None:
        sentence = f"has density 0 in row {rows[0] + 1} ({len(rows)} such rows)"
    report.note(f"note: the table {sentence}")


def labels(source: Source, name: str | None) -> dict[str, list[Any]]:
    """Return the column that identifies rows, under its name.

    Raises:
        UsageError: If there is none.
    """
    if name is None or (name == _ROW and name not in source.columns):
        return {}
    if name not in source.columns:
        raise UsageError(f"{source.path}: {columns.missing(name, source.columns)}")
    with explained(source.path):
        return {name: source.labels(name)}


def _report(
    report: output.Report,
    arguments: argparse.Namespace,
    out: Any,
    values: Any,
    column: str,
    what: tuple[str, str],
    unit: str,
    labels: dict[str, list[Any]] | None = None,
) -> None:
    """Write one number for each row, and print their mean."""
    import numpy as np

    if arguments.id == _ROW and not labels:
        labels = {_ROW: list(range(1, len(values) + 1))}
    mean, error = models.mean_and_error(values)
    infinite = int(np.sum(~np.isfinite(values)))
    facts = {"mean": mean, "standard_error": error, "not_finite": infinite}
    report.facts |= {
        "rows": len(values),
        column: facts,
        "unit": unit.strip(),
        "out": out,
    }
    if out is not None or not report.json:
        output.write(out, values[:, None], [column], labels)
    else:
        report.facts["scores"] = {**(labels or {}), column: values}
    summary = (
        f"{counted(len(values), what[0])}, {what[1]} {models.figure(mean, error)}{unit}"
    )
    if infinite:
        summary += f", {infinite} of them not finite"
    (report.note if out is None else report.line)(summary)
    report.end()
