"""The files of a table: found by folder or pattern, looked at before they are read."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfp_flows import _optional
from tfp_flows.datasets import delimited, limits

__all__ = ["BLOCK", "footer", "named", "other_columns"]

# Rows of one block: what is read, scored and counted at once.
BLOCK = 65_536


def named(path: Any) -> tuple[Path, ...]:
    """Return the files of a path, a folder, a pattern or a list."""
    if isinstance(path, (list, tuple)):
        if not path:
            msg = "`path` must name at least one file, got an empty list."
            raise ValueError(msg)
        return tuple(file for one in path for file in named(one))
    found = Path(path).expanduser()
    if found.is_dir():
        return _of_folder(found)
    if found.exists():
        return (found,)
    if glob.has_magic(str(found)):
        names = sorted(glob.glob(str(found), recursive=True))
        files = tuple(Path(name) for name in names if Path(name).is_file())
        if files:
            _check_one_format(files)
            return files
        msg = f"`path` must match a file, got the pattern '{path}', which matches none."
        raise FileNotFoundError(msg)
    msg = (
        f"`path` must be an existing file, folder or pattern, got '{path}'. Check the "
        "spelling and the folder."
    )
    raise FileNotFoundError(msg)


def _of_folder(folder: Path) -> tuple[Path, ...]:
    # What other software keeps beside its data begins so: _SUCCESS, ._a.parquet.crc.
    seen = [f for f in sorted(folder.iterdir()) if f.name[0] not in "._"]
    files = [file for file in seen if file.is_file()]
    folders = [file for file in seen if file.is_dir()]
    if folders:
        msg = (
            f"'{folder}' must hold files only, got the folder '{folders[0].name}' in "
            f"it. Name the files by a pattern such as '{folder}/*/*.parquet'; what "
            "names of folders say is no column."
        )
        raise limits.FileError(msg)
    if not files:
        msg = f"'{folder}' must hold files of a table, got an empty folder."
        raise limits.FileError(msg)
    _check_one_format(files)
    return tuple(files)


def _check_one_format(paths: Sequence[Path]) -> None:
    endings = [delimited.suffix(path) for path in paths]
    for path, ending in zip(paths, endings, strict=True):
        if ending != endings[0]:
            pattern = f"{paths[0].parent}/*{endings[0]}"
            msg = (
                f"files of a table must have one format, got '{path}' beside "
                f"'{paths[0]}'. Name those of one format by a pattern such as "
                f"'{pattern}'."
            )
            raise limits.FileError(msg)


def footer(path: Path) -> tuple[tuple[str, ...], list[int]]:
    """Return the names of the columns, and the rows of each row group."""
    parquet = _optional.require("pyarrow.parquet", extra="tables")
    with limits.reading(path), parquet.ParquetFile(path) as file:
        schema, found = file.schema_arrow, file.metadata
        counts = [found.row_group(i).num_rows for i in range(found.num_row_groups)]
        # Of the index of a data frame of pandas.
        kept = (schema.pandas_metadata or {}).get("index_columns", ())
        index = {name for name in kept if isinstance(name, str)}
        names = tuple(name for name in schema.names if name not in index)
        largest = min(max(counts, default=0), BLOCK)
        limits.check_unpacked(path, 8.0 * largest * found.num_columns)
        return names, counts


def other_columns(
    path: Path, names: Sequence[str], columns: Sequence[str]
) -> ValueError:
    """Return the error of a file whose columns are not those of the first one."""
    lacks = [name for name in columns if name not in names]
    more = [name for name in names if name not in columns]
    what = f"no column {lacks[0]!r}" if lacks else f"a column {more[0]!r} besides"
    if lacks and more:
        what += f", but {more[0]!r}"
    return limits.FileError(
        f"'{path}' must have the same columns as the first file, got {what}. Write it "
        "again with these columns, or leave it out."
    )
