"""Greedy fits to data that are read anew for each layer: datasets and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _context, flows
from tfp_flows.datasets import shards
from tfp_flows.training import interrupts, report
from tfp_flows.training.baseline import estimate
from tfp_flows.training.data import arrays, building, files, given_files, kinds
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import progress

__all__ = ["fit", "is_stream"]


def is_stream(flow: flows.Flow | str, x: Any, validation: Any) -> bool:
    """Say whether a fit goes through a stream: a greedy one, of a dataset or files."""
    if isinstance(flow, str):
        known = flows.all_names()
        method = flows.flow_class(flow).fit_policy.method if flow in known else ""
    else:
        method = flow.fit_policy.method
    # A validation dataset of its own is small enough to be held in memory.
    is_share = validation is None or isinstance(validation, (float, str))
    if method != "greedy":
        return False
    return given_files.is_files(x) or (is_share and isinstance(x, tf.data.Dataset))


def fit(
    flow: flows.Flow | str,
    x: Any,
    limits: progress.Limits,
    *,
    validation: float | None,
    seed: int | None,
    adapt: bool,
    columns: Any = "auto",
    outliers: str = "drop",
    **options: Any,
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a greedy flow to a dataset of batches, or to the files of a table.

    Args:
        flow: The flow or its name.
        x: Dataset of batches, or files.
        limits: How long the fit may be.
        validation: Share of validation rows, or `None`.
        seed: Int that fixes the fit.
        adapt: Whether to start anew.
        columns: Names of the columns, or `"drop"` by name for those of files that are
            left out.
        outliers: What becomes of gross outliers in files.
        **options: Of the flow, if it is given by name.

    Returns:
        The flow and the history, whose `report` is that of the fit.
    """
    shape = None if isinstance(flow, str) else flow.event_shape
    told: dict[str, Any] = {"validation": validation, "seed": seed, "adapt": adapt}
    if given_files.is_files(x):
        found, names = _files(flow, x, columns, validation, seed, outliers)
        flow = _built(flow, (len(names),), seed, {"columns": names, **options})
        told |= {"validation": found.bar or None, "split_seed": found.seed}
        with interrupts.guarded(flow):
            history = greedy.fit_stream(flow, found.events_only, limits, **told)
        history.report = report.judged(
            flow,
            arrays.Data(found.sample),
            arrays.Data(found.held_out) if len(found.held_out) else None,
            ending=history.ending,
            fitted=found.rows,
        )
        return flow, history
    if isinstance(columns, (list, tuple)):
        options["columns"] = columns
    arrays.check_batches(x, shape)

    def batches() -> Iterator[np.ndarray]:
        for element in x:
            yield np.asarray(arrays.batch_of(element)[0])

    first = next(batches(), None)
    if first is None:
        raise ValueError(arrays.EMPTY)
    flow = _built(flow, first.shape[1:], seed, options)
    with interrupts.guarded(flow):
        history = greedy.fit_stream(flow, batches, limits, **told)
    losses = history.row_losses
    history.report = report.Report(
        None,
        report.parameter_count(flow),
        history.ending,
        "training" if history.ending.best is None else "validation",
        len(losses),
        estimate(-losses),
    )
    return flow, history


def _files(
    flow: flows.Flow | str,
    x: Any,
    columns: Any,
    validation: float | None,
    seed: int | None,
    outliers: str,
) -> tuple[files.FileRows, list[str]]:
    """Return the rows of files and the names of their columns.

    Raises:
        ValueError: If columns are said to be more than numbers.
    """
    kinds.Kinds(columns)  # refuses what is no such argument
    if isinstance(columns, dict):
        more = [name for name, kind in columns.items() if kind != kinds.DROP]
        if more:
            msg = (
                "`columns` of files may only be dropped where a flow is fitted by "
                f"layers, got a kind for {more[0]!r}. Read the table into memory."
            )
            raise ValueError(msg)
    source = x if isinstance(x, shards.Shards) else shards.open_shards(x)
    names, _ = given_files.names(flow, source, None, columns)
    units = None if isinstance(flow, str) else flow.units
    source = source.select(names).described(
        units=None if units is None else dict(units["columns"])
    )
    fixed = int(_context.generator(seed).integers(2**31))
    share = validation or 0.0
    found = files.scan(source, len(names), share, fixed, outliers, exact=False)
    given_files.require_held_out(found, validation)
    return found, names


def _built(
    flow: flows.Flow | str,
    shape: tuple[int, ...],
    seed: int | None,
    options: dict[str, Any],
) -> flows.Flow:
    """Return the flow, built if it was given by name."""
    if isinstance(flow, str):
        return flows.build(flow, shape, None, seed=seed, **options)
    if set(options) - {"columns"}:
        building.refuse_options(options)
    return flow
