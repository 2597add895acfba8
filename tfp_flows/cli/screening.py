"""What `tfp-flows fit` says of its rows, counted as in the file."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli.errors import UsageError, on_the_shell
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.training.data import screening
    from tfp_flows.training.data.arrays import Data

__all__ = ["Screened", "screen"]


@dataclasses.dataclass(frozen=True)
class Screened:
    """The rows of a table that are fitted, and what was found in all of them.

    Attributes:
        events: The events.
        conditions: Their conditions, if there are any.
        options: Of the flow, with the dtype that the numbers need.
        sentences: What was found.
        keep: Which rows of the table these are, `[n]`.
        kinds: What the columns of the events are, by name.
    """

    events: Table
    conditions: Table | None
    options: dict[str, Any]
    sentences: list[str]
    keep: np.ndarray
    kinds: dict[str, Any]

    def columns_of_fit(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return the kinds of all events and of conditions of which one is said.

        Args:
            told: Kinds of columns by name.
        """
        kinds = self.kinds or dict.fromkeys(self.events.columns, "continuous")
        given = () if self.conditions is None else self.conditions.columns
        return {**kinds, **{name: told[name] for name in given if name in told}}

    def part(self, rows: np.ndarray, *, by_name: bool) -> tuple[Any, Any]:
        """Return events and conditions of some rows, for a fit.

        Args:
            rows: Their numbers.
            by_name: Whether as tables, for a flow that is to learn the names.
        """
        tables = [self.events, self.conditions]
        parts = [None if t is None else t.take(rows) for t in tables]
        events, conditions = (t.x if t and not by_name else t for t in parts)
        return events, conditions

    def report(self, report: Report) -> None:
        """Print what was found."""
        for sentence in self.sentences:
            report.line(sentence)
        report.facts["findings"] = self.sentences


def screen(
    path: Path,
    events: Table,
    conditions: Table | None,
    arguments: argparse.Namespace,
    options: dict[str, Any],
    flow: Any = None,
    told: dict[str, Any] | None = None,
) -> Screened:
    """Look at all rows, and leave out those of gross outliers.

    Args:
        path: The file.
        events: Its events.
        conditions: Their conditions, if there are any.
        arguments: Of the command.
        options: Of the flow.
        flow: The flow that is gone on with, if one is.
        told: Kinds of columns by name; others are detected.

    Raises:
        UsageError: If the rows have no density.
    """
    import numpy as np

    from tfp_flows.cli.errors import explained

    with explained(path):
        data, found = _found(events, conditions, arguments, options, flow, told)
    dtype = flow.variable_dtype if flow is not None else options.get("dtype")
    chosen = dtype is not None
    dtype = found.settle_dtype(dtype or "float32", chosen=chosen)
    if dtype == "float64" and not chosen:
        options = {**options, "dtype": dtype}
    errors = [str(f) for f in found.findings if f.severity == "error"]
    errors = errors or _foreign(events, found.kinds, dtype)
    if errors:
        raise UsageError(f"{path}: {on_the_shell(' '.join(errors))}")
    keep = np.ones(len(events), bool)
    for finding in found.findings:
        keep[list(finding.rows)] = False
    left = None if conditions is None else conditions.take(keep)
    kinds = dict(zip(events.columns, found.kinds or (), strict=False))
    sentences = [on_the_shell(str(finding)) for finding in found.findings]
    sentences += [*_of_gaps(data), *_of_columns(events, conditions, kinds)]
    return Screened(events.take(keep), left, options, sentences, keep, kinds)


def _found(
    events: Table,
    conditions: Table | None,
    arguments: argparse.Namespace,
    options: dict[str, Any],
    flow: Any,
    told: dict[str, Any] | None,
) -> tuple[Data, screening.Screened]:
    """Return the rows, and what a fit of them finds."""
    from tfp_flows import flows
    from tfp_flows.training.data import arrays, kinds, request, screening

    asked = request.Request(
        flow if flow is not None else arguments.flow or flows.DEFAULT,
        events,
        noise=float(bool(options.get("noise"))),
        options=options,
    )
    told_kinds = kinds.Kinds(told or "auto")
    data = arrays.Data(
        events, conditions, missing=arguments.missing, seed=arguments.seed
    )

    def choose(data: arrays.Data) -> Any:
        if flow is not None:
            return flow.preprocessing and flow.preprocessing.columns
        return told_kinds.choose(data, detects=asked.detects_kinds)

    found = screening.screen(data, "drop", kinds=choose, remedy=asked.remedy())
    return data, found


def _foreign(events: Table, kinds: Any, dtype: str) -> list[str]:
    """Return the sentence about a value that its column cannot have, if there is one.

    The fit would say it of the rows that it is given, with other numbers.
    """
    from tfp_flows.preprocessing import Preprocessing, values
    from tfp_flows.preprocessing.cells import Cells

    spec = None if kinds is None else Preprocessing(kinds)
    if spec is None or spec.is_plain:
        return []
    sentence = values.foreign(Cells(spec, dtype), events.x, events.columns)
    return [] if sentence is None else [f"the table {sentence}"]


def _of_gaps(data: Data) -> list[str]:
    """Return a sentence on cells that were filled, if any were."""
    if not data.imputed:
        return []
    cells = data.x.size + (0 if data.condition is None else data.condition.size)
    share = 100 * data.imputed / cells
    return [data.gaps().replace("cells", f"cells ({share:.2g} %)", 1)]


def _of_columns(
    events: Table, conditions: Table | None, kinds: dict[str, Any]
) -> list[str]:
    """Return a line for each column that is no plain number."""
    lines = [f"column {k!r}: {kind}" for k, kind in kinds.items() if not kind.is_plain]
    for table in (events, conditions):
        units = {} if table is None else table.units
        lines += [f"column {name!r}: {unit}" for name, unit in units.items()]
    return lines
