"""The report: a table for a terminal, facts for a program, a page for a person."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from typing import Any, NamedTuple

import numpy as np

from tfp_flows import _files
from tfp_flows._counts import counted
from tfp_flows.diagnosis import page
from tfp_flows.diagnosis.measure import Measure

__all__ = ["Diagnosis", "Pictures"]

# Characters of a line.
_WIDTH = 88


class Pictures(NamedTuple):
    """What pictures of the page show."""

    rows: np.ndarray
    samples: np.ndarray
    log_prob: np.ndarray
    sample_log_prob: np.ndarray
    pit: np.ndarray


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` has found; `print` shows it as a table.

    Attributes:
        flow: What the flow is, in words.
        rows: How many rows were looked at.
        train_rows: How many rows of the fit, `None` if they were not given.
        columns: Names of the columns.
        measures: All that was measured, see `Measure`.
        pictures: Rows, samples and transforms that the pictures of the page show.
    """

    flow: str
    rows: int
    train_rows: int | None
    columns: tuple[str, ...]
    measures: tuple[Measure, ...]
    pictures: Pictures = dataclasses.field(repr=False)

    @property
    def findings(self) -> tuple[Measure, ...]:
        """Measures that ask for something to be done."""
        return tuple(m for m in self.measures if m.level == "finding")

    @property
    def summary(self) -> str:
        """One sentence: how many findings, and which."""
        if not self.findings:
            return "Nothing was found that asks for a change."
        names = ", ".join(finding.name for finding in self.findings)
        word = "finding" if len(self.findings) == 1 else "findings"
        return f"{len(self.findings)} {word}: {names}."

    def __str__(self) -> str:
        """Return a table: findings first, then what is fine."""
        train = "" if self.train_rows is None else f", {self.train_rows:,} of the fit"
        lines = [self.flow, f"{counted(self.rows, 'row')}{train}. {self.summary}", ""]
        marks = {"finding": "!", "fine": " ", "unknown": "?"}
        width = max(len(m.name) for m in self.measures)
        for level in marks:
            for m in self.measures:
                if m.level != level:
                    continue
                lines.append(f"{marks[level]} {m.name:{width}}  {m.value}")
                if level != "fine":
                    indent = " " * (width + 4)
                    lines += textwrap.wrap(
                        f"{m.judgement} {m.all_columns} {m.advice}".strip(),
                        _WIDTH,
                        initial_indent=indent,
                        subsequent_indent=indent,
                        break_long_words=False,
                    )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all facts, for JSON."""
        return {
            "flow": self.flow,
            "rows": self.rows,
            "train_rows": self.train_rows,
            "columns": list(self.columns),
            "summary": self.summary,
            "findings": [finding.name for finding in self.findings],
            "measures": [m.to_dict() for m in self.measures],
        }

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write a page, one file with its pictures in it, in place of an old one.

        Args:
            path: The file.

        Raises:
            OSError: If the file cannot be written; an old one then stays as it was.
            MissingExtraError: If matplotlib is not installed.
        """
        text = page.html_of(self)
        with _files.replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
