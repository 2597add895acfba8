"""Sheets of `.xlsx` files."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfp_flows import _checks, _optional
from tfp_flows._counts import counted
from tfp_flows.datasets import delimited, limits
from tfp_flows.datasets.table import default_columns

__all__ = ["OTHERS", "read", "write"]

# Attribute of a frame: names of the other sheets, where none was asked for.
OTHERS = "other sheets"

# What a sheet can hold. A damaged file may count further.
_MOST_ROWS = 2**20


def read(path: Path, sheet: str | None = None) -> Any:
    """Read a sheet into a data frame of pandas; formulas by their last values.

    Args:
        path: The file.
        sheet: Name of the sheet; by default the first one.

    Raises:
        ValueError: If the file is damaged, or has no such sheet.
    """
    pd = _optional.require("pandas", extra="tables")
    excel = _optional.require("openpyxl", extra="tables")
    with limits.reading(path):
        with zipfile.ZipFile(path) as archive:
            sizes = (info.file_size for info in archive.infolist())
            limits.check_unpacked(path, sum(sizes))
        book = excel.load_workbook(path, read_only=True, data_only=True)
        try:
            rows = list(_rows(_sheet(path, book, sheet)))
            others = [s.title for s in book.worksheets[1:]] if sheet is None else []
        finally:
            book.close()
        if not rows:
            return pd.DataFrame()
        names = delimited.header(["" if c is None else str(c).strip() for c in rows[0]])
        rows = rows if names is None else rows[1:]
        d = len(names) if names is not None else len(rows[0])
        long = next((i for i, row in enumerate(rows) if len(row) > d), None)
        if long is not None:
            raise limits.FileError(
                f"'{path}' must have {counted(d, 'cell')} in each row, as its first "
                f"row has, got {len(rows[long])} in row {long + 1}."
            )
        padded = [[*row, *[None] * (d - len(row))] for row in rows]
        columns = default_columns(d) if names is None else names
        frame = pd.DataFrame(padded, columns=list(columns)).infer_objects()
        frame.attrs[OTHERS] = others
        return frame


def _sheet(path: Path, book: Any, name: str | None) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if name is not None and name not in names:
        hint = _checks.did_you_mean(name, names) or "."
        raise limits.FileError(
            f"`sheet` must name a sheet of '{path}', got {name!r}. There are: "
            f"{', '.join(map(repr, names))}{hint}"
        )
    if not names:
        raise limits.unreadable(path, "it has no sheet")
    sheet = book.worksheets[0 if name is None else names.index(name)]
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    return sheet


def _rows(sheet: Any) -> Iterator[list[Any]]:
    """Yield rows with values, without the empty cells at their ends."""
    for row in itertools.islice(sheet.iter_rows(values_only=True), _MOST_ROWS):
        cells = list(row)
        while cells and cells[-1] in (None, ""):
            cells.pop()
        if cells:
            yield cells


def write(path: Path, frame: Any) -> None:
    """Write a data frame as the only sheet; text is never a formula."""
    excel = _optional.require("openpyxl", extra="tables")
    book = excel.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append([_cell(excel, sheet, name) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        sheet.append([_cell(excel, sheet, value) for value in row])
    # Via memory: openpyxl prints a traceback where it cannot write.
    content = io.BytesIO()
    book.save(content)
    path.write_bytes(content.getbuffer())


def _cell(excel: Any, sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    cell = excel.cell.WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"
    return cell
