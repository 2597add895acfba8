"""`tfp-flows score`: log-density of each row of a table, bits/dim of images."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tfp_flows.cli import files, images, models, tables
from tfp_flows.cli.errors import explained

__all__ = ["add_parser", "run"]

_UNIT = " nats, columns in their own units"


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
        help="table: .csv, .parquet or .npz; images: .npz, .npy, idx file or folder",
    )
    add(
        "--out",
        metavar="SCORES",
        help="table to write: .csv, .parquet or .npz; default: CSV to standard output",
    )
    add(
        "--condition",
        metavar="C,D",
        help="columns of the condition, if not in the file; for images: the array of "
        "classes, default y",
    )
    add("--seed", type=int, metavar="N", help="accepted by each command; not used here")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Score a table.

    Raises:
        UsageError: If the input is bad.
    """
    files.check_input(arguments.flow, (files.MODEL_SUFFIX,))
    path = images.check_input(arguments.data)
    out = None
    if arguments.out is not None:
        out = files.check_output(
            arguments.out, files.TABLE_SUFFIXES, force=arguments.force, inputs=[path]
        )
    _, flow = models.load(arguments.flow)
    if images.is_image_flow(flow):
        bits = images.score(flow, path, arguments.condition)
        _report(out, bits, "bits_per_dim", "images, mean bits/dim", "")
        return
    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    x, condition = tables.read_for_flow(
        path, flow, tables.split_names(arguments.condition)
    )
    values = models.log_prob(flow, x, condition)
    _report(out, values, "log_prob", "rows, mean log-likelihood", _UNIT)


def _report(out: Any, values: Any, column: str, what: str, unit: str) -> None:
    """Write one number for each row, and print their mean."""
    import numpy as np

    write(out, values[:, None], [column])
    mean, error = models.mean_and_error(values)
    summary = f"{len(values)} {what} {mean:.4f} +- {error:.4f}{unit}"
    infinite = int(np.sum(~np.isfinite(values)))
    if infinite:
        summary += f", {infinite} of them not finite"
    print(summary, file=sys.stdout if out else sys.stderr)


def write(out: Any, values: Any, columns: list[str]) -> None:
    """Write a table to a file, or as CSV to standard output if `out` is `None`.

    Raises:
        UsageError: If the file cannot be written.
    """
    if out is None:
        import numpy as np

        print(",".join(columns))
        for row in values:
            print(",".join(np.format_float_positional(v, trim="0") for v in row))
        return
    from tfp_flows import datasets

    with files.replacing(out) as temporary, explained(out):
        datasets.write_table(temporary, values, columns)
