"""What to do about a column that holds text where numbers should be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tfp_flows.datasets import numeric

__all__ = ["remedy"]

_ADVICE = "Drop or encode such columns, or fit with columns={%r: 'category'}."
# What stands before and behind numbers that people read.
_UNITS = " %$\u20ac\u00a3\u00a5()\u00a0"
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+")
_DAY = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b.*")
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?"
_NAMED_DAY = re.compile(
    rf"({_MONTH}[ -]\d{{1,2}}|\d{{1,2}}\.?[ -]{_MONTH}),?[ -]\d{{2,4}}\b.*",
    re.IGNORECASE,
)
# A number with the letters of a unit behind it, or a fraction.
_MEASURE = re.compile(r"[-+]?\d[\d.,]*(\s*[^\W\d_]{1,6}[\d\u00b2\u00b3]?|\s*/\s*\d+)")
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]\.?m\.?)?", re.IGNORECASE)
# Text of one word beside so large a share of numbers may stand for a missing value.
_MOSTLY = 0.5
# Text that differs in so many rows names them.
_NAMED = 50


def remedy(cells: Sequence[Any], cell: Any, name: str) -> str:
    """Return what to do.

    Args:
        cells: All cells of the column.
        cell: The first of them that is no number.
        name: Name of the column.
    """
    hint = _ADVICE % name
    if type(cell).__name__ == "Period":
        return f"Turn periods into moments by their dt.to_timestamp(). {hint}"
    if not isinstance(cell, str):
        return hint
    text = cell.strip()
    if _THOUSANDS.fullmatch(text):
        return (
            "Write numbers without separators of thousands, and with a decimal point."
        )
    if "," in text and text.replace(",", "", 1).lstrip("-").isdigit():
        return "Write numbers with a decimal point."
    if _is_decorated(text):
        return (
            "Write plain numbers: no units, no separators of thousands, a decimal "
            f"point. {hint}"
        )
    if _is_row(text):
        return "Separate columns by commas, semicolons or tabs."
    if _DAY.fullmatch(text) or _NAMED_DAY.fullmatch(text):
        return f"Write dates as 2026-01-31, moments as 2026-01-31T12:00. {hint}"
    if _TIME.fullmatch(text):
        return f"Write times of the day as numbers, such as of hours. {hint}"
    if _are_names(cells):
        return (
            f"It differs in each row, as an identifier does: drop the column, such as "
            f"by columns={{{name!r}: 'drop'}}."
        )
    if _is_last(cells, text):
        return f"It is the last row: drop what stands below the table. {hint}"
    if _MEASURE.fullmatch(text):
        return f"Write plain numbers: no units, no fractions. {hint}"
    if _stands_for_missing(cells, text):
        return f"Leave cells empty that have no value. {hint}"
    if all(_is_float(c) for c in cells if not numeric.is_missing(c)):
        return f"Its cells are numbers as text: convert it to floats. {hint}"
    return hint


def _is_last(cells: Sequence[Any], text: str) -> bool:
    """Whether text is the last cell, below several rows of numbers alone."""
    *above, last = cells
    known = [cell for cell in above if not numeric.is_missing(cell)]
    return str(last).strip() == text and len(known) > 1 and all(map(_is_float, known))


def _stands_for_missing(cells: Sequence[Any], text: str) -> bool:
    """Whether the text is the only one among cells that mostly are numbers."""
    there = [cell for cell in cells if not numeric.is_missing(cell)]
    words = [str(cell).strip() for cell in there if not _is_float(cell)]
    is_one = all(word == text for word in words)
    return bool(words) and is_one and len(words) <= _MOSTLY * len(there)


def _are_names(cells: Sequence[Any]) -> bool:
    """Whether text differs in all of many rows, so that no label comes again."""
    there = [str(cell) for cell in cells if not numeric.is_missing(cell)]
    if len(there) < _NAMED or len(set(there)) < len(there):
        return False
    return sum(map(_is_float, there)) <= _MOSTLY * len(there)


def _is_decorated(cell: str) -> bool:
    """Whether text is a number with a unit, or with separators of thousands."""
    bare = cell.strip(_UNITS).replace("\u2212", "-")
    bare = re.sub(r"(?<=\d)[, '_\u00a0\u202f](?=\d{3}(\D|$))", "", bare)
    return bare != cell and _is_float(bare)


def _is_row(cell: str) -> bool:
    """Whether text is several numbers, between signs that separate no columns."""
    parts = re.split(r"\s*\|\s*|\s+", cell)
    return len(parts) > 1 and all(map(_is_float, parts))


def _is_float(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True
