"""Greedy fits to data that are read anew for each layer: datasets and shards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import datasets, flows
from tfp_flows.training.data import arrays
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import progress

__all__ = ["fit", "is_stream"]


def is_stream(flow: flows.Flow | str, x: Any, validation: Any) -> bool:
    """Say whether a fit goes through a stream: a greedy one, of a dataset or shards."""
    if isinstance(flow, str):
        known = flows.all_names()
        method = flows.flow_class(flow).fit_policy.method if flow in known else ""
    else:
        method = flow.fit_policy.method
    # A validation dataset of its own is small enough to be held in memory.
    is_share = validation is None or isinstance(validation, (float, str))
    return (
        method == "greedy"
        and is_share
        and (isinstance(x, tf.data.Dataset) or _paths(x))
    )


def _paths(x: Any) -> bool:
    if isinstance(x, (str, os.PathLike)):
        return True
    is_list = isinstance(x, (list, tuple)) and len(x) > 0
    return is_list and all(isinstance(path, (str, os.PathLike)) for path in x)


def _reader(
    x: Any, event_shape: tuple[int, ...] | None
) -> tuple[Callable[[], Iterator[np.ndarray]], tuple[int, ...], tuple[str, ...] | None]:
    """Return what reads the batches, the shape of an event, the names of columns."""
    if isinstance(x, tf.data.Dataset):
        arrays.check_batches(x, event_shape)

        def batches() -> Iterator[np.ndarray]:
            for element in x:
                yield np.asarray(arrays.batch_of(element)[0])

        first = next(batches(), None)
        if first is None:
            raise ValueError(arrays.EMPTY)
        return batches, first.shape[1:], None
    paths: Sequence[Any] = [x] if isinstance(x, (str, os.PathLike)) else x

    def shards() -> Iterator[np.ndarray]:
        for path in paths:
            yield datasets.read_table(path, columns).x

    columns = datasets.read_table(Path(paths[0])).columns
    return shards, (len(columns),), columns


def fit(
    flow: flows.Flow | str,
    x: Any,
    limits: progress.Limits,
    *,
    validation: float | None,
    seed: int | None,
    adapt: bool,
    **options: Any,
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a greedy flow to a dataset of batches, or to the files of a table.

    Args:
        flow: The flow or its name.
        x: Dataset of batches, or the path of a table, or paths of its shards.
        limits: How long the fit may be.
        validation: Share of validation rows, or `None`.
        seed: Int that fixes the fit.
        adapt: Whether to start anew.
        **options: Of the flow, if it is given by name.

    Returns:
        The flow and the history.
    """
    shape = None if isinstance(flow, str) else flow.event_shape
    read, shape, columns = _reader(x, shape)
    if isinstance(flow, str):
        flow = flows.build(flow, shape, None, seed=seed, columns=columns, **options)
    elif options:
        msg = (
            "`options` must be given when the flow is built, got "
            f"{sorted(options)} with a flow that exists. Give a name instead."
        )
        raise TypeError(msg)
    history = greedy.fit_stream(
        flow, read, limits, validation=validation, seed=seed, adapt=adapt
    )
    return flow, history
