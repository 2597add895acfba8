"""Tables as text: cells between commas, semicolons or tabs, compressed or not."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import sys
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, TextIO

from tfp_flows import _optional
from tfp_flows.datasets import limits
from tfp_flows.datasets.table import default_columns

__all__ = ["STANDARD_INPUT", "header", "read", "safe", "suffix", "write"]

STANDARD_INPUT = "-"
# A first line that is longer has no line breaks, or is no table.
_LONGEST_HEADER = 2**24
# What begins so is a formula to a spreadsheet, which may run when the file is opened.
_FORMULA = ("=", "+", "-", "@")


def read(path: Path, text: Container[str] | None = ()) -> Any:
    """Read a file, or standard input, into a data frame of pandas.

    Args:
        path: The file; `-` for standard input.
        text: Columns to keep as they are written, `None` for all.

    Raises:
        ValueError: If it is no table in UTF-8, or rows are longer than the first line.
    """
    pd = _optional.require("pandas", extra="tables")
    kind = f"{suffix(path)} file"
    with limits.reading(path, kind):
        stream = io.TextIOWrapper(
            io.BufferedReader(limits.Checked(path, _open(path), kind)),
            encoding="utf-8-sig",
            newline="",
        )
        with stream:
            return _read(pd, path, kind, stream, text)


def suffix(path: str | os.PathLike[str]) -> str:
    """Return the ending of a file's name, `.csv.gz` and the like in one."""
    endings = [ending.lower() for ending in Path(path).suffixes[-2:]]
    if os.fspath(path) == STANDARD_INPUT:
        return ".csv"
    return "".join(endings if endings[-1:] == [".gz"] else endings[-1:])


def _open(path: Path) -> Any:
    if os.fspath(path) == STANDARD_INPUT:
        return io.BytesIO(
            limits.unpacked_bytes(STANDARD_INPUT, sys.stdin.buffer.read())
        )
    if path.suffix.lower() == ".gz":
        return io.BytesIO(limits.unpacked(path))
    return path.open("rb")


def _read(
    pd: Any, path: Path, kind: str, stream: TextIO, text: Container[str] | None
) -> Any:
    separator, names, skipped = _read_header(stream, suffix(path).startswith(".tsv"))
    if not names:
        return pd.DataFrame()
    as_written = {i: str for i, n in enumerate(names) if text is None or n in text}
    try:
        frame = _read_rows(pd, stream, separator, len(names), as_written)
    except pd.errors.ParserWarning:
        raise _ragged(path, names, "a longer one below it") from None
    except pd.errors.ParserError as error:
        found = re.search(r"in line (\d+), saw (\d+)", str(error))
        if found is None:
            raise limits.unreadable(path, error, kind) from error
        line, cells = (int(number) for number in found.groups())
        raise _ragged(path, names, f"{cells} in line {line + skipped}") from None
    frame.columns = names
    return _without_empty(frame)


def _without_empty(frame: Any) -> Any:
    """Leave out columns without a name and without a value, as of stray separators."""
    kept = [
        i
        for i, name in enumerate(frame.columns)
        if name or not frame.iloc[:, i].isna().all()
    ]
    return frame if len(kept) == frame.shape[1] else frame.iloc[:, kept]


def header(cells: Sequence[str]) -> list[str] | None:
    """Return the names in a first row, `None` if it holds numbers."""
    numeric = [_is_number(cell) for cell in cells if cell]
    if numeric and all(numeric):
        return None
    # `write` puts an apostrophe before what a spreadsheet would take for a formula.
    return [
        cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell
        for cell in cells
    ]


def _read_header(stream: TextIO, tabs: bool) -> tuple[str, list[str], int]:  # noqa: FBT001
    """Read up to the first row of data.

    Args:
        stream: Text of the file, at its start; afterwards at the first row of data.
        tabs: Whether tabs separate cells in any case.

    Returns:
        `(separator, names, skipped)`: no names if the file is empty, and the number of
        lines before the first row.
    """
    first = stream.readline(_LONGEST_HEADER)
    while first and not first.strip():
        first = stream.readline(_LONGEST_HEADER)
    if len(first) == _LONGEST_HEADER:
        msg = f"its first line is longer than {_LONGEST_HEADER:,} characters"
        raise ValueError(msg)
    unquoted = re.sub(r'"[^"]*"', "", first)
    separator = ","
    if tabs or ("\t" in unquoted and "," not in unquoted and ";" not in unquoted):
        separator = "\t"
    elif ";" in unquoted:
        separator = ";"
    stream.seek(0)
    rows = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    cells = next((row for row in rows if any(cell.strip() for cell in row)), [])
    cells = [cell.strip() for cell in cells]
    names = header(cells)
    if names is None:
        stream.seek(0)
        return separator, list(default_columns(len(cells))), 0
    return separator, names, rows.line_num


def _read_rows(
    pd: Any, stream: TextIO, separator: str, d: int, dtype: dict[int, type[str]]
) -> Any:
    """Read the rows that follow the header into a frame with columns 0 to `d - 1`."""
    # From pandas 3.1 on, reading is exact by default and the argument is deprecated.
    version = tuple(int(part) for part in re.findall(r"\d+", pd.__version__)[:2])
    exact = {"float_precision": "round_trip"} if version < (3, 1) else {}
    with warnings.catch_warnings():
        # A first row with more cells than the header: pandas warns and drops them.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                stream,
                sep=separator,
                header=None,
                names=range(d),
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
                dtype=dtype,
                **exact,
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=range(d), dtype=float)


def _ragged(path: Path, names: Sequence[str], found: str) -> ValueError:
    remedy = "Look for a stray separator or decimal commas."
    if names[0].startswith("#"):
        remedy = "Delete lines of comments: the first one is read as the header."
    return limits.FileError(
        f"'{path}' must have {len(names)} cells in each row, as its first line has, "
        f"got {found}. {remedy}"
    )


def _is_number(cell: str) -> bool:
    """Say whether a CSV cell is a finite number; `nan` may well be a column name."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def safe(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _is_number(cell):
        return f"'{cell}"
    return cell


def write(
    path: Path | TextIO, frame: Any, separator: str = ",", *, header: bool = True
) -> None:
    """Write a data frame.

    Text that begins with `=`, `+`, `-` or `@` and is no number gets an apostrophe, so
    that a spreadsheet does not run it.

    Args:
        path: File to write, packed if it ends in `.gz`; or a stream.
        frame: Data frame of pandas.
        separator: What to put between cells.
        header: Whether to write the names first.
    """
    frame = frame.rename(columns={name: safe(name) for name in frame.columns})
    for i, kind in enumerate(frame.dtypes):
        if getattr(kind, "kind", "O") not in "fiub":
            frame.isetitem(i, [safe(cell) for cell in frame.iloc[:, i]])
    frame.to_csv(path, index=False, sep=separator, header=header)
