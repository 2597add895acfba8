"""`tfp-flows fit`: fit a flow to a table, or to images."""

from __future__ import annotations

import argparse
import ast
import time
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import files, flow_options, images, models, quiet, ranges, tables
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.flows import Flow

__all__ = ["add_parser", "run"]

# With fewer there is nothing to hold out and to validate with.
MIN_ROWS = 10


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "fit",
        help="fit a flow to a table or to images and save it",
        description="Fit a flow to the rows of a table, print the mean log-likelihood "
        "of rows held out, and save the flow with its column names. With a flow of "
        "images such as glow: fit it to images [N, H, W, C] of pixels from 0 to 255, "
        "and print bits per dimension.",
    )
    add = parser.add_argument
    add(
        "data",
        metavar="DATA",
        help="table: .csv, .parquet or .npz; images: .npz, .npy, idx file or folder",
    )
    add(
        "--flow",
        type=flow_options.flow_name,
        metavar="NAME",
        help="such as nsf-ar, nsf, maf, glow",
    )
    add("--out", required=True, metavar="F.keras", help="file to write the flow to")
    add("--columns", metavar="A,B", help="columns to model; default: all others")
    add(
        "--condition",
        metavar="C,D",
        help="columns that the density depends on; for images: the array of classes",
    )
    add(
        "--test-fraction",
        type=ranges.fraction,
        default=0.1,
        metavar="F",
        help="share of rows held out for the figure printed, equal rows on one side; "
        "default 0.1",
    )
    add("--epochs", type=ranges.count, metavar="N", help="most passes over the rows")
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
    add("--seed", type=int, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Fit a flow.

    Raises:
        UsageError: If the input is bad.
    """
    if images.is_image_file(arguments.data) or arguments.flow in images.FLOWS:
        _run_images(arguments)
        return
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    out = files.check_output(
        arguments.out, (files.MODEL_SUFFIX,), force=arguments.force, inputs=[path]
    )
    options = dict(_option(text) for text in arguments.option)
    try:
        events, conditions = tables.read(
            path,
            tables.split_names(arguments.columns),
            tables.split_names(arguments.condition) or [],
        )
    except UsageError as cause:
        if not images.holds_images(path):
            raise
        known = " or --flow ".join(images.FLOWS)
        raise UsageError(f"'{path}' holds images: add --flow {known}.") from cause
    if len(events) < MIN_ROWS:
        raise UsageError(f"{path}: {len(events)} rows are too few, {MIN_ROWS} needed.")
    tables.check_varies(path, events, conditions)
    train, test = tables.split_rows(
        arguments.test_fraction,
        arguments.seed,
        events.x,
        None if conditions is None else conditions.x,
    )
    for part in (events, conditions):
        if part is not None:
            _check_training_rows(path, part, train)
    quiet.import_tensorflow()
    name = _flow_name(arguments.flow, options)
    start = time.monotonic()
    flow = _fit(arguments, name, options, events, conditions, train)
    seconds = time.monotonic() - start
    models.save(flow, out)
    rows = test if len(test) else train
    values = models.log_prob(
        flow, events.x[rows], None if conditions is None else conditions.x[rows]
    )
    mean, error = models.mean_and_error(values)
    what = "held-out" if len(test) else "training"
    print(f"rows: {len(train)} to fit, {len(test)} held out")
    print(f"flow: {name}, {models.parameter_count(flow)} parameters")
    print(
        f"{what} log-likelihood: {mean:.4f} +- {error:.4f} nats per row, columns in "
        "their own units"
    )
    print(f"wrote {out} after {seconds:.0f} s of fitting")


def _run_images(arguments: argparse.Namespace) -> None:
    """Fit a flow of images."""
    name = arguments.flow or images.FLOWS[0]
    if name not in images.FLOWS:
        raise UsageError(
            f"'{arguments.data}' holds images, for which there are the flows "
            f"{', '.join(images.FLOWS)}, not {name!r}."
        )
    path = images.check_input(arguments.data)
    out = files.check_output(
        arguments.out, (files.MODEL_SUFFIX,), force=arguments.force, inputs=[path]
    )
    options = dict(_option(text) for text in arguments.option)
    quiet.import_tensorflow()
    images.fit(arguments, path, out, _flow_name(name, options), options)


def _check_training_rows(path: Any, table: Table, train: np.ndarray) -> None:
    still = [
        name
        for name, column in zip(table.columns, table.x[train].T, strict=True)
        if column.min() == column.max()
    ]
    if still:
        raise UsageError(
            f"{path}: column {still[0]!r} is constant in all rows but those held out: "
            "drop it, or try another --seed."
        )


def _flow_name(name: str | None, options: dict[str, Any]) -> str:
    """Return the name of the flow, after a check of it and of its options."""
    from tfp_flows import flows

    name = name or flows.DEFAULT
    known = flow_options.known(name)
    wrong = sorted(set(options) - set(known))
    if wrong:
        raise UsageError(
            f"flow {name} has no option {wrong[0]!r}, only {', '.join(known)}."
        )
    return name


def _fit(
    arguments: argparse.Namespace,
    name: str,
    options: dict[str, Any],
    events: Table,
    conditions: Table | None,
    train: np.ndarray,
) -> Flow:
    from tfp_flows import training
    from tfp_flows.cli.progress import ProgressLine

    # Data are checked by now: what is of the wrong type is an option.
    with explained(also=(TypeError,) if options else ()):
        flow, _ = training.fit(
            name,
            events.x[train],
            None if conditions is None else conditions.x[train],
            columns=events.columns,
            condition_columns=None if conditions is None else conditions.columns,
            seed=arguments.seed,
            callbacks=[] if arguments.quiet else [ProgressLine()],
            verbose=0,
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            **options,
        )
    return flow


def _option(text: str) -> tuple[str, Any]:
    """Read `key=value`; what is no Python literal is a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(f"--option must be KEY=VALUE, got {text!r}.")
    if value.lower() in ("true", "false"):
        return key, value.lower() == "true"
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
