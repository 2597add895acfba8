"""Write tables block by block to files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tfp_flows import _files, _optional
from tfp_flows.datasets import delimited

__all__ = ["SUFFIXES", "writing"]

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")

Write = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Write]:
    """Give a function that writes rows at the end of a file.

    The file takes its name when all is written; a run that is cut short leaves what was
    there before.

    Args:
        path: File to write; its extension states the format.
        force: Whether to overwrite an existing file.

    Yields:
        A function that takes columns by name, the same in each call.

    Raises:
        FileExistsError: If the file exists and `force` is False.
        FileNotFoundError: If the folder does not exist.
        ValueError: If the extension is none that can be written in parts.
        MissingExtraError: If the format needs a package that is not installed.
    """
    path = Path(path).expanduser()
    suffix = delimited.suffix(path)
    if suffix not in SUFFIXES:
        raise ValueError(
            f"`path` must end in {', '.join(SUFFIXES)} to be written in parts, got "
            f"'{path.name}'. Choose one of these."
        )
    _files.check_absent(path, force=force)
    with _files.replacing(path) as temporary:
        opened = _parquet if suffix == ".parquet" else _text
        with opened(temporary, suffix) as write:
            yield write


@contextlib.contextmanager
def _text(path: Path, suffix: str) -> Iterator[Write]:
    pd = _optional.require("pandas", extra="tables")
    separator = "\t" if suffix.startswith(".tsv") else ","
    is_first = True
    packed = suffix.endswith(".gz")
    opened: Any = gzip.open if packed else open
    with opened(path, "wt", encoding="utf-8", newline="") as stream:

        def write(columns: Mapping[str, Any]) -> None:
            nonlocal is_first
            frame = pd.DataFrame({name: list(v) for name, v in columns.items()})
            delimited.write(stream, frame, separator, header=is_first)
            is_first = False

        yield write


@contextlib.contextmanager
def _parquet(path: Path, suffix: str) -> Iterator[Write]:
    del suffix
    arrow = _optional.require("pyarrow", extra="tables")
    parquet = _optional.require("pyarrow.parquet", extra="tables")
    with contextlib.ExitStack() as stack:
        writer: Any = None

        def write(columns: Mapping[str, Any]) -> None:
            nonlocal writer
            if writer is None:
                table = arrow.table(dict(columns))
                writer = stack.enter_context(
                    parquet.ParquetWriter(path, table.schema, write_page_checksum=True)
                )
            writer.write_table(arrow.table(dict(columns), schema=writer.schema))

        yield write
