"""What `tfp-flows fit` says of its rows, counted as in the file."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli.errors import UsageError
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table

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
    """

    events: Table
    conditions: Table | None
    options: dict[str, Any]
    sentences: list[str]
    keep: np.ndarray

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
) -> Screened:
    """Look at all rows, and leave out those of gross outliers.

    Raises:
        UsageError: If the rows have no density.
    """
    import numpy as np

    from tfp_flows.cli.errors import explained
    from tfp_flows.datasets import Table
    from tfp_flows.training.data import arrays
    from tfp_flows.training.data import screening as rows

    with explained(path):
        data = arrays.Data(
            events, conditions, missing=arguments.missing, seed=arguments.seed
        )
        found = rows.screen(data, "drop")
    dtype = flow.variable_dtype if flow is not None else options.get("dtype")
    chosen = dtype is not None
    dtype = found.settle_dtype(dtype or "float32", chosen=chosen)
    if dtype == "float64" and not chosen:
        options = {**options, "dtype": dtype}
    errors = [str(f) for f in found.findings if f.severity == "error"]
    if errors:
        raise UsageError(f"{path}: {' '.join(errors)}")
    sentences = [str(finding) for finding in found.findings]
    if data.imputed:
        cells = data.x.size + (0 if data.condition is None else data.condition.size)
        share = 100 * data.imputed / cells
        sentences.append(
            f"{data.imputed} missing cells ({share:.2g} %) are filled from similar rows"
        )
    keep = np.ones(len(events), bool)
    for finding in found.findings:
        keep[list(finding.rows)] = False

    def kept(table: Table) -> Table:
        return Table(table.x[keep], table.columns)

    left = None if conditions is None else kept(conditions)
    return Screened(kept(events), left, options, sentences, keep)
