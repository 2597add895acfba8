"""Tables in many files, or in one that is large: read block by block, never whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfp_flows import _optional
from tfp_flows.datasets import limits, numeric, readers, shard_files
from tfp_flows.datasets.table import Table, check_columns, to_table

__all__ = [
    "BLOCK",
    "Block",
    "Piece",
    "Shards",
    "cells",
    "counting_from",
    "is_path",
    "open_shards",
]

BLOCK = shard_files.BLOCK
# A row's number is that of its file times this, and its place in the file.
FILE_ROWS = 2**40
# More labels are no categories.
MOST_LABELS = 10_000
PARQUET = ".parquet"


class Piece(NamedTuple):
    """What is read in one go: a row group of a Parquet file, or a whole file.

    Attributes:
        file: Position of the file.
        group: Number of the row group, `None` for a whole file.
        first: Place of its first row in the file.
    """

    file: int
    group: int | None
    first: int


class Block(NamedTuple):
    """Some rows.

    Attributes:
        x: Values as float64, `[n, d]`.
        number: A number of its own for each row, the same in every pass, `[n]`.
    """

    x: np.ndarray
    number: np.ndarray


@dataclasses.dataclass(frozen=True)
class Shards:
    """The files of a table, which are read block by block.

    Made by `open_shards`. Memory is that of a block of 65,536 rows, of other formats
    than Parquet that of the largest file.

    Attributes:
        paths: The files, in the order in which they are read.
        columns: Names of the columns that blocks have, in their order.
        pieces: Row groups of all files, or the files.
        rows: Number of rows, `None` where only reading tells.
        header: Names of all columns in the files.
        text: Columns of text files that are kept as they are written.
        labels: What numbers of columns of categories stand for.
        units: What numbers of dates and lengths of time count.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...]
    pieces: tuple[Piece, ...]
    rows: int | None
    header: tuple[str, ...]
    text: tuple[str, ...] = ()
    labels: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    units: Mapping[str, str] | None = None

    def select(self, columns: Sequence[str]) -> Shards:
        """Return the same rows with other columns.

        Args:
            columns: Their names, in this order.

        Raises:
            ValueError: If there is no such column.
        """
        known = Table(np.empty((0, len(self.columns))), self.columns)
        with limits.naming(self.paths[0]):
            chosen = known.select(columns).columns
        return dataclasses.replace(self, columns=chosen)

    def described(
        self,
        *,
        labels: Mapping[str, Sequence[Any]] | None = None,
        categories: Sequence[str] = (),
        units: Mapping[str, str] | None = None,
    ) -> Shards:
        """Return the same rows with what numbers stand for, looked up where needed.

        Args:
            labels: Labels of categories whose order is known.
            categories: Columns of categories, whose labels are found by reading these
                columns once; as are those of columns that files mark as categories.
            units: What dates are counted in; by default as the first file has them.

        Raises:
            ValueError: If a column of categories has more than 10,000 labels, or all
                columns hold text.
        """
        known = dict(labels or {})
        marked = _marked(self)
        wanted = [n for n in self.columns if n in marked or n in categories]
        wanted = [name for name in wanted if name not in known]
        if wanted:
            known |= _labels(self.select(wanted))
        out = dataclasses.replace(self, labels=known, units=units)
        if units is not None:
            return out
        first = next(out.tables(), None)
        if first is None:
            msg = f"'{self.paths[0]}' must hold a table, got one without rows."
            raise limits.FileError(msg)
        return dataclasses.replace(out, units=first[0].units)

    def frames(
        self, pieces: Sequence[Piece] | None = None
    ) -> Iterator[tuple[Any, Piece, int]]:
        """Go through data frames of these columns, as they are in the files.

        Args:
            pieces: What to read, in this order; by default everything.

        Yields:
            A frame, the piece that it is of, and the place of its first row in the
            file.

        Raises:
            ValueError: If a file cannot be read, naming it.
        """
        for piece in self.pieces if pieces is None else pieces:
            path = self.paths[piece.file]
            if piece.group is not None:
                first = piece.first
                for frame in _row_group(path, piece.group, self.columns):
                    yield frame, piece, first
                    first += len(frame)
            else:
                yield _whole(path, self), piece, 0

    def tables(
        self, pieces: Sequence[Piece] | None = None, *, finite: bool = False
    ) -> Iterator[tuple[Table, Piece, int]]:
        """Go through tables of numbers of these columns; see `frames`."""
        for frame, piece, first in self.frames(pieces):
            with limits.naming(self.paths[piece.file]), counting_from(first):
                table = self.numbers(frame, finite=finite)
            yield table, piece, first

    def numbers(self, frame: Any, *, finite: bool = False) -> Table:
        """Return the columns of a frame as numbers.

        Args:
            frame: What `frames` gives, which may have further columns.
            finite: Whether to raise on NaN and infinite cells.
        """
        if isinstance(frame, Table):
            table = frame.select(self.columns)
        else:
            categories, labels = list(self.labels), dict(self.labels)
            frame = _chosen(frame, self.columns)
            table = to_table(frame, labels=labels, categories=categories)
        if self.units is not None:
            table = table.in_units(self.units)
        if finite and not np.isfinite(table.x).all():
            check_columns(table, constant=False)
        return table

    def blocks(self, pieces: Sequence[Piece] | None = None) -> Iterator[Block]:
        """Go through the rows.

        Args:
            pieces: What to read, in this order; by default everything.

        Yields:
            Blocks of at most 65,536 rows.

        Raises:
            ValueError: If a file cannot be read, or a cell is no finite number, naming
                the file.
        """
        for table, piece, first in self.tables(pieces, finite=True):
            x = table.x.astype(np.float64, copy=False)
            for start in range(0, len(x), BLOCK):
                rows = x[start : start + BLOCK]
                number = piece.file * FILE_ROWS + first + start
                yield Block(rows, np.uint64(number) + np.arange(len(rows), dtype="u8"))

    def place(self, number: int) -> str:
        """Return in words where a row is.

        Args:
            number: Of a block.
        """
        file, row = divmod(int(number), FILE_ROWS)
        return f"row {row + 1} of '{self.paths[file]}'"


def is_path(x: Any) -> bool:
    """Return whether data are given as a path, or as a list of paths."""
    if isinstance(x, (str, os.PathLike)):
        return True
    is_list = isinstance(x, (list, tuple)) and len(x) > 0
    return is_list and all(isinstance(path, (str, os.PathLike)) for path in x)


def open_shards(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> Shards:
    """Open the files of a table that are to be read block by block.

    Parquet files are read by row groups, of which blocks of 65,536 rows are in memory;
    of other formats that `read_table` reads, one file is. The columns and the number of
    rows of all Parquet files are looked at now, of others the columns of the first.

    Args:
        path: A file; a folder, all of whose files are read, in the order of their
            names; a pattern such as `"data/*.parquet"`; or a list of files.

    Returns:
        The files, with all columns.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder is empty, files have several formats or other columns
            than the first one, or a file is not readable; each names the file.
        MissingExtraError: If the format needs a package that is not installed.

    Example:
        >>> import tempfile, pathlib
        >>> from tfp_flows import datasets
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for i in range(2):
        ...     table = datasets.toy("banana", 100, seed=i)
        ...     _ = datasets.write_table(folder / f"part-{i}.parquet", table)
        >>> shards = datasets.open_shards(folder)
        >>> shards.rows, shards.columns
        (200, ('x0', 'x1'))
    """
    paths = shard_files.named(path)
    columns: tuple[str, ...] = ()
    pieces: list[Piece] = []
    total: int | None = 0
    for i, file in enumerate(paths):
        if readers.known_suffix(file) == PARQUET:
            names, counts = shard_files.footer(file)
            starts = np.cumsum([0, *counts]).tolist()
            found = [Piece(i, g, starts[g]) for g, n in enumerate(counts) if n]
            total = None if total is None else total + sum(counts)
        else:  # what it holds is seen when it is read
            names = columns or readers.open_table(file).columns
            found, total = [Piece(i, None, 0)], None
        if sorted(names) != sorted(columns or names):
            raise shard_files.other_columns(file, names, columns)
        columns = columns or tuple(names)
        pieces += found
    numeric.check_different(columns, f"columns of '{paths[0]}'")
    if not pieces or not columns:
        what = "rows" if columns else "columns"
        msg = f"'{paths[0]}' must hold a table, got one without {what}."
        raise limits.FileError(msg)
    return Shards(paths, columns, tuple(pieces), total, columns)


def _row_group(path: Path, group: int, columns: Sequence[str]) -> Iterator[Any]:
    """Go through the rows of a row group as Arrow tables."""
    arrow = _optional.require("pyarrow", extra="tables")
    parquet = _optional.require("pyarrow.parquet", extra="tables")
    with (
        limits.reading(path),
        parquet.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False
        ) as file,
    ):
        batches = file.iter_batches(
            BLOCK, row_groups=[group], columns=list(columns), use_threads=False
        )
        for batch in batches:
            yield arrow.Table.from_batches([batch]).select(list(columns))


def _whole(path: Path, shards: Shards) -> Any:
    """Return a file of another format."""
    source = readers.open_table(path, text=shards.text)
    if sorted(source.columns) != sorted(shards.header):
        raise shard_files.other_columns(path, source.columns, shards.header)
    return source.frame(shards.columns)


def cells(frame: Any, column: str) -> Any:
    """Return a column of a frame as it is in its file.

    Args:
        frame: What `Shards.frames` gives.
        column: Its name.
    """
    if isinstance(frame, Table):
        return frame.select([column]).x[:, 0]
    if hasattr(frame, "combine_chunks"):
        return frame.column(column).combine_chunks()
    found = frame.iloc[:, [str(name) for name in frame.columns].index(column)]
    return np.array(["" if cell != cell else cell for cell in found], object)


@contextlib.contextmanager
def counting_from(first: int) -> Iterator[None]:
    """Count the rows in sentences about a block from the start of its file."""
    try:
        yield
    except ValueError as error:
        found = re.search(r"in row (\d+)", str(error))
        if found is None or not first:
            raise
        place = f"in row {int(found[1]) + first}"
        raise ValueError(str(error).replace(found[0], place, 1)) from error


def _marked(shards: Shards) -> set[str]:
    """Return the columns that Parquet files mark as categories."""
    if shards.pieces[0].group is None:
        return set()
    arrow = _optional.require("pyarrow", extra="tables")
    parquet = _optional.require("pyarrow.parquet", extra="tables")
    with limits.reading(shards.paths[0]), parquet.ParquetFile(shards.paths[0]) as file:
        schema = file.schema_arrow
    return {f.name for f in schema if arrow.types.is_dictionary(f.type)}


def _labels(shards: Shards) -> dict[str, tuple[Any, ...]]:
    """Return the labels of columns of categories, in their order."""
    found: dict[str, set[Any]] = {name: set() for name in shards.columns}
    for frame, piece, _ in shards.frames():
        for name in found:
            table = to_table(_chosen(frame, [name]), categories=[name])
            found[name] |= set(table.labels.get(name, np.unique(table.x).tolist()))
            if len(found[name]) > MOST_LABELS:
                msg = (
                    f"column {name!r} must have at most {MOST_LABELS:,} categories, got"
                    " more. Drop it if it is an identifier."
                )
                raise limits.FileError(f"{shards.paths[piece.file]}: {msg}")
    return {
        name: tuple(sorted(cells, key=lambda cell: (type(cell).__name__, cell)))
        for name, cells in found.items()
    }


def _chosen(frame: Any, columns: Sequence[str]) -> Any:
    """Return columns of a frame of Arrow or pandas, in this order."""
    if hasattr(frame, "combine_chunks"):
        return frame.select(list(columns))
    known = [str(name) for name in frame.columns]
    return frame.iloc[:, [known.index(name) for name in columns]]
