"""`tfp-flows compare`: flows beside a Gaussian, a mixture and a kernel density."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _optional
from tfp_flows.cli import (
    catalog,
    columns,
    files,
    flow_options,
    models,
    output,
    quiet,
    ranges,
    tables,
)
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    from tfp_flows.datasets import Table

__all__ = ["add_parser", "run"]

# Known without TensorFlow; a test compares them with those of the estimators.
FLOWS = (catalog.DEFAULT, "maf", "nsf", "rbig")
BASELINES = ("gaussian", "mixture", "kernel")


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "compare",
        help="compare flows with a Gaussian, a mixture and a kernel density",
        description="Fit several densities to the same rows of a table and print the "
        "mean log-likelihood of the same rows held out, with standard errors, each as "
        "soon as it is known. Equal rows are held out together, and rounded numbers "
        "get the same noise of one rounding step for all models.",
    )
    add = parser.add_argument
    add("data", metavar="DATA", help=f"table: {files.TABLES}")
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--flows",
        metavar="LIST",
        default=",".join(FLOWS),
        help="names of flows, and .keras files of fitted ones, which are scored as "
        f"they are; default {','.join(FLOWS)}",
    )
    add(
        "--baselines",
        metavar="LIST",
        default=",".join(BASELINES),
        help=f"some of {','.join(BASELINES)}, or none; default: all",
    )
    add("--columns", metavar="A,B", help="columns to compare; default: all others")
    add("--condition", metavar="C,D", help="columns that the densities depend on")
    add(
        "--test-fraction",
        type=ranges.fraction,
        default=0.1,
        metavar="F",
        help="share of rows held out; default 0.1",
    )
    add("--groups", metavar="NAME", help="column of groups that are held out whole")
    add("--time", metavar="NAME", help="column of times: the last rows are held out")
    add("--epochs", type=ranges.count, metavar="N", help="most passes over the rows")
    add("--quick", action="store_true", help="short fits: minutes in all")
    add(
        "--out",
        metavar="TABLE",
        help=f"table of the models to write: {files.TABLES}",
    )
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Compare densities.

    Raises:
        UsageError: If the input is bad.
    """
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    out = files.check_table_output(arguments, [path])
    named = [name.strip() for name in columns.split(arguments.flows) if name.strip()]
    saved = [name for name in named if Path(name).suffix == files.MODEL_SUFFIX]
    for name in saved:
        files.check_input(name, (files.MODEL_SUFFIX,))
    baselines = _baselines(arguments.baselines)
    with explained():
        _optional.require("sklearn", extra="sklearn")
    aside = [n for n in (arguments.groups, arguments.time) if n is not None]
    source = tables.open_source(path, arguments.sheet, aside)
    apart = tables.for_splits(source, arguments.groups, arguments.time)
    quiet.notice("loading TensorFlow", quiet=arguments.quiet)
    quiet.import_tensorflow()
    flows = {name: _flow(name) for name in named}
    events, conditions = _read(source, arguments, flows)
    report = Report(arguments)
    _compare(arguments, path, events, conditions, flows, baselines, apart, report, out)
    report.end()


def _baselines(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    names = [] if names == ["none"] else names
    for name in names:
        if name not in BASELINES:
            end = columns.hint(name, BASELINES) or "."
            raise UsageError(
                f"there is no baseline {name!r}, only {', '.join(BASELINES)}{end}"
            )
    return names


def _flow(name: str) -> Any:
    """Return a name of a flow as it is today, or the flow in a file."""
    if Path(name).suffix == files.MODEL_SUFFIX:
        return models.load(name)[1]
    from tfp_flows import flows

    known = flow_options.flow_name(name)
    if known not in flows.names():
        raise UsageError(flow_options.no_flow(name, flows.names()))
    return known


def _read(
    source: Any, arguments: argparse.Namespace, flows: dict[str, Any]
) -> tuple[Table, Table | None]:
    """Read the columns that are asked for, or those that a fitted flow knows."""
    chosen, given = arguments.columns, arguments.condition
    for name, flow in flows.items():
        known = () if isinstance(flow, str) else tables.names_of(flow)
        if chosen is None and known and known[0]:
            missing = [
                c for c in (*known[0], *(known[1] or ())) if c not in source.columns
            ]
            if missing:
                sentence = columns.missing(missing[0], source.columns)
                raise UsageError(f"'{name}' does not fit '{source.path}': {sentence}")
            chosen = ",".join(f'"{c}"' for c in known[0])
            if given is None and known[1]:
                given = ",".join(f'"{c}"' for c in known[1])
    labelled = [
        name
        for flow in flows.values()
        if not isinstance(flow, str)
        for name in (*flow.category_labels(), *flow.condition_labels())
    ]
    chosen, told = columns.kinds(chosen, source.columns)
    chosen = columns.without_conditions(chosen, told, given, source.columns)
    events, conditions = tables.read(
        source,
        chosen,
        given,
        aside=(
            arguments.groups,
            arguments.time,
            *(name for name, kind in told.items() if kind == "drop"),
        ),
        categories=[
            *labelled,
            *(name for name, kind in told.items() if "category" in kind),
        ],
    )
    tables.check_varies(source.path, events)
    return events, conditions


def _compare(
    arguments: argparse.Namespace,
    path: Path,
    events: Table,
    conditions: Table | None,
    flows: dict[str, Any],
    baselines: list[str],
    apart: dict[str, Any],
    report: Report,
    out: Path | None,
) -> None:
    from tfp_flows import estimators

    lines = _Lines(arguments)

    def show(score: estimators.Score) -> None:
        lines.end()
        if not lines.begun:
            report.line(score.header())
            lines.begun = True
        report.line(str(score))

    also = (TypeError,) if arguments.epochs else ()
    with explained(path, also=also), lines.closing():
        found = estimators.compare(
            events,
            conditions,
            flows=flows,
            baselines=baselines,
            test_fraction=arguments.test_fraction,
            quick=arguments.quick,
            seed=arguments.seed,
            fit_arguments=({"epochs": arguments.epochs} if arguments.epochs else None),
            callbacks=lines.of,
            on_score=show,
            **apart,
        )
    for sentence in (*found.notes, found.summary, found.verdict):
        report.line(sentence)
    report.facts |= {"data": arguments.data, **found.facts()}
    if out is not None:
        facts = [score.facts() for score in found.scores]
        names = [name for name in facts[0] if name not in ("model", "is_flow")]
        values = [
            [float("nan") if fact[name] is None else fact[name] for name in names]
            for fact in facts
        ]
        output.write(out, values, names, {"model": [f["model"] for f in facts]})
        report.line(f"wrote {out}", out=out)


class _Lines:
    """One line of progress for each fit."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._quiet: bool = arguments.quiet
        self._line: Any = None
        self.begun = False

    def of(self, name: str) -> list[Any]:
        """Begin the line of a fit."""
        from tfp_flows.training.callbacks.progress import ProgressLine

        self.end()
        quiet.notice(f"fitting {name}", quiet=self._quiet)
        self._line = ProgressLine(quiet=self._quiet)
        self._line.__enter__()
        return [self._line]

    def end(self) -> None:
        """End it."""
        if self._line is not None:
            self._line.__exit__(None, None, None)
            self._line = None

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """End the line whatever happens."""
        try:
            yield
        finally:
            self.end()
