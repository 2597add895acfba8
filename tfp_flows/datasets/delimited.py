"""Tables as text: cells between commas, semicolons or tabs, compressed or not."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, TextIO

from tfp_flows import _findings, _optional
from tfp_flows._counts import counted
from tfp_flows.datasets import limits, notation
from tfp_flows.datasets.table import default_columns

__all__ = ["STANDARD_INPUT", "header", "read", "safe", "suffix", "write"]

STANDARD_INPUT = "-"
# A first line that is longer has no line breaks, or is no table.
_LONGEST_HEADER = 2**24
# A first line by which spreadsheets say what separates cells.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|:\t])"?', re.IGNORECASE)
# Encodings in which each byte is a letter.
_BYTE_BY_BYTE = re.compile(r"cp125\d|iso8859-\d+|mac-.*|koi8-.")
# What begins so is a formula to a spreadsheet, which may run when the file is opened.
_FORMULA = ("=", "+", "-", "@")


def read(path: Path, text: Container[str] | None = ()) -> Any:
    """Read a file, or standard input, into a data frame of pandas.

    Args:
        path: The file; `-` for standard input.
        text: Columns to keep as they are written, `None` for all.

    Raises:
        ValueError: If it is no table in the encoding that is wanted, if rows are longer
            than the first line, or if numbers can be read in two ways.
    """
    wanted = notation.given()
    pd = _optional.require("pandas", extra="tables")
    kind = f"{suffix(path)} file"
    with limits.reading(path, kind):
        stream = io.TextIOWrapper(
            io.BufferedReader(limits.Checked(path, _opened(path, kind), kind)),
            encoding="utf-8-sig",
            newline="",
        )
        with stream:
            return _read(pd, path, kind, stream, text, wanted.decimal)


def suffix(path: str | os.PathLike[str]) -> str:
    """Return the ending of a file's name, `.csv.gz` and the like in one."""
    endings = [ending.lower() for ending in Path(path).suffixes[-2:]]
    if os.fspath(path) == STANDARD_INPUT:
        return ".csv"
    return "".join(endings if endings[-1:] == [".gz"] else endings[-1:])


def _opened(path: Path, kind: str) -> Any:
    """Return a stream of UTF-8, also of a file in the encoding that is wanted."""
    stream, encoding = _open(path), notation.given().encoding
    start = stream.read(limits.LONGEST_MARK)
    stream.seek(0)
    foreign = limits.foreign(start)
    if foreign is not None:
        stream.close()
        raise limits.unreadable(path, foreign, kind)
    if encoding is None and start[:2] in limits.UTF16 and start[2:4] != b"\0\0":
        encoding = "utf-16"
    if encoding is None:
        return stream
    with stream:
        data = stream.read()
    if _BYTE_BY_BYTE.fullmatch(codecs.lookup(encoding).name) and _is_utf8(data):
        what = f"it is text in UTF-8 and not in {encoding!r}: leave out `encoding`"
        raise limits.unreadable(path, what, kind)
    try:
        return io.BytesIO(data.decode(encoding).encode("utf-8"))
    except UnicodeError:
        what = f"it is no text in {encoding!r}: name another encoding"
        raise limits.unreadable(path, what, kind) from None


def _is_utf8(data: bytes) -> bool:
    """Say whether bytes that are not all ASCII are text in UTF-8, which none other is.

    Any byte is a letter in encodings of one byte, so that a wrong one goes unnoticed.
    """
    try:
        data.decode("utf-8")
    except UnicodeError:
        return False
    return not data.isascii()


def _open(path: Path) -> Any:
    if os.fspath(path) == STANDARD_INPUT:
        return io.BytesIO(
            limits.unpacked_bytes(STANDARD_INPUT, sys.stdin.buffer.read())
        )
    if path.is_fifo():  # read once, from its start to its end
        return io.BytesIO(limits.unpacked_bytes(str(path), path.read_bytes()))
    if path.suffix.lower() == ".gz":
        return io.BytesIO(limits.unpacked(path))
    return path.open("rb")


def _read(
    pd: Any,
    path: Path,
    kind: str,
    stream: TextIO,
    text: Container[str] | None,
    decimal: str | None,
) -> Any:
    tabs = suffix(path).startswith(".tsv")
    separator, names, skipped = _read_header(stream, tabs)
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
    with limits.naming(path):

        def again() -> Any:
            stream.seek(0)
            _read_header(stream, tabs)
            dtype = dict.fromkeys(range(len(names)), str)
            return _read_rows(pd, stream, separator, len(names), dtype)

        if text is None:
            _rewritten(frame, decimal)
        else:
            _in_one_notation(frame, names, as_written, decimal, again)
        if decimal is None and separator == ";":
            _findings.report(_maybe_thousands(frame, names))
    frame.columns = names
    return _without_empty(frame)


def _in_one_notation(
    frame: Any,
    names: Sequence[str],
    as_written: Container[int],
    decimal: str | None,
    again: Callable[[], Any],
) -> None:
    """Turn columns with decimal commas, or with separators of thousands, into numbers.

    Args:
        frame: Columns 0 to `d - 1`, which is changed.
        names: Their names.
        as_written: Which of them stay as they are.
        decimal: The decimal sign, `None` to take it from the cells.
        again: Returns all columns as text.

    Raises:
        ValueError: If cells contradict each other, or all can be read in two ways.
    """
    columns = [i for i in range(len(names)) if i not in as_written]
    texts = {i: _texts(frame.iloc[:, i]) for i in columns}
    odd = [i for i, cells in texts.items() if cells and _are_numbers(cells)]
    if not odd and decimal in (None, "."):
        return
    kinds = [getattr(frame.dtypes.iloc[i], "kind", "O") for i in range(len(names))]
    plain = [i for i in columns if kinds[i] in "fiu"]
    whole = again()
    cells = {i: _texts(whole.iloc[:, i], missing=True) for i in sorted({*odd, *plain})}
    if decimal is None:
        decimal = notation.of_cells([c for c in part if c] for part in cells.values())
    if decimal is None:
        commas = ((i, c) for i in odd for c in cells[i] if c and "," in c)
        place, first = next(commas, (0, None))
        if first is not None:
            msg = (
                f"column {names[place]!r} holds {first!r}, whose comma may be decimal "
                "or stand between thousands. Pass decimal=',' or decimal='.'."
            )
            raise ValueError(msg)
        decimal = "."
    for i in odd if decimal == "." else cells:
        found = notation.numbers(cells[i], decimal)
        frame.isetitem(i, whole.iloc[:, i] if found is None else found)


def _rewritten(frame: Any, decimal: str | None) -> None:
    """Write text that is numbers with decimal commas with points, where that is known.

    Args:
        frame: Columns of text, which is changed.
        decimal: The decimal sign, `None` to take it from the cells.
    """
    columns = {i: _texts(frame.iloc[:, i], missing=True) for i in range(frame.shape[1])}
    there = {i: [c for c in cells if c] for i, cells in columns.items()}
    there = {i: cells for i, cells in there.items() if cells and _are_numbers(cells)}
    if decimal is None:
        with contextlib.suppress(ValueError):
            decimal = notation.of_cells(there.values())
    for i in there if decimal == "," else ():
        cells = [c and (notation.canonical(c, ",") or c) for c in columns[i]]
        frame.isetitem(i, cells)


def _texts(column: Any, *, missing: bool = False) -> list[Any]:
    """Return the cells of a column of text, `None` for missing ones; none of others."""
    if getattr(column.dtype, "kind", "O") not in "OUS":
        return [None] * len(column) if missing else []
    cells = [cell if isinstance(cell, str) else None for cell in column]
    return cells if missing else [cell for cell in cells if cell is not None]


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(map(notation.is_number, cells))


def _maybe_thousands(frame: Any, names: Sequence[str]) -> list[_findings.Finding]:
    """Find numbers of three decimals, as points between thousands would make them."""
    found = []
    for i, name in enumerate(names):
        if getattr(frame.dtypes.iloc[i], "kind", "O") != "f":
            continue
        values = frame.iloc[:, i].dropna().abs()
        steps = values * 1000.0
        whole = (steps - steps.round()).abs() < 1e-6
        ends = steps.round() % 10.0 != 0.0
        groups = (values >= 1.0) & (values < 1000.0)
        if len(values) > 1 and (whole & groups).all() and 2 * ends.sum() > len(values):
            sentence = (
                f"holds numbers such as {values.iloc[0]:.3f}, of three decimals and "
                "not below 1, between semicolons: its points are taken for decimal "
                "ones. Pass decimal=',' if they stand between thousands, else "
                "decimal='.'."
            )
            found.append(_findings.Finding(f"column {name!r}", sentence))
    return found


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
    numeric = [_is_number(c) or notation.is_number(c) for c in cells if c]
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
    start, said = 0, _SEPARATOR_LINE.fullmatch(first.strip("\r\n "))
    if said is not None:
        start = stream.tell()
        first = stream.readline(_LONGEST_HEADER)
    unquoted = re.sub(r'"[^"]*"', "", first)
    separator = ","
    if said is not None:
        separator = said[1]
    elif tabs or ("\t" in unquoted and "," not in unquoted and ";" not in unquoted):
        separator = "\t"
    elif ";" in unquoted:
        separator = ";"
    stream.seek(start)
    rows = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    cells = next((row for row in rows if any(cell.strip() for cell in row)), [])
    cells = [cell.strip() for cell in cells]
    names = header(cells)
    if names is None:
        stream.seek(start)
        return separator, list(default_columns(len(cells))), int(start > 0)
    return separator, names, rows.line_num + int(start > 0)


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
        f"{limits.called(path)} must have {counted(len(names), 'cell')} in each "
        f"row, as its first line has, got {found}. {remedy}"
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
