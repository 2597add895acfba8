"""Read tables from files, with errors that name the cell, and write them."""

from __future__ import annotations

import csv
import math
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from tfp_flows import _optional
from tfp_flows.datasets.table import Table, check_columns, default_columns, to_table

__all__ = ["read_table", "write_table"]


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    check: bool = True,
) -> Table:
    """Read a table of numbers from a `.csv`, `.parquet` or `.npz` file.

    CSV: UTF-8. The separator is a semicolon if the first line has one outside quotes,
    else a tab if it has one and no comma, else a comma. The first line is the header,
    unless each of its cells is a number or empty and at least one is a number: then it
    is data and the columns are called `x0`, `x1` and so on.

    NPZ: the values are the array `x`, or else the only array with two axes. An array
    `columns` names the columns and an array `fold` numbers the folds, if present.

    Values keep float32 or float64; numbers in CSV files with a decimal point are read
    as float64, and columns of integers become float32 (as in `to_table`).

    Args:
        path: File to read; its extension states the format.
        columns: Names of the columns to keep, in this order. Default: all.
        check: Whether to raise on NaN and infinite cells.

    Returns:
        Table with at least one row and one column.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not readable in its format or holds no rows, if a
            column is not numeric or does not exist, if a cell is missing or infinite,
            or if two columns share a name. Rows count from 1, without the header.
        MissingExtraError: If the format needs a package that is not installed.

    Example:
        >>> from tfp_flows import datasets
        >>> table = datasets.read_table("wine.csv")  # doctest: +SKIP
    """
    path = Path(path).expanduser()
    reader = _by_extension(path, _READERS)
    if path.is_dir():
        raise ValueError(
            f"`path` must be a file, got the folder '{path}'. Name a file."
        )
    if not path.exists():
        raise FileNotFoundError(
            f"`path` must be an existing file, got '{path}'. Check the spelling and "
            "the folder."
        )
    table = reader(path, columns)
    if 0 in table.x.shape:
        what = "rows" if table.x.shape[1] else "columns"
        raise ValueError(f"'{path}' must hold a table, got one without {what}.")
    if check:
        check_columns(table, constant=False)
    return table


def write_table(
    path: str | os.PathLike[str],
    x: Any,
    columns: Sequence[str] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write a table of numbers to a `.csv`, `.parquet` or `.npz` file.

    CSV files hold as many digits as it takes to read the same values back. Folds are
    kept in `.npz` files only.

    Args:
        path: File to write; its extension states the format.
        x: Values `[n, d]`, or anything else that `to_table` accepts.
        columns: Names of the columns. Default: those of `x`, or `x0`, `x1` and so on.
        force: Whether to overwrite an existing file.

    Returns:
        The path written.

    Raises:
        FileExistsError: If the file exists and `force` is False.
        FileNotFoundError: If the folder does not exist.
        ValueError: If the extension is unknown, or the values or names are wrong.
        MissingExtraError: If the format needs a package that is not installed.
    """
    path = Path(path).expanduser()
    writer = _by_extension(path, _WRITERS)
    table = to_table(x)
    if columns is not None:
        table = Table(table.x, tuple(columns), table.fold)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`path` must lie in an existing folder, got '{path}'. Create "
            f"'{path.parent}' first."
        )
    if path.exists() and not force:
        raise FileExistsError(
            f"`path` must not exist yet, got '{path}'. Choose another name, or pass "
            "force=True to overwrite it."
        )
    writer(path, table)
    return path


def _by_extension(path: Path, table: dict[str, Callable[..., Any]]) -> Any:
    extension = path.suffix.lower()
    if extension not in table:
        raise ValueError(
            f"`path` must end in {', '.join(table)}, got '{path.name}'. Convert the "
            "file, or rename it if only its name is wrong."
        )
    return table[extension]


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ValueError(
        f"'{path}' must be a readable {path.suffix.lower()} file, got: "
        f"{reason.rstrip('.')}. Check that the extension states the format and that "
        "the file is complete."
    )


def _read_csv(path: Path, columns: Sequence[str] | None) -> Table:
    pd = _optional.require("pandas", extra="tables")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator, names, skipped = _read_header(stream)
            if not names:
                return Table(np.empty((0, 0)), ())
            frame = _read_rows(pd, stream, separator, len(names))
    except pd.errors.ParserWarning:
        raise _ragged(path, len(names), "a longer one below it") from None
    except pd.errors.ParserError as error:
        found = re.search(r"in line (\d+), saw (\d+)", str(error))
        if found is None:
            raise _unreadable(path, error) from error
        line, cells = (int(number) for number in found.groups())
        raise _ragged(path, len(names), f"{cells} in line {line + skipped}") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _unreadable(path, error) from error
    frame.columns = names
    return _from_frame(frame, columns)


def _read_header(stream: TextIO) -> tuple[str, list[str], int]:
    """Read up to the first row of data.

    Args:
        stream: Text of the file, at its start; afterwards at the first row of data.

    Returns:
        `(separator, names, skipped)`: no names if the file is empty, and the number of
        lines before the first row.
    """
    first = next((line for line in stream if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", first)
    separator = ","
    if ";" in unquoted:
        separator = ";"
    elif "\t" in unquoted and "," not in unquoted:
        separator = "\t"
    stream.seek(0)
    rows = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    cells = next((row for row in rows if any(cell.strip() for cell in row)), [])
    cells = [cell.strip() for cell in cells]
    numeric = [_is_number(cell) for cell in cells if cell]
    if numeric and all(numeric):
        stream.seek(0)
        return separator, list(default_columns(len(cells))), 0
    return separator, cells, rows.line_num


def _read_rows(pd: Any, stream: TextIO, separator: str, d: int) -> Any:
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
                **exact,
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=range(d), dtype=np.float64)


def _ragged(path: Path, d: int, found: str) -> ValueError:
    return ValueError(
        f"'{path}' must have {d} cells in each row, as its first line has, got "
        f"{found}. Look for a stray separator or decimal commas."
    )


def _is_number(cell: str) -> bool:
    """Say whether a CSV cell is a finite number; `nan` may well be a column name."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _from_frame(frame: Any, columns: Sequence[str] | None) -> Table:
    """Select columns before they are converted: others may hold text."""
    names = [str(name) for name in frame.columns]
    if columns is not None:
        # A stand-in of no rows knows how to look names up and what to complain about.
        wanted = Table(np.empty((0, len(names))), tuple(names)).select(columns).columns
        frame = frame.iloc[:, [names.index(name) for name in wanted]]
    elif "" in names:
        raise ValueError(
            "every column must have a name, got none for column "
            f"{names.index('') + 1}. Name it in the header, or save the table without "
            "its row index."
        )
    return to_table(frame)


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Table:
    pd = _optional.require("pandas", extra="tables")
    arrow = _optional.require("pyarrow", extra="tables")
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return _from_frame(frame, columns)


def _read_npz(path: Path, columns: Sequence[str] | None) -> Table:
    try:
        archive = np.load(path, allow_pickle=False)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _unreadable(path, error) from error
    except ValueError:  # NumPy takes anything it does not know for a pickle
        raise _unreadable(path, ValueError("it is not a zip of arrays")) from None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _unreadable(path, ValueError("it is a single array"))
    with archive:
        try:
            arrays = {name: _load(archive, name) for name in archive.files}
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise _unreadable(path, error) from error
    x = _values(path, arrays)
    names = arrays.get("columns")
    fold = arrays.get("fold")
    d = x.shape[-1] if x.ndim == 2 else 1
    table = Table(
        to_table(x).x,
        default_columns(d) if names is None else tuple(names.ravel().tolist()),
        fold if fold is not None and fold.shape == (len(x),) else None,
    )
    return table if columns is None else table.select(columns)


def _load(archive: Any, name: str) -> np.ndarray | None:
    """Read one array; None stands for Python objects, which are never unpickled."""
    try:
        return archive[name]
    except ValueError:
        return None


def _values(path: Path, arrays: dict[str, np.ndarray | None]) -> np.ndarray:
    """Find the array of values in an archive."""
    if "x" in arrays:
        names = ["x"]
    else:
        names = [k for k, v in arrays.items() if v is not None and v.ndim == 2]
    objects = [name for name, value in arrays.items() if value is None]
    if objects and (not names or names[0] in objects):
        raise ValueError(
            f"array {objects[0]!r} of '{path}' must hold numbers, got Python objects, "
            "which can run code when loaded. Save it again after astype(float)."
        )
    if len(names) != 1:
        found = ", ".join(repr(name) for name in arrays) or "none"
        raise ValueError(
            f"'{path}' must hold an array 'x' or a single array with two axes, got "
            f"{found}. Name the array of values 'x'."
        )
    values = arrays[names[0]]
    if values is None or values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
        shape = None if values is None else f"{values.dtype} of shape {values.shape}"
        raise ValueError(
            f"array {names[0]!r} of '{path}' must hold numbers of shape [n, d], got "
            f"{shape}. Save it again as numbers."
        )
    return values


def _write_csv(path: Path, table: Table) -> None:
    pd = _optional.require("pandas", extra="tables")
    pd.DataFrame(table.x, columns=list(table.columns)).to_csv(path, index=False)


def _write_parquet(path: Path, table: Table) -> None:
    pd = _optional.require("pandas", extra="tables")
    _optional.require("pyarrow", extra="tables")
    frame = pd.DataFrame(table.x, columns=list(table.columns))
    frame.to_parquet(path, engine="pyarrow", index=False)


def _write_npz(path: Path, table: Table) -> None:
    arrays: dict[str, Any] = {
        "x": table.x,
        "columns": np.array(table.columns, dtype=np.str_),
    }
    if table.fold is not None:
        arrays["fold"] = table.fold
    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


_READERS = {".csv": _read_csv, ".parquet": _read_parquet, ".npz": _read_npz}
_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet, ".npz": _write_npz}
