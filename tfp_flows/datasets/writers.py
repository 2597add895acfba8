"""Write tables to files that are replaced whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfp_flows import _files, _optional
from tfp_flows.datasets import delimited, spreadsheets
from tfp_flows.datasets.readers import TEXT_SUFFIXES, known_suffix
from tfp_flows.datasets.table import Table, to_table

__all__ = ["to_frame", "write_table"]


def write_table(
    path: str | os.PathLike[str],
    x: Any,
    columns: Sequence[str] | None = None,
    *,
    labels: Mapping[str, Sequence[Any]] | None = None,
    order: Sequence[str] | None = None,
    force: bool = False,
) -> Path:
    """Write a table of numbers to a file of a format that `read_table` reads.

    Text files hold as many digits as it takes to read the same values back, `.xlsx`
    files 16. Folds are kept in `.npz` files only, names of columns in all but `.npy`
    files. Text that a spreadsheet would take for a formula gets an apostrophe.

    Args:
        path: File to write; its extension states the format.
        x: Values `[n, d]`, or anything else that `to_table` accepts.
        columns: Names of the columns. Default: those of `x`, or `x0`, `x1` and so on.
        labels: Further columns by name, of any type, which are put first; arrays of
            these names in `.npz` files.
        order: All names as they are to be in the file; by default labels first.
        force: Whether to overwrite an existing file.

    Returns:
        The path written.

    Raises:
        FileExistsError: If the file exists and `force` is False.
        FileNotFoundError: If the folder does not exist.
        ValueError: If the extension is unknown, or the values or names are wrong.
        MissingExtraError: If the format needs a package that is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> import tfp_flows as tfpf
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "rain.csv")
        ...     _ = tfpf.datasets.write_table(path, [[0.1, 12.0]], ["rain", "warmth"])
        ...     print(path.read_text().strip())
        rain,warmth
        0.1,12.0
    """
    path = Path(path).expanduser()
    suffix = known_suffix(path)
    table = to_table(x)
    if columns is not None:
        table = Table(table.x, tuple(columns), table.fold)
    labels = dict(labels or {})
    both = sorted(set(labels) & set(table.columns))
    if both:
        raise ValueError(
            f"`labels` must have other names than columns, got {both[0]!r}."
        )
    if suffix == ".npz":
        both = sorted(set(labels) & {"x", "columns", "fold"})
        if both:
            raise ValueError(
                f"`labels` must have other names in a .npz file, got {both[0]!r}."
            )
    if labels and suffix == ".npy":
        raise ValueError(
            "`labels` must be left out for a .npy file, which holds numbers."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`path` must lie in an existing folder, got '{path}'. Create "
            f"'{path.parent}' first."
        )
    _files.check_absent(path, force=force)
    with _files.replacing(path) as temporary:
        _write(temporary, suffix, table, labels, order)
    return path


def to_frame(
    table: Table,
    labels: Mapping[str, Sequence[Any]],
    order: Sequence[str] | None = None,
) -> Any:
    """Return a data frame of pandas, labels first unless there is an order."""
    pd = _optional.require("pandas", extra="tables")
    frame = pd.DataFrame(table.x, columns=list(table.columns))
    for i, (name, values) in enumerate(labels.items()):
        frame.insert(i, name, list(values))
    return frame if order is None else frame[list(order)]


def _write(
    path: Path,
    suffix: str,
    table: Table,
    labels: Mapping[str, Sequence[Any]],
    order: Sequence[str] | None,
) -> None:
    if suffix in TEXT_SUFFIXES:
        separator = "\t" if suffix.startswith(".tsv") else ","
        delimited.write(path, to_frame(table, labels, order), separator)
    elif suffix == ".xlsx":
        spreadsheets.write(path, to_frame(table, labels, order))
    elif suffix == ".parquet":
        _optional.require("pyarrow", extra="tables")
        to_frame(table, labels, order).to_parquet(
            path, engine="pyarrow", index=False, write_page_checksum=True
        )
    elif suffix == ".npy":
        with path.open("wb") as stream:
            np.save(stream, table.x)
    else:
        _write_npz(path, table, labels)


def _plain(values: Sequence[Any]) -> np.ndarray:
    """Return an array of numbers or of text, never of Python objects."""
    array = np.array(values)
    return array.astype(np.str_) if array.dtype.hasobject else array


def _write_npz(path: Path, table: Table, labels: Mapping[str, Sequence[Any]]) -> None:
    arrays: dict[str, Any] = {
        **{name: _plain(values) for name, values in labels.items()},
        "x": table.x,
        "columns": np.array(table.columns, dtype=np.str_),
    }
    if table.fold is not None:
        arrays["fold"] = table.fold
    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
