"""What `fit` is given as files: columns by name, statistics, and shuffled batches."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfp_flows import _checks, _context, datasets, flows
from tfp_flows.datasets import limits, shards
from tfp_flows.training.data import files, given, kinds, request

__all__ = ["is_files", "names", "read", "refuse", "require_held_out"]


def is_files(x: Any) -> bool:
    """Return whether data are files: a path, paths, or `datasets.Shards`."""
    return isinstance(x, shards.Shards) or shards.is_path(x)


def refuse(**told: Any) -> None:
    """Raise if something is given that rows of files have no part in.

    Raises:
        ValueError: Naming it.
    """
    for name, value in told.items():
        if value:
            msg = (
                f"`{name}` must be left out where `x` is files, whose rows are never "
                "all in memory. Read them by tfp_flows.datasets.read_table, and pass "
                "the table."
            )
            raise ValueError(msg)


def read(asked: request.Request) -> given.Given:
    """Read what `fit` is given as files, and build the flow if it was given by name."""
    _checks.one_of(asked.outliers, ("drop", "keep"), "outliers")
    is_ensemble = asked.options.get("members") is not None
    if is_ensemble or isinstance(asked.flow, flows.Ensemble):
        refuse(members=True)
    source = (
        asked.x if isinstance(asked.x, shards.Shards) else shards.open_shards(asked.x)
    )
    events, conditions = names(asked.flow, source, asked.condition, asked.columns)
    source = _described(source.select([*events, *conditions]), asked)
    share = _share(asked.validation)
    rng = _context.generator(asked.seed)
    found = files.scan(
        source, len(events), share or 0.0, int(rng.integers(2**31)), asked.outliers
    )
    held_out: Any = None
    if share:
        require_held_out(found, share)
        held_out = found.parts(found.held_out)
    elif share is None and asked.validation is not None:
        held_out = asked.validation
    x, condition = _tables(found, events, conditions)
    columns = asked.columns
    if isinstance(columns, Mapping):
        columns = {k: v for k, v in columns.items() if v != kinds.DROP}
    sample = dataclasses.replace(
        asked,
        x=x,
        condition=condition,
        validation=held_out,
        outliers="keep",  # those of all rows are left out by now
        columns=columns or "auto",
    )
    with _of_sample():
        read = given.read(sample)
    train = read.train.select(np.arange(len(found.sample)))
    return dataclasses.replace(read, train=train, files=found)


def _described(source: shards.Shards, asked: request.Request) -> shards.Shards:
    """Return files with the labels and units that a flow or the columns have."""
    flow, told = asked.flow, kinds.Kinds(asked.columns)
    if isinstance(flow, flows.Flow):
        labels = {**flow.category_labels(), **flow.condition_labels()}
        units = None
        if flow.units is not None:
            units = {k: u for held in flow.units.values() for k, u in held.items()}
        return source.described(labels=labels, units=units)
    coded = [name for name in told.categories if name in source.columns]
    return source.described(labels=told.labels, categories=coded)


def _share(validation: Any) -> float | None:
    """Return the share of rows that is held out, `None` for none or other rows."""
    if isinstance(validation, str):
        share: float | None = given.VALIDATION
    else:
        share = validation if isinstance(validation, float) else None
    if share:
        _checks.fraction(share, "validation")
    return share


def require_held_out(found: files.FileRows, share: float | None) -> None:
    """Raise if rows were to be held out, and none was.

    Args:
        found: The rows.
        share: That was to be held out.
    """
    if share and not len(found.held_out):
        msg = (
            f"`validation` must hold some rows out, got {share} of so few rows: none "
            "is left. Give more rows, or validation=None."
        )
        raise limits.FileError(msg)


@contextlib.contextmanager
def _of_sample() -> Iterator[None]:
    """Leave numbers of rows of the sample out of sentences: no file has them."""
    try:
        yield
    except ValueError as error:
        text = re.sub(r"in row \d+", "in a row of the files", str(error))
        raise type(error)(text) from error


def _tables(
    found: files.FileRows, events: Sequence[str], conditions: Sequence[str]
) -> tuple[datasets.Table, datasets.Table | None]:
    """Return the sample, and the rows at the ends, as tables."""
    source = found.source
    rows = np.concatenate([found.sample, found.ends])

    def table(part: np.ndarray, names: Sequence[str]) -> datasets.Table:
        units, labels = source.units or {}, source.labels
        return datasets.Table(
            part,
            tuple(names),
            units={k: u for k, u in units.items() if k in names},
            labels={k: tuple(v) for k, v in labels.items() if k in names},
        )

    x, condition = found.parts(rows)
    return table(x, events), None if condition is None else table(condition, conditions)


def names(
    flow: flows.Flow | str, source: shards.Shards, condition: Any, columns: Any
) -> tuple[list[str], list[str]]:
    """Return the columns of events and conditions.

    Raises:
        TypeError: If conditions are no names.
        ValueError: If the files lack a column, or none is left.
    """
    saved = flow if isinstance(flow, flows.Flow) else None
    if condition is None and saved is not None:
        condition = saved.condition_columns
        if condition is None and saved.condition_shape is not None:
            msg = (
                "`condition` must name the columns of the condition, which the flow "
                "does not know, got None. Pass condition=[...]."
            )
            raise ValueError(msg)
    if isinstance(condition, str):
        condition = [condition]
    given_names = list(condition or ()) if _is_names(condition) else None
    if given_names is None:
        msg = (
            "`condition` must be names of columns where `x` is files, got a "
            f"`{type(condition).__name__}`. Keep the condition in the files, beside "
            "the events."
        )
        raise TypeError(msg)
    told = columns if isinstance(columns, Mapping) else {}
    dropped = [name for name, kind in told.items() if kind == kinds.DROP]
    if saved is not None and saved.columns is not None:
        events = list(saved.columns)
    elif isinstance(columns, (list, tuple)):
        events = [str(name) for name in columns]
    else:
        source.select([*told, *given_names])  # names those that there are not
        events = [n for n in source.columns if n not in {*given_names, *dropped}]
    if not events:
        msg = f"{source.paths[0]}: no column is left for the events."
        raise limits.FileError(msg)
    both = sorted(set(events) & set(given_names))
    if both:
        msg = f"column {both[0]!r} cannot be event and condition at once."
        raise ValueError(msg)
    return events, given_names


def _is_names(names: Any) -> bool:
    if names is None:
        return True
    is_list = isinstance(names, (list, tuple))
    return is_list and all(isinstance(name, str) for name in names)
