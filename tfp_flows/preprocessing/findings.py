"""What is wrong with a table, in sentences that say what to do."""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from collections.abc import Iterable
from typing import Literal

__all__ = ["DataNotice", "Finding", "report"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


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


def _stacklevel() -> int:
    """Return the level of the first frame outside the package, for `warn` above it."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not os.path.abspath(name).startswith(_PACKAGE):
            break
        level, frame = level + 1, frame.f_back
    return level
