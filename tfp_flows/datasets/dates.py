"""Units of dates and lengths of time: numbers and back, whatever a table brings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfp_flows import _findings

__all__ = [
    "DAYS",
    "LENGTH",
    "MOMENTS",
    "SECONDS",
    "Numbers",
    "as_text",
    "count",
    "counted",
    "in_unit",
    "read",
    "read_one",
    "times",
]

_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?P<fraction>\.\d{1,9})?)?"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?"
)

# What moments and days are counted from; those of a time zone count in UTC.
_START = "1970-01-01"
MOMENTS, SECONDS = f"seconds since {_START}", f"seconds since {_START} UTC"
DAYS, LENGTH = f"days since {_START}", "seconds"
_SECONDS_OF_DAY = 86_400.0
# Microseconds of farther moments are no integers of 64 bits.
_LAST_SECOND = 9e12


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes:
        values: The numbers, NaN where a cell is missing; `None` if they are no numbers.
        unit: Of moments and lengths of time, in words.
        labels: What numbers from 0 stand for, of a column of categories; labels that
            are numbers stand for themselves.
        kind: What type the column had, see `own_types`.
    """

    values: np.ndarray | None
    unit: str | None = None
    labels: tuple[Any, ...] | None = None
    kind: str | None = None


def in_unit(values: np.ndarray, unit: str | None, wanted: str | None, name: str) -> Any:
    """Return a column in the unit in which a flow knows it.

    Args:
        values: Numbers, `[N]`.
        unit: What they count, `None` for plain numbers, which are as the flow has them.
        wanted: What the flow counts, `None` if it was fitted to plain numbers.
        name: Name of the column.

    Raises:
        ValueError: If the one are dates and the other are not.
    """
    if unit is None or unit == wanted:
        return values
    dates = {MOMENTS: 1.0, SECONDS: 1.0, DAYS: _SECONDS_OF_DAY}
    if unit in dates and wanted in dates:
        if {unit, wanted} == {MOMENTS, SECONDS}:
            has, had = ("a", "none") if unit == SECONDS else ("no", "one")
            sentence = (
                f"has {has} time zone, and {had} in the rows of the fit: its moments "
                "are taken for those of UTC."
            )
            _findings.report([_findings.Finding(f"column {name!r}", sentence)])
        return values * (dates[unit] / dates[wanted])
    was = "plain numbers" if wanted is None else wanted
    msg = (
        f"column {name!r} must hold {was}, as in the rows of the fit, got {unit}. "
        "Convert it to these."
    )
    raise ValueError(msg)


def times(values: np.ndarray, unit: str) -> np.ndarray:
    """Return numbers as NumPy's moments, days, or lengths of time.

    Args:
        values: Numbers, `[N]`; those beyond the calendar become `NaT`.
        unit: What they count.
    """
    values = np.asarray(values, np.float64)
    far = ~(np.abs(values) < _LAST_SECOND)
    values = np.where(far, 0.0, values)
    if unit == DAYS:
        found: np.ndarray = np.round(values).astype(np.int64).astype("datetime64[D]")
    else:
        kind = "timedelta64[us]" if unit == LENGTH else "datetime64[us]"
        found = np.round(values * 1e6).astype(np.int64).astype(kind)
    found[far] = "NaT"
    return found


def as_text(values: np.ndarray, unit: str) -> list[Any]:
    """Return numbers as ISO dates, as the readers take them; lengths stay numbers.

    Args:
        values: Numbers, `[N]`.
        unit: What they count.
    """
    if unit == LENGTH:
        return [float(value) for value in values]
    zone = "Z" if unit == SECONDS else ""
    found = [str(cell) for cell in times(values, unit)]
    return ["" if cell == "NaT" else cell + zone for cell in found]


def count(cells: np.ndarray) -> np.ndarray:
    """Return moments, days or lengths of time of NumPy as numbers since 1970.

    Args:
        cells: Of type `datetime64` or `timedelta64`. Years that nanoseconds do not
            reach, such as 9999, are counted right.

    Returns:
        Seconds, of days their number.
    """
    unit, step = np.datetime_data(cells.dtype)
    whole = cells.astype(np.int64) * step
    if unit == "D":
        return whole.astype(np.float64)
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    if unit not in parts:
        whole = cells.astype(cells.dtype.kind + "8[s]").astype(np.int64)
    # A double holds the nanoseconds of today to 256 only: whole seconds first.
    part = parts.get(unit, 1)
    found: np.ndarray = whole // part + (whole % part) / part
    return found


def read(cells: Sequence[str]) -> Numbers:
    """Return ISO dates as numbers; those with a time zone count in UTC.

    Args:
        cells: Such as `2026-01-31`, `2026-01-31 12:00:01.5`, `2026-01-31T12:00Z` or
            `2026-01-31T12:00+01:00`.

    Returns:
        No numbers if some cell is no such date, or if there are none.
    """
    found = [_ISO.fullmatch(cell) for cell in cells]
    parts = [part for part in found if part is not None]
    no_time = any(part["sign"] and not part["time"] for part in parts)
    if not parts or len(parts) < len(found) or no_time:
        return Numbers(None)
    text = [f"{p['day']}T{p['time']}" if p["time"] else p["day"] for p in parts]
    try:
        values = count(np.array(text, "datetime64[s]"))
    except ValueError:  # such as a 30th of February
        return Numbers(None)
    values += [float(p["fraction"] or 0.0) for p in parts]
    values -= [_ahead(p) for p in parts]
    if not any(p["time"] for p in parts):
        return Numbers(values / _SECONDS_OF_DAY, DAYS)
    return Numbers(values, SECONDS if any(p["zone"] for p in parts) else MOMENTS)


def _ahead(part: re.Match[str]) -> float:
    """Return by how many seconds the zone of a moment is ahead of UTC."""
    if not part["sign"]:
        return 0.0
    minutes = 60 * int(part["hours"]) + int(part["minutes"] or 0)
    return 60.0 * (minutes if part["sign"] == "+" else -minutes)


def counted(cells: Any, unit: str, name: str) -> np.ndarray:
    """Return dates or lengths of time as numbers of a unit; numbers as they are.

    Args:
        cells: One or an array, of Python, NumPy or pandas, or text.
        unit: What the numbers are to count.
        name: What to call them in an error.

    Raises:
        ValueError: If they are no dates.
    """
    array = np.asarray(cells)
    if array.dtype.kind in "fiub":
        return array
    if unit == LENGTH and array.dtype.kind not in "SU":
        return count(array.astype("timedelta64[us]"))
    found = [read_one(str(cell), unit, name) for cell in array.ravel()]
    return np.reshape(found, array.shape)


def read_one(text: str, unit: str, name: str) -> float:
    """Return a date such as 2026-01-31 or 2026-01-31T12:00 as a number.

    Args:
        text: The date.
        unit: What the number is to count.
        name: What to call it in the error.

    Raises:
        ValueError: If it is no date, or if lengths of time are counted.
    """
    found = read([text])
    if found.values is None or unit == LENGTH:
        what = "numbers" if unit == LENGTH else "dates such as 2026-01-31T12:00"
        msg = f"{name} must be {what}, in {unit}, got {text!r}. Correct it."
        raise ValueError(msg)
    # One that is typed may leave out its zone, which is that of the flow.
    known = unit if {found.unit, unit} == {MOMENTS, SECONDS} else found.unit
    return float(in_unit(found.values, known, unit, name)[0])
