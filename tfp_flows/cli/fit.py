"""`tfp-flows fit`: fit a flow to a table, or to images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import (
    chosen_flow,
    config,
    files,
    fit_files,
    fitting,
    flow_options,
    images,
    models,
    opening,
    quiet,
    ranges,
    screening,
    tables,
)
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.training.data.arrays import Data

__all__ = ["add_parser", "run"]

# With fewer there is nothing to hold out and to validate with.
MIN_ROWS = 10
# What a file that is gone on with says itself.
_OF_THE_FILE = ("flow", "columns", "condition", "members")


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "fit",
        help="fit a flow to a table or to images and save it",
        description="Fit a flow to the rows of a table, print the mean log-likelihood "
        "of rows held out beside that of a full Gaussian, and save the flow with its "
        "column names. Ctrl-C saves the best weights so far. With a flow of "
        "images such as glow: fit it to images [N, H, W, C] of pixels from 0 to 255, "
        "and print bits per dimension.",
    )
    _add_files_and_flow(parser)
    _add_columns(parser)
    _add_held_out(parser)
    _add_training(parser)
    parser.set_defaults(run=run)


def _add_files_and_flow(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "data",
        metavar="DATA",
        nargs="?",
        help=f"table: {files.TABLES}; folder or pattern of tables, read in parts; "
        "images: .npz, .npy, idx file or folder",
    )
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add(
        "--flow",
        type=flow_options.flow_name,
        metavar="NAME",
        help="such as nsf-ar, nsf, maf, glow",
    )
    add("--out", metavar="F.keras", help="file to write the flow to; must be given")
    config.add_option(parser)
    add(
        "--members",
        type=ranges.count,
        metavar="M",
        help="fit so many flows as one model, whose density is their mixture; 5 are "
        "better than one where rows are few",
    )


def _add_columns(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--columns",
        metavar="A,B=KIND",
        help="columns to model; default: all others; names with commas in quotes; with "
        "kinds such as age=integer,share=bounded:0:100,rain=positive+atom:0 for those "
        "that are not to be detected",
    )
    add(
        "--condition",
        metavar="C,D",
        help="columns that the density depends on; for images: the array of classes",
    )
    add(
        "--conditionals",
        choices=("any",),
        help="fit one flow for the density of any columns given any others, of which "
        "`tfp-flows impute` fills missing cells",
    )
    add(
        "--missing",
        choices=("error", "impute", "marginal"),
        default="error",
        help="cells without a value: refuse them, or fill them from similar rows; or "
        "with --conditionals any leave them out of the likelihood (marginal); rows "
        "held out that have some are not scored; default error",
    )


def _add_held_out(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--test-fraction",
        type=ranges.fraction,
        default=0.1,
        metavar="F",
        help="share of rows held out for the figure printed, equal rows on one side; "
        "default 0.1",
    )
    add(
        "--groups",
        metavar="NAME",
        help="column that says which rows belong together, such as a patient: rows "
        "held out are whole groups; it is no event unless --columns names it",
    )
    add(
        "--time",
        metavar="NAME",
        help="column of times, numbers or dates: the rows held out are the last ones; "
        "it is no event unless --columns names it",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--checkpoint",
        type=ranges.count,
        metavar="N",
        help="write the flow as it is each N epochs, too, for --resume after a crash",
    )
    add("--epochs", type=ranges.count, metavar="N", help="most passes over the rows")
    add(
        "--budget",
        type=ranges.time,
        metavar="TIME",
        help="CPU time of the fit, such as 10s or 2min; it chooses the flow itself",
    )
    add("--batch-size", type=ranges.count, metavar="N", help="rows of one update")
    add(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the flow or the fit, such as num_layers=4, hidden_units=64,64 "
        "or learning_rate=0.0005; repeat for more",
    )
    add(
        "--options",
        action=flow_options.PrintOptions,
        metavar="NAME",
        help="print the options of a flow and exit",
    )
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    add(
        "--resume",
        action="store_true",
        help="go on with the flow in the output, with the same rows, seed and share",
    )


def run(arguments: argparse.Namespace) -> None:
    """Fit a flow.

    Raises:
        UsageError: If the input is bad.
        Interrupted: After Ctrl-C, once the weights so far are written.
    """
    for name, word in (("data", "DATA"), ("out", "--out")):
        if getattr(arguments, name) is None:
            raise UsageError(f"the following arguments are required: {word}")
    changes = config.note_changes(arguments)
    if changes is not None:
        Report(arguments).note(changes)
    if fit_files.holds_tables(arguments.data):
        fit_files.run(arguments, _options(arguments))
        return
    chosen_flow.choose(arguments)
    if images.is_image_file(arguments.data) or arguments.flow in images.FLOWS:
        _run_images(arguments)
        return
    _run_table(arguments)


def _run_table(arguments: argparse.Namespace) -> None:
    """Fit a flow of a table."""
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    out, options = config.check_outputs(arguments, [path]), _options(arguments)
    _check_resume(arguments, out)
    quiet.notice(f"reading {path.name}", quiet=arguments.quiet)
    events, conditions, apart, told, flow = opening.table(path, arguments, options)
    if len(events) < MIN_ROWS:
        raise UsageError(f"{path}: {len(events)} rows are too few, {MIN_ROWS} needed.")
    tables.check_varies(path, events)
    quiet.notice("loading TensorFlow", quiet=arguments.quiet)
    quiet.import_tensorflow()
    if flow is None:
        flow_options.checked(arguments.flow, options)
    found = screening.screen(path, events, conditions, arguments, options, flow, told)
    events, conditions, options = found.events, found.conditions, found.options
    apart = {name: values[found.keep] for name, values in apart.items()}
    with explained(path):
        train, test = tables.split_rows(
            arguments.test_fraction,
            arguments.seed,
            events.x,
            None if conditions is None else conditions.x,
            **apart,
        )
    _check_training_rows(path, arguments.test_fraction, train, events)
    more: dict[str, Any] = {"adapt": False}
    if flow is None:
        flow = name = flow_options.checked(arguments.flow, options)
        more = {"budget": arguments.budget, "columns": found.columns_of_fit(told)}
    else:
        name = type(flow).__name__
    more |= {name: values[train] for name, values in apart.items()}
    rows = found.part(train, by_name=flow is name)
    done = fitting.run(flow, *rows, arguments, options, out=out, **more)
    models.save(done.flow, out)
    done.write(arguments, out, name)
    report = Report(arguments)
    found.report(report)
    if arguments.missing != "error":
        test = test[tables.complete(events, conditions)[test]]
    report.line(
        f"rows: {len(train)} to fit, {len(test)} held out",
        rows={"fit": len(train), "held_out": len(test)},
    )
    count = models.parameter_count(done.flow)
    report.line(f"flow: {name}, {count} parameters", flow=name, parameters=count)
    given = None if conditions is None else conditions.x
    every = fitting.rows(events.x, given, arguments)
    _judge(report, done.flow, every, train, test)
    done.report(report, out)
    report.end()
    done.end(out)


def _judge(
    report: Report,
    flow: Any,
    every: Data,
    train: np.ndarray,
    test: np.ndarray,
) -> None:
    """Print the flow's likelihood beside that of a Gaussian."""
    from tfp_flows.training import report as reports

    rows = every.select(test) if len(test) else None
    part = every.select(train)
    found = reports.judged(flow, part, rows, of="held-out", most=len(every))
    fitting.tell(report, found)


def _check_resume(arguments: argparse.Namespace, out: Path) -> None:
    if not arguments.resume:
        return
    if not out.exists():
        raise UsageError(f"there is no flow '{out}' to go on with: leave out --resume.")
    for name in _OF_THE_FILE:
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is known from '{out}': leave it out.")


def _run_images(arguments: argparse.Namespace) -> None:
    """Fit a flow of images."""
    name = arguments.flow or images.FLOWS[0]
    if name not in images.FLOWS:
        raise UsageError(
            f"'{arguments.data}' holds images, for which there are the flows "
            f"{', '.join(images.FLOWS)}, not {name!r}."
        )
    for option in ("resume", "groups", "time"):
        if getattr(arguments, option):
            raise UsageError(f"--{option} is for tables.")
    path = images.check_input(arguments.data)
    if files.is_table(path.name) and path.suffix.lower() not in images.ARRAY_SUFFIXES:
        raise UsageError(
            f"'{path}' is a table and --flow {name} is for images: leave out --flow, "
            "or take one of tables such as nsf-ar."
        )
    out, options = config.check_outputs(arguments, [path]), _options(arguments)
    quiet.import_tensorflow()
    images.fit(arguments, path, out, flow_options.checked(name, options), options)


def _check_training_rows(
    path: Path, share: float, train: np.ndarray, *parts: Table | None
) -> None:
    """Raise if too few rows are left to fit, or if they do not vary."""
    import numpy as np

    if len(train) < MIN_ROWS:
        raise UsageError(
            f"{path}: --test-fraction {share} leaves {len(train)} rows to fit, "
            f"{MIN_ROWS} needed: choose a smaller fraction."
        )
    still = [
        name
        for table in parts
        if table is not None
        for name, column in zip(table.columns, table.x[train].T, strict=True)
        if np.nanmin(column) == np.nanmax(column)
    ]
    if still:
        raise UsageError(
            f"{path}: column {still[0]!r} is constant in all rows but those held out: "
            "drop it, or try another --seed."
        )


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    options = dict(map(flow_options.read, arguments.option))
    if arguments.members is not None:
        options["members"] = arguments.members
    flow_options.check_values(options)
    return options
