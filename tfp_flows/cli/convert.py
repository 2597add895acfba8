"""`tfp-flows convert`: a table to another format, a flow to a SavedModel."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
from pathlib import Path
from typing import Any

from tfp_flows._counts import counted
from tfp_flows.cli import columns, files, models, output, quiet, tables
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

__all__ = ["add_parser", "run"]

# Beyond, floats skip integers.
_LARGEST = 2**53
# By one of these a folder is known to be a model.
_MODELS = ("saved_model.pb", "log_prob.onnx")


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "convert",
        help="convert a table to another format, or a flow to a SavedModel",
        description="Write a table in the format that the ending of OUT states; "
        "columns of text, dates and labels are kept, as text. Or read a flow and write "
        "it again: to OUT.keras in the format of today, or to a folder as a SavedModel "
        "with the signatures log_prob and sample, for TensorFlow Serving, or with "
        "--format onnx as log_prob.onnx and sample.onnx.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=f"table: {files.TABLES}; or flow, .keras")
    add("out", metavar="OUT", help="table, .keras file or folder to write")
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add("--columns", metavar="A,B", help="columns of the table to keep; default: all")
    add(
        "--format",
        choices=("tf_saved_model", "onnx"),
        help="what to write into the folder; default tf_saved_model",
    )
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Convert a file.

    Raises:
        UsageError: If the input is bad.
    """
    if arguments.format and (
        files.is_table(arguments.file)
        or Path(arguments.out).suffix == files.MODEL_SUFFIX
    ):
        raise UsageError("--format is for flows that are written to a folder.")
    if files.is_table(arguments.file):
        _convert_table(arguments)
        return
    path = files.check_input(
        arguments.file, (files.MODEL_SUFFIX, *files.TABLE_SUFFIXES)
    )
    for name in ("sheet", "columns"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for tables, and '{path}' is a flow.")
    if Path(arguments.out).suffix == files.MODEL_SUFFIX:
        out = files.check_output(
            arguments.out,
            (files.MODEL_SUFFIX,),
            force=arguments.force,
            inputs=[path],
        )
        models.save(models.load(arguments.file)[1], out)
    else:
        out = _new_folder(arguments.out, force=arguments.force)
        _export(models.load(arguments.file)[1], out, arguments.format)
    report = Report(arguments)
    report.line(f"wrote {out}", out=out)
    report.end()


def _new_folder(text: str, *, force: bool) -> Path:
    """Return the path of a folder that can be made.

    Raises:
        UsageError: If something is there already that is no SavedModel, or its name
            looks like a file's.
    """
    with files.named(text) as out:
        exists = out.exists()
        is_model = any((out / name).exists() for name in _MODELS)
        parent = out.absolute().parent
    if out.suffix:
        raise UsageError(
            f"a flow becomes a {files.MODEL_SUFFIX} file, or a folder whose name has "
            f"no ending, got '{text}'."
        )
    if exists and not (force and is_model):
        how = "add --force" if is_model else "choose another name"
        raise UsageError(f"'{text}' exists: {how}.")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageError(f"cannot write to '{text}': there is no folder to write to.")
    return out


def _export(flow: Any, out: Path, kind: str | None) -> None:
    """Write a SavedModel or ONNX graphs, in place of what may be there."""
    with (
        explained(f"cannot write to '{out}'"),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        flow.export(os.fspath(out), kind or "tf_saved_model", verbose=False)


def _convert_table(arguments: argparse.Namespace) -> None:
    path = files.check_input(arguments.file, files.TABLE_SUFFIXES)
    out = files.check_output(
        arguments.out, files.TABLE_SUFFIXES, force=arguments.force, inputs=[path]
    )
    source = tables.open_source(path, arguments.sheet, text=None)
    names = columns.resolve(arguments.columns, source.columns)
    for name in names or ():
        if name not in source.columns:
            raise UsageError(f"{path}: {columns.missing(name, source.columns)}")
    names = list(source.columns) if names is None else names
    with explained(path):
        found = {name: _cells(source, name) for name in names}
    count = len(next(iter(found.values()), ()))
    if not names or not count:
        what = "rows" if names else "columns"
        raise UsageError(f"'{path}' must hold a table, got one without {what}.")
    text = [name for name, cells in found.items() if isinstance(cells, list)]
    if out.suffix == ".npy" and text:
        raise UsageError(
            f"a .npy file holds numbers, and column {text[0]!r} of '{path}' holds "
            "text: leave it out by --columns, or write another format."
        )
    quiet.notice(f"writing {out.name}", quiet=arguments.quiet)
    _write(out, found, count)
    report = Report(arguments)
    report.line(
        f"wrote {counted(count, 'row')} of {counted(len(names), 'column')} to {out}",
        rows=count,
        columns=names,
        text_columns=text,
        out=out,
    )
    report.end()


def _write(out: Path, found: dict[str, Any], count: int) -> None:
    """Write columns in their order; in NumPy's files, numbers as one array."""
    import numpy as np

    if out.suffix not in (".npz", ".npy"):
        output.write(out, np.empty((count, 0)), (), found)
        return
    numbers = {k: v for k, v in found.items() if not isinstance(v, list)}
    x = np.empty((count, 0))
    if numbers:
        x = np.stack([np.asarray(v, np.float64) for v in numbers.values()], axis=1)
    text = {k: v for k, v in found.items() if isinstance(v, list)}
    output.write(out, x, list(numbers), text)


def _cells(source: Any, name: str) -> Any:
    """Return a column as an array of numbers, or as a list of text.

    What would not be written again as it is, such as `007` or an integer of 20 digits,
    is text.
    """
    import numpy as np

    from tfp_flows.datasets import readers

    cells = source.labels(name)
    if any(isinstance(cell, str) for cell in cells):
        if all(isinstance(c, str) and (not c or _is_number(c)) for c in cells):
            return _whole(np.array([float(cell or "nan") for cell in cells]))
        return [str(cell) for cell in cells]
    try:
        table = readers.checked(source, [name], check=False)
    except ValueError:  # no numbers, or integers beyond what floats hold
        return [str(cell) for cell in cells]
    if table.units or table.labels:
        return [str(cell) for cell in cells]
    return _whole(table.x[:, 0].astype(np.float64))


def _whole(values: Any) -> Any:
    """Return integers where all values are some."""
    import numpy as np

    whole = np.isfinite(values) & (values == np.round(values))
    return values.astype(np.int64) if whole.all() else values


def _is_number(cell: str) -> bool:
    """Whether text is a number that is written as it would be written again."""
    try:
        value = float(cell)
    except ValueError:
        return False
    body = cell.strip().removeprefix("-")
    leads = len(body) > 1 and body[0] == "0" and body[1].isdigit()
    exact = not body.isdigit() or int(body) <= _LARGEST
    return (
        exact
        and not leads
        and not body.startswith("+")
        and "_" not in body
        and (math.isfinite(value))
    )
