"""One line of a diagnosis: what was measured, what it means, and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from tfp_flows.preprocessing import checks

__all__ = ["Measure", "fine", "joined", "labels", "problem", "unknown"]


@dataclasses.dataclass(frozen=True)
class Measure:
    """One line of a diagnosis.

    Attributes:
        name: What was measured, such as `"over-fitting"`.
        value: The figure with its unit, in words.
        level: `"fine"`; `"finding"` where there is something to do; `"unknown"` where
            it could not be measured.
        judgement: What the figure means, in one sentence.
        advice: What to do, in one sentence; empty unless there is a finding.
        columns: Names of the columns that it is about.
        rows: Numbers of the rows of `x` that it is about, from 0.
        number: The figure itself, where there is one.
    """

    name: str
    value: str
    level: Literal["fine", "finding", "unknown"]
    judgement: str
    advice: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    number: float | None = None

    def __str__(self) -> str:
        """Return name, figure and sentences."""
        return " ".join([f"{self.name}: {self.value}.", self.judgement, self.advice])

    @property
    def all_columns(self) -> str:
        """The columns in a sentence, as the judgement is of the first of several."""
        if len(self.columns) < 2:
            return ""
        return f"Columns: {joined(self.columns, most=10)}."

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        found = dataclasses.asdict(self)
        found["columns"], found["rows"] = list(self.columns), list(self.rows)
        return found


def fine(name: str, value: str, judgement: str, number: float | None = None) -> Measure:
    """Return a measure that is as it should be."""
    return Measure(name, value, "fine", judgement, number=number)


def problem(
    name: str, value: str, judgement: str, advice: str, **about: Any
) -> Measure:
    """Return a finding; `about` holds columns, rows and the number."""
    return Measure(name, value, "finding", judgement, advice, **about)


def unknown(name: str, reason: str) -> Measure:
    """Return what could not be measured, and why."""
    return Measure(name, "not measured", "unknown", reason)


def joined(names: Sequence[str], most: int = 4) -> str:
    """Return names in quotes, the first few of them."""
    listed = ", ".join(repr(name) for name in names[:most])
    more = len(names) - most
    return listed if more <= 0 else f"{listed} and {more} more"


def labels(names: Sequence[str]) -> dict[str, str]:
    """Return the names of columns by what they are called in sentences."""
    return {checks.label(names, i): name for i, name in enumerate(names)}
