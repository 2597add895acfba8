"""Read tables from files, with errors that name the cell."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfp_flows import _optional
from tfp_flows.datasets import (
    archives,
    delimited,
    frames,
    limits,
    notation,
    spreadsheets,
)
from tfp_flows.datasets.table import Table, check_columns, default_columns, to_table

__all__ = [
    "SUFFIXES",
    "TEXT_SUFFIXES",
    "Source",
    "checked",
    "known_suffix",
    "open_table",
    "read_table",
]

TEXT_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
# Of archives, and of what is compressed in another way than by gzip.
_PACKED = (".zip", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz")
SUFFIXES = (*TEXT_SUFFIXES, ".xlsx", ".parquet", ".npz", ".npy")


class Source:
    """A table as it is in its file: columns of any type.

    Attributes:
        path: The file.
        columns: Names of all columns.
    """

    def __init__(self, path: Path, content: Any) -> None:
        self.path = path
        self._content = content
        self._others = getattr(content, "attrs", {}).get(spreadsheets.OTHERS, ())
        self.columns = tuple(str(name) for name in content.columns)

    def numbers(
        self,
        columns: Sequence[str] | None = None,
        *,
        labels: frames.Labels | None = None,
        categories: Sequence[str] = (),
        units: Mapping[str, str] | None = None,
    ) -> Table:
        """Return columns as numbers.

        Args:
            columns: Names of the columns, in this order. Default: all.
            labels: Labels of categories, as of `to_table`.
            categories: Names of columns of categories.
            units: What dates are to be counted in, as of `Table.in_units`; `None` for
                what they are.

        Raises:
            ValueError: If a column does not exist or holds no numbers, or dates where
                there are none by `units`.
        """
        if isinstance(self._content, Table):
            table = self._content
            return table if columns is None else table.select(columns)
        frame = _selected(self._content, columns)
        table = to_table(frame, labels=labels, categories=categories)
        return table if units is None else table.in_units(units)

    def frame(self, columns: Sequence[str]) -> Any:
        """Return columns as they are in the file: a table, or a data frame.

        Args:
            columns: Their names, in this order.

        Raises:
            ValueError: If there is no such column.
        """
        if isinstance(self._content, Table):
            return self._content.select(columns)
        return _selected(self._content, columns)

    @contextlib.contextmanager
    def first_sheet_named(self) -> Iterator[None]:
        """Say in errors that a file has other sheets, where none was asked for."""
        try:
            yield
        except ValueError as error:
            if not self._others:
                raise
            names = ", ".join(map(repr, self._others))
            msg = f"{error} This is its first sheet: `sheet` may name another, {names}."
            raise limits.FileError(msg) from error

    def labels(self, column: str) -> list[Any]:
        """Return a column of any type.

        Args:
            column: Its name. What identifies rows of a text file must be among the
                columns that `open_table` keeps as they are written.

        Raises:
            ValueError: If there is no such column.
        """
        if isinstance(self._content, Table):
            return self._content.select([column]).x[:, 0].tolist()
        stand_in = Table(np.empty((0, len(self.columns))), self.columns)
        (name,) = stand_in.select([column]).columns
        cells = self._content.iloc[:, self.columns.index(name)]
        return ["" if cell != cell or cell is None else cell for cell in cells]


def open_table(
    path: str | os.PathLike[str],
    *,
    sheet: str | None = None,
    text: Container[str] | None = (),
    decimal: str | None = None,
    encoding: str | None = None,
) -> Source:
    """Read a file without choosing its columns; see `read_table`.

    Args:
        path: File to read, or `-` for standard input.
        sheet: Name of a sheet, of `.xlsx` files.
        text: Columns of text files to keep as they are written, such as `007`; `None`
            for all.
        decimal: As of `read_table`.
        encoding: As of `read_table`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not readable in its format.
        MissingExtraError: If the format needs a package that is not installed.
    """
    if os.fspath(path) != delimited.STANDARD_INPUT:
        path = Path(path).expanduser()
        _check_exists(path)
    path = Path(path)
    suffix = known_suffix(path)
    if sheet is not None and suffix != ".xlsx":
        raise ValueError(
            f"`sheet` must be left out but for .xlsx files, got {sheet!r} for '{path}'."
        )
    if suffix not in TEXT_SUFFIXES and (decimal, encoding) != (None, None):
        raise ValueError(
            "`decimal` and `encoding` must be left out but for text files, got "
            f"{decimal!r} and {encoding!r} for '{path}'."
        )
    if suffix == ".xlsx":
        return Source(path, spreadsheets.read(path, sheet))
    if suffix in TEXT_SUFFIXES:
        with notation.using(decimal, encoding):
            return Source(path, delimited.read(path, text))
    with limits.naming(path):
        return Source(path, _BINARY[suffix](path))


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    sheet: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    check: bool = True,
) -> Table:
    """Read a table of numbers from a file.

    `.csv`, `.tsv`, each also packed as `.gz`, and `-` for standard input: UTF-8, or
    UTF-16 with its mark. Decimal commas, and points, commas, apostrophes or blanks
    between thousands, are read where some cell of the file leaves no doubt. The
    separator of `.tsv` is a tab. Otherwise it is a semicolon if the first line has one
    outside quotes, else a tab if it has one and no comma, else a comma. The first line
    is the header, unless each of its cells is a number or empty and at least one is a
    number: then it is data and the columns are called `x0`, `x1` and so on.

    `.xlsx`: the first sheet, or `sheet`, with the same rule for the first row.

    `.npz`: the values are the array `x`, or else the only array with two axes. An array
    `columns` names the columns and an array `fold` numbers the folds, if present.
    `.npy`: an array of one or two axes. `.parquet`: as pandas writes it.

    Values keep float32 or float64; numbers in text files with a decimal point are read
    as float64, and columns of integers become float32 where that keeps their digits
    (as in `to_table`). Files that unfold to more than 1 GiB and to more than 100 times
    their size are refused.

    Args:
        path: File to read; its extension states the format.
        columns: Names of the columns to keep, in this order. Default: all.
        sheet: Name of a sheet, of `.xlsx` files.
        decimal: The decimal sign of text files, `"."` or `","`.
        encoding: The encoding of text files, such as `"latin-1"`.
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
    source = open_table(path, sheet=sheet, decimal=decimal, encoding=encoding)
    return checked(source, columns, check=check)


def checked(
    source: Source,
    columns: Sequence[str] | None = None,
    *,
    check: bool = True,
    **categories: Any,
) -> Table:
    """Return columns as numbers that a density can be fitted to.

    Args:
        source: The file.
        columns: Names of the columns, in this order. Default: all.
        check: Whether to raise on NaN and infinite cells.
        **categories: Of `Source.numbers`.

    Raises:
        ValueError: See `read_table`.
    """
    with limits.naming(source.path), source.first_sheet_named():
        table = source.numbers(columns, **categories)
        _check_not_empty(source.path, table.x.shape)
        if check:
            check_columns(table, constant=False)
    return table


def _check_not_empty(path: Path, shape: Sequence[int]) -> None:
    if 0 in shape:
        what = "columns" if shape[-1] == 0 and len(shape) > 1 else "rows"
        raise ValueError(
            f"{limits.called(path)} must hold a table, got one without {what}."
        )


def _check_exists(path: Path) -> None:
    known_suffix(path)
    if path.is_dir():
        raise ValueError(
            f"`path` must be a file, got the folder '{path}'. Name a file."
        )
    if not path.exists():
        raise FileNotFoundError(
            f"`path` must be an existing file, got '{path}'. Check the spelling and "
            "the folder."
        )


def known_suffix(path: Path) -> str:
    """Return the extension of a file, if it states a format that is known."""
    suffix = delimited.suffix(path)
    if suffix not in SUFFIXES:
        remedy = "Convert the file, or rename it if only its name is wrong."
        if suffix in _PACKED:
            remedy = "Unpack the file first."
        elif path.is_fifo():
            remedy = "Pipe it into the command, and name it '-'."
        raise ValueError(
            f"`path` must end in {', '.join(SUFFIXES)}, got '{path.name}'. {remedy}"
        )
    return suffix


def _selected(frame: Any, columns: Sequence[str] | None) -> Any:
    """Select columns before they are converted: others may hold text."""
    names = [str(name) for name in frame.columns]
    if columns is not None:
        # A stand-in of no rows knows how to look names up and what to complain about.
        wanted = Table(np.empty((0, len(names))), tuple(names)).select(columns).columns
        frame = frame.iloc[:, [names.index(name) for name in wanted]]
    elif "" in names:
        place = names.index("")
        what = f"every column must have a name, got none for column {place + 1}"
        if place and names[place - 1]:
            what += (
                f", beside {names[place - 1]!r}: a heading that spans several columns "
                "names the first of them alone. Write a name above each column, delete "
                "lines above the header"
            )
        else:
            what += ". Name it in the header, delete lines above the header"
        raise ValueError(f"{what}, or save the table without its row index.")
    return frame


def _read_parquet(path: Path) -> Any:
    _optional.require("pandas", extra="tables")
    parquet = _optional.require("pyarrow.parquet", extra="tables")
    with (
        limits.reading(path),
        parquet.ParquetFile(path, page_checksum_verification=True) as file,
    ):
        found = file.metadata
        limits.check_unpacked(path, 8.0 * found.num_rows * found.num_columns)
        return file.read().to_pandas()


def _read_npy(path: Path) -> Table:
    values = archives.read_npy(path)
    _check_not_empty(path, values.shape)
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
        raise ValueError(
            f"'{path}' must hold numbers of shape [n, d], got {values.dtype} of shape "
            f"{values.shape}. Save it again as numbers."
        )
    return to_table(values)


def _read_npz(path: Path) -> Table:
    archive = archives.Archive(path)
    name = _values_name(path, archive.members)
    _check_not_empty(path, archive.shape(name))
    further = [k for k in ("columns", "fold") if archive.members.get(k) is not None]
    arrays = archive.read([name, *further])
    x, names, fold = (arrays.get(key) for key in (name, "columns", "fold"))
    x = to_table(x).x
    return Table(
        x,
        default_columns(x.shape[1]) if names is None else tuple(names.ravel().tolist()),
        fold if fold is not None and fold.shape == (len(x),) else None,
    )


def _values_name(path: Path, members: Mapping[str, archives.Member | None]) -> str:
    """Find the array of values in an archive."""
    if "x" in members:
        names = ["x"]
    else:
        names = [k for k, v in members.items() if v is not None and len(v.shape) == 2]
    if len(names) != 1:
        found = ", ".join(repr(name) for name in members) or "none"
        raise ValueError(
            f"'{path}' must hold an array 'x' or a single array with two axes, got "
            f"{found}. Name the array of values 'x'."
        )
    values = members[names[0]]
    if values is None:
        raise ValueError(
            f"array {names[0]!r} of '{path}' must hold numbers, got no array of NumPy. "
            "Save it again with numpy.savez."
        )
    if values.dtype.hasobject:
        raise ValueError(
            f"array {names[0]!r} of '{path}' must hold numbers, got Python objects, "
            "which can run code when loaded. Save it again after astype(float)."
        )
    if len(values.shape) not in (1, 2) or values.dtype.kind not in "fiub":
        raise ValueError(
            f"array {names[0]!r} of '{path}' must hold numbers of shape [n, d], got "
            f"{values.dtype} of shape {values.shape}. Save it again as numbers."
        )
    return names[0]


_BINARY: dict[str, Callable[[Path], Any]] = {
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".npy": _read_npy,
}
