"""Units of dates and lengths of time: numbers and back, whatever a table brings."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np

__all__ = [
    "DAYS",
    "LENGTH",
    "MOMENTS",
    "SECONDS",
    "Numbers",
    "as_text",
    "in_unit",
    "times",
]

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
    """

    values: np.ndarray | None
    unit: str | None = None
    labels: tuple[Any, ...] | None = None


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


def read_one(text: str, unit: str, name: str) -> float:
    """Return a date such as 2026-01-31 or 2026-01-31T12:00 as a number.

    Args:
        text: The date.
        unit: What the number is to count.
        name: What to call it in the error.

    Raises:
        ValueError: If it is no date, or if lengths of time are counted.
    """
    seconds = np.full(1, np.nan)
    with contextlib.suppress(ValueError):
        moment = np.array([text.removesuffix("Z")], "datetime64[us]")
        seconds = np.where(np.isnat(moment), np.nan, moment.astype(np.int64) / 1e6)
    if np.isnan(seconds[0]) or unit == LENGTH:
        what = "numbers" if unit == LENGTH else "dates such as 2026-01-31T12:00"
        msg = f"{name} must be {what}, in {unit}, got {text!r}. Correct it."
        raise ValueError(msg)
    return float(in_unit(seconds, MOMENTS, unit, name)[0])
