"""What is wrong with a table, in sentences that say what to do."""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np

__all__ = [
    "DataNotice",
    "Finding",
    "at_hand",
    "notice_conditions",
    "notice_missing",
    "report",
]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class DataNotice(UserWarning):
    """Something in the data that a density cannot have, or that shapes it badly."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found in a table.

    Args:
        column: The column in words, such as `column 'age'`; of whole rows `rows`.
        sentence: What it is and what to do, to follow the column.
        rows: Numbers of the rows from 0, where there are few.
        severity: Whether data can be fitted as they are.
    """

    column: str
    sentence: str
    rows: tuple[int, ...] = ()
    severity: Literal["error", "warning"] = "warning"

    def __str__(self) -> str:
        """Return the whole sentence."""
        return f"{self.column} {self.sentence}"


def report(findings: Iterable[Finding]) -> None:
    """Raise for errors, and warn of all else at the line that called this package.

    Args:
        findings: What was found.

    Raises:
        ValueError: With the sentences of all errors.
    """
    found = list(findings)
    errors = [str(finding) for finding in found if finding.severity == "error"]
    if errors:
        raise ValueError(" ".join(errors))
    for finding in found:
        warnings.warn(str(finding), DataNotice, stacklevel=_stacklevel())


def at_hand(value: Any) -> np.ndarray | None:
    """Return numbers that are known as an array; `None` of those of graphs and data.

    Args:
        value: Array, tensor, variable, or anything else.
    """
    if hasattr(value, "numpy"):
        value = np.asarray(value.numpy())
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
    return value if is_array else None


def notice_missing(x: Any, rank: int) -> None:
    """Say that the log-density of events with NaN is NaN, of data at hand.

    Args:
        x: Events whose last dimensions, so many, are those of one event; the values of
            graphs are not known.
        rank: How many.
    """
    _notice(
        x,
        np.isnan,
        rank,
        "data",
        "NaN",
        "their log-density is NaN. Drop them, or fill their gaps before.",
    )


def notice_conditions(condition: Any, rank: int) -> None:
    """Say that what depends on conditions that are not finite is NaN.

    Args:
        condition: Conditions, as the events of `notice_missing`.
        rank: How many dimensions one condition has.
    """
    _notice(
        condition,
        lambda values: ~np.isfinite(values),
        rank,
        "conditions",
        "NaN or infinite numbers",
        "log-densities and samples given them are NaN. Drop them, or fill their gaps "
        "before.",
    )


def _notice(
    x: Any, bad: Callable[[Any], Any], rank: int, where: str, what: str, remedy: str
) -> None:
    values = at_hand(x)
    if values is None:
        return
    found = bad(values)
    if found.any():
        rows = found.any(axis=tuple(range(-rank, 0))).ravel()
        sentence = (
            f"hold {what} in {np.count_nonzero(rows)} of {rows.size} cases, first in "
            f"row {np.flatnonzero(rows)[0] + 1}: {remedy}"
        )
        report([Finding(where, sentence)])


def _stacklevel() -> int:
    """Return the level of the first frame outside the package, for `warn` above it."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not os.path.abspath(name).startswith(_PACKAGE):
            break
        level, frame = level + 1, frame.f_back
    return level
