"""`tfp-flows detect`: rows of a table that are unlike those of another one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _optional
from tfp_flows._counts import counted
from tfp_flows.cli import (
    columns,
    files,
    flow_options,
    models,
    output,
    quiet,
    ranges,
    score,
    tables,
)
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    from tfp_flows.datasets import Table

__all__ = ["add_parser", "run"]

_LISTED = 5
# A cell that is less likely by so many nats than usual ones, given its row, is named:
# a twentieth. So many of a row at most, the oddest one in any case.
_ODD, _NAMED = 3.0, 3
# Name of the column that names them.
_REASONS = "odd columns"
_UNITS = {
    "density": "nats, minus the log-density of columns in their own units",
    "distance": "squared norm of the base variable",
    "mix": "quartile ranges of the rows of the fit, the mean of density and distance",
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "detect",
        help="find the rows of a table that are unlike those of another one",
        description="Fit a flow to the rows of TRAIN, which are mostly usual ones, and "
        "write for each row of NEW its score, high for odd rows, whether it is an "
        "anomaly, less usual than the share --contamination of the rows of TRAIN, and "
        "of anomalies the columns that are odd. Columns are matched by name.",
    )
    add = parser.add_argument
    add("train", metavar="TRAIN", help=f"table of usual rows: {files.TABLES}")
    add("new", metavar="NEW", nargs="?", help="table of rows to judge; default: TRAIN")
    add("--sheet", metavar="NAME", help="sheet of .xlsx files; default: the first")
    add(
        "--out",
        metavar="TABLE",
        help=f"table to write: {files.TABLES}; default: CSV to standard output",
    )
    add(
        "--id",
        metavar="NAME",
        help="column that is kept as it is written and is not judged; default: the "
        "number of the row, from 1",
    )
    add("--columns", metavar="A,B", help="columns to judge by; default: all others")
    add(
        "--flow",
        type=flow_options.flow_name,
        metavar="NAME",
        help="such as nsf-ar, maf, rbig; see `tfp-flows list`",
    )
    add(
        "--contamination",
        type=ranges.half,
        default=0.05,
        metavar="SHARE",
        help="share of the rows of TRAIN that count as anomalies; default 0.05",
    )
    add(
        "--reasons",
        type=ranges.whole,
        default=100,
        metavar="N",
        help="name the odd columns of the N oddest anomalies; default 100",
    )
    add(
        "--groups", metavar="NAME", help="column of groups; validation takes whole ones"
    )
    add("--epochs", type=ranges.count, metavar="N", help="most passes over the rows")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="as of fit")
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Detect anomalies.

    Raises:
        UsageError: If the input is bad.
    """
    path = files.check_input(arguments.train, files.TABLE_SUFFIXES)
    other = path
    if arguments.new is not None:
        other = files.check_input(arguments.new, files.TABLE_SUFFIXES)
    out = files.check_table_output(arguments, [path, other])
    options = dict(map(flow_options.read, arguments.option))
    flow_options.check_values(options)
    with explained():
        _optional.require("sklearn", extra="sklearn")
    train, new, labels, apart = _read(arguments, path, other)
    quiet.notice("loading TensorFlow", quiet=arguments.quiet)
    quiet.import_tensorflow()
    name = flow_options.checked(arguments.flow, options)
    detector = _fitted(arguments, path, train, name, options, apart)
    from tfp_flows.preprocessing import DataNotice

    report = Report(arguments)
    with explained(other), output.noted(report, DataNotice):
        frame = _frame(new)
        values = -detector.score_samples(frame)
        reasons = _reasons(detector, frame, values, arguments.reasons)
    labels[_REASONS] = ["; ".join(names) for names in reasons]
    _report(report, arguments, detector, name, values, labels, len(train), out)


def _read(
    arguments: argparse.Namespace, path: Path, other: Path
) -> tuple[Table, Table, dict[str, list[Any]], dict[str, Any]]:
    """Return both tables in the same columns, identifiers, and groups."""
    from tfp_flows.datasets import readers

    name = arguments.id
    aside = [n for n in (name, arguments.groups) if n is not None]
    as_written = _unnamed(path, arguments, aside)
    source = tables.open_source(path, arguments.sheet, as_written)
    apart = tables.for_splits(source, arguments.groups, None)
    train, _ = tables.read(source, arguments.columns, None, aside=aside)
    tables.check_varies(path, train)
    judged = source
    if other != path:
        judged = tables.open_source(other, arguments.sheet, as_written)
    for column in train.columns:
        if column not in judged.columns:
            sentence = columns.missing(column, judged.columns)
            raise UsageError(f"'{other}' does not fit '{path}': {sentence}")
    with explained(other):
        new = readers.checked(
            judged, list(train.columns), labels=train.labels, units=train.units
        )
    labels = score.labels(judged, name)
    return train, new, labels or {"row": list(range(1, len(new) + 1))}, apart


def _unnamed(path: Path, arguments: argparse.Namespace, aside: list[str]) -> list[str]:
    """Return the columns to keep as they are written: those that are not judged."""
    if arguments.columns is None or str(path) == files.STANDARD_INPUT:
        return aside
    known = [*columns.split(arguments.columns), *aside]
    chosen = columns.resolve(arguments.columns, known) or []
    return [name for name in aside if name not in chosen]


def _fitted(
    arguments: argparse.Namespace,
    path: Path,
    train: Table,
    name: str,
    options: dict[str, Any],
    apart: dict[str, Any],
) -> Any:
    import warnings

    from tfp_flows import estimators, preprocessing
    from tfp_flows.training.callbacks.progress import ProgressLine

    of_fit = {k: v for k, v in options.items() if k in flow_options.FIT_OPTIONS}
    line = ProgressLine(quiet=arguments.quiet)
    arguments_of_fit = {**of_fit, "callbacks": [line]}
    rate, patience = (
        arguments_of_fit.pop(k, None) for k in ("learning_rate", "patience")
    )
    detector = estimators.FlowAnomalyDetector(
        name,
        contamination=arguments.contamination,
        options={k: v for k, v in options.items() if k not in of_fit},
        epochs=arguments.epochs,
        learning_rate=rate,
        patience=patience,
        fit_arguments=arguments_of_fit,
        random_state=arguments.seed,
    )
    also = (TypeError,) if options else ()
    with explained(path, also=also), line, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The flow loses to a full Gaussian")
        warnings.simplefilter("ignore", preprocessing.DataNotice)
        return detector.fit(_frame(train), **apart)


def _frame(table: Table) -> Any:
    """Return a frame, by whose names scikit-learn matches columns."""
    from tfp_flows.datasets import writers

    return writers.to_frame(table, {})


def _reasons(detector: Any, frame: Any, values: Any, most: int) -> list[list[str]]:
    """Return the odd columns of anomalies, the oddest first; none of other rows."""
    import numpy as np

    found: list[list[str]] = [[] for _ in range(len(values))]
    rows = np.argsort(-values)[: min(most, int(np.sum(values > detector.threshold_)))]
    if not len(rows) or frame.shape[1] == 1:
        return found
    for row, odd in zip(rows, detector.attributions(frame.iloc[rows]), strict=True):
        order = np.argsort(-odd)[:_NAMED]
        named = [i for i in order if odd[i] >= _ODD] or order[:1]
        found[row] = [str(frame.columns[i]) for i in named]
    return found


def _report(
    report: Report,
    arguments: argparse.Namespace,
    detector: Any,
    name: str,
    values: Any,
    labels: dict[str, list[Any]],
    count: int,
    out: Path | None,
) -> None:
    """Write a score and a verdict for each row, and sum them up."""
    import numpy as np

    odd = values > detector.threshold_
    if out is not None or not report.json:
        written = np.column_stack([values, odd.astype(float)])
        output.write(out, written, ["score", "anomaly"], labels)
    else:
        report.facts |= {"scores": {**labels, "score": values, "anomaly": odd}}
    report.facts |= {
        "rows": {"fit": count, "judged": len(values)},
        "anomalies": int(odd.sum()),
        "threshold": detector.threshold_,
        "contamination": arguments.contamination,
        "flow": name,
        "parameters": models.parameter_count(detector.flow_),
        "unit": _UNITS[detector.by_],
        "out": out,
    }
    say = report.note if out is None else report.line
    say(
        f"{odd.sum()} of {counted(len(values), 'row')} are anomalies: score above "
        f"{detector.threshold_:.4f}, as {100 * arguments.contamination:g} % of the "
        f"{count} rows of the fit"
    )
    key, known = next(iter(labels.items()))
    for i in np.argsort(-values)[: min(_LISTED, int(odd.sum()))]:
        why = labels[_REASONS][i]
        end = f", odd in {why}" if why else ""
        say(f"  {key} {known[i]}: score {values[i]:.4f}{end}")
    report.end()
