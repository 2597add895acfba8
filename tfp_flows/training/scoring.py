"""Scores of tables that need not fit into memory, block by block."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfp_flows import flows
from tfp_flows._counts import counted
from tfp_flows.datasets import block_writers, limits, shards
from tfp_flows.flows import registry
from tfp_flows.training.baseline import Estimate

__all__ = ["Scores", "score"]

COLUMN = "log_prob"
# Stands for the number of the row.
ROW = "row"


@dataclasses.dataclass(frozen=True)
class Scores:
    """What rows come to under a flow; `print` shows it in a line.

    Attributes:
        rows: Number of rows.
        log_likelihood: Mean log-density in nats, with its standard error.
        not_finite: Rows whose log-density is not finite, such as those of density 0.
        first_not_finite: Where the first of them is, in words, `None` if there is none.
        out: The file that was written, if one was.
    """

    rows: int
    log_likelihood: Estimate
    not_finite: int
    first_not_finite: str | None = None
    out: Path | None = None

    def __str__(self) -> str:
        """Return the line."""
        text = f"{counted(self.rows, 'row')}, mean log-likelihood "
        text += f"{self.log_likelihood} nats"
        if self.not_finite:
            text += f", {self.not_finite} of them not finite"
        return text


def score(
    flow: flows.Flow,
    x: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | shards.Shards,
    *,
    out: str | os.PathLike[str] | None = None,
    condition: str | Sequence[str] | None = None,
    identifier: str | None = None,
    force: bool = False,
) -> Scores:
    """Score the rows of files, and write the scores as they are made.

    Blocks of 65,536 rows are read, scored and written, so that memory does not grow
    with their number. Columns are matched by name where the flow knows names; else all
    columns are taken by position, the condition's last.

    Args:
        flow: The fitted flow.
        x: A path, a folder, a pattern, a list of them, or `datasets.Shards`.
        out: File for the scores, a column `log_prob`: `.csv`, `.tsv`, each also packed
            as `.gz`, or `.parquet`. It is there whole at the end, or not at all.
        condition: Names of the columns of the condition, where the flow does not know
            them.
        identifier: Column to write beside the scores as it is; `"row"` for the number
            of the row, from 1, where no column is called so.
        force: Whether to overwrite an existing file.

    Returns:
        The mean of the scores, with its standard error.

    Raises:
        FileExistsError: If the file exists and `force` is False.
        ValueError: If columns do not fit, a file cannot be read, or a cell is no finite
            number; it names the file.
        TypeError: If `flow` is no flow, or `x` are rows in memory.

    Example:
        >>> import tempfile, pathlib
        >>> import tfp_flows as tfpf
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for i in range(2):
        ...     x = tfpf.datasets.toy("banana", 100, seed=i)
        ...     _ = tfpf.datasets.write_table(folder / f"part-{i}.parquet", x)
        >>> flow = tfpf.flows.build("linear", 2, seed=0)
        >>> tfpf.training.score(flow, folder).rows
        200
    """
    registry.require_flow(flow)
    is_frame = hasattr(x, "columns") and not isinstance(x, shards.Shards)
    if is_frame or hasattr(x, "shape"):
        msg = (
            f"`x` must be files, got a `{type(x).__name__}`. Call flow.log_prob(x) for "
            "rows in memory."
        )
        raise TypeError(msg)
    source = x if isinstance(x, shards.Shards) else shards.open_shards(x)
    names, size = _matched(flow, source, condition, identifier)
    source.select(names)  # names those that there are not
    if identifier == ROW and ROW not in source.columns:
        numbered, kept = True, []
    else:
        numbered, kept = False, [] if identifier is None else [identifier]
    both = dataclasses.replace(source, text=tuple(n for n in kept if n not in names))
    both = both.select([*names, *(n for n in kept if n not in names)])
    labels = {**flow.category_labels(), **flow.condition_labels()}
    units = None
    if flow.units is not None:
        units = {k: u for held in flow.units.values() for k, u in held.items()}
    chosen = source.select(names).described(labels=labels, units=units)
    found = _Sum()
    with contextlib.ExitStack() as stack:
        write = None
        if out is not None:
            write = stack.enter_context(block_writers.writing(out, force=force))
        for frame, piece, first in both.frames():
            path = source.paths[piece.file]
            with limits.naming(path), shards.counting_from(first):
                rows = chosen.numbers(frame, finite=True).x
            values = _log_prob(flow, rows, size)
            labelled = {name: shards.cells(frame, name) for name in kept}
            if numbered:
                labelled = {ROW: np.arange(len(values)) + found.count + 1}
            found.add(values, path, first)
            if write is not None:
                write({**labelled, COLUMN: values})
    return found.scores(None if out is None else Path(out).expanduser())


class _Sum:
    """Mean and deviation of scores."""

    def __init__(self) -> None:
        self.count = self._bad = 0
        self._mean = self._square = 0.0
        self._sum_bad = 0.0
        self._first: str | None = None

    def add(self, values: np.ndarray, path: Path, first: int) -> None:
        """Count scores in."""
        self.count += len(values)
        finite = np.isfinite(values)
        bad = np.flatnonzero(~finite)
        if len(bad):
            self._bad += len(bad)
            self._sum_bad += float(np.sum(values[bad]))
            place = f"row {first + int(bad[0]) + 1} of '{path}'"
            self._first = self._first or place
        good = values[finite]
        if not len(good):
            return
        before = self.count - self._bad - len(good)
        centre = float(np.mean(good))
        step, total = centre - self._mean, before + len(good)
        self._square += float(np.sum(np.square(good - centre)))
        self._square += step * step * before * len(good) / total
        self._mean += step * len(good) / total

    def scores(self, out: Path | None) -> Scores:
        """Return what they come to."""
        if self._bad:
            mean, error = self._sum_bad, None
        else:
            mean = self._mean
            error = None
            if self.count > 1:
                variance = self._square / (self.count - 1)
                error = math.sqrt(variance / self.count)
        estimate = Estimate(mean, error)
        return Scores(self.count, estimate, self._bad, self._first, out)


def _log_prob(flow: flows.Flow, x: np.ndarray, size: int) -> np.ndarray:
    """Return the log-density of each row of events and conditions, `[N]`."""
    parts = []
    for start in range(0, len(x), shards.BLOCK):
        some = x[start : start + shards.BLOCK]
        condition = some[:, size:] if x.shape[1] > size else None
        parts.append(np.asarray(flow.log_prob(some[:, :size], condition), np.float64))
    return np.concatenate(parts) if parts else np.empty(0)


def _matched(
    flow: flows.Flow,
    source: shards.Shards,
    condition: str | Sequence[str] | None,
    identifier: str | None,
) -> tuple[list[str], int]:
    """Return the columns that the flow takes, and how many of them are events."""
    shapes = (flow.event_shape, flow.condition_shape or (0,))
    if any(len(shape) != 1 for shape in shapes):
        msg = (
            f"`flow` must be a density of the rows of a table, got the event shape "
            f"{shapes[0]}. Score arrays by flow.log_prob."
        )
        raise ValueError(msg)
    sizes = (shapes[0][0], shapes[1][0])
    given = [condition] if isinstance(condition, str) else condition
    known = list(flow.condition_columns or ()) if given is None else list(given)
    taken = {*(flow.columns or ()), *known}
    there = [n for n in source.columns if n != identifier or n in taken]
    events = list(flow.columns or ())
    if flow.columns is None:
        left = [name for name in there if name not in known]
        events = left[: sizes[0]]
        known = known or left[sizes[0] :]
    if (len(events), len(known)) != sizes:
        more = f" and {sizes[1]} of the condition" if sizes[1] else ""
        msg = (
            f"{source.paths[0]}: this flow was fitted to {sizes[0]} columns{more}, the "
            f"table has {len(there)}."
        )
        raise limits.FileError(msg)
    return [*events, *known], sizes[0]
