"""What commands print: lines for people, or one JSON object."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfp_flows.cli.errors import explained, on_the_shell

__all__ = ["Report", "noted", "write"]


class Report:
    """Lines on standard output, or with `--json` one object of all facts.

    Args:
        arguments: Of the command: `json`, and `quiet` for no notes.

    Attributes:
        facts: What the object holds.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.facts: dict[str, Any] = {}
        self.json: bool = arguments.json
        self._quiet: bool = arguments.quiet

    def line(self, text: str, **facts: Any) -> None:
        """Print a line, and keep its facts."""
        self.facts |= facts
        if not self.json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a line to standard error, unless that is to stay empty."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Print the object."""
        if self.json:
            print(json.dumps(plain(self.facts), indent=2, ensure_ascii=False))


@contextlib.contextmanager
def noted(report: Report, category: type[Warning]) -> Iterator[None]:
    """Make notes of warnings of one category; others are not shown.

    Args:
        report: What the command prints.
        category: The category itself, not those below it.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category)
        yield
    for warning in caught:
        if warning.category is category:
            report.note(f"note: {on_the_shell(str(warning.message))}")


def plain(value: Any) -> Any:
    """Return what JSON can hold: numbers that are not finite become `None`."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if hasattr(value, "tolist"):  # of NumPy
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def write(
    out: Path | None,
    values: Any,
    columns: Sequence[str],
    labels: Mapping[str, Sequence[Any]] | None = None,
    order: Sequence[str] | None = None,
) -> None:
    """Write a table to a file, or as CSV to standard output if `out` is `None`.

    Args:
        out: The file.
        values: Numbers, `[n, d]`.
        columns: Names of their columns.
        labels: Further columns, of any type.
        order: Names of all columns as they are to be written; by default labels first.

    Raises:
        UsageError: If the file cannot be written.
    """
    from tfp_flows import datasets

    labels = labels or {}
    if out is not None:
        with explained(f"cannot write to '{out}'"):
            datasets.write_table(
                out, values, columns, labels=labels, order=order, force=True
            )
        return
    import numpy as np

    from tfp_flows.datasets import delimited

    def numbers(j: int) -> Iterator[str]:
        return (np.format_float_positional(value, trim="0") for value in values[:, j])

    cells: dict[str, Any] = {
        name: map(delimited.safe, held) for name, held in labels.items()
    }
    cells |= {name: numbers(j) for j, name in enumerate(columns)}
    names = list(cells) if order is None else order
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([delimited.safe(name) for name in names])
    table.writerows(zip(*(cells[name] for name in names), strict=True))
