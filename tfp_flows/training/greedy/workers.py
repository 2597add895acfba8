"""Sums over the workers of a distribution strategy, each of which has its own rows.

A greedy fit sees data through sums. Where workers add theirs, all of them make the same
layers, those of all rows together. Without a strategy, or with one worker, sums stay
what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["gathered", "index", "raised_together", "total"]


def index() -> int:
    """Return the number of this worker, from 0."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    return int(resolver.task_id or 0) if resolver is not None else 0


def _per_replica(value: np.ndarray, others: np.ndarray) -> Any:
    """Return what the first replica of each worker holds, and all others of it."""
    taken = False

    def hold(context: tf.distribute.ValueContext) -> tf.Tensor:
        nonlocal taken
        del context
        held, taken = others if taken else value, True
        return tf.constant(held)

    return tf.distribute.get_strategy().experimental_distribute_values_from_function(
        hold
    )


def total(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the sums of numbers and arrays over all workers, each `[...]`."""
    if not tf.distribute.has_strategy():
        return values
    strategy = tf.distribute.get_strategy()
    out = []
    for value in values:
        array = np.asarray(value)
        held = _per_replica(array, np.zeros_like(array))
        out.append(strategy.reduce(tf.distribute.ReduceOp.SUM, held, axis=None).numpy())
    return tuple(out)


def gathered(rows: np.ndarray) -> np.ndarray:
    """Return the rows `[N, ...]` of all workers, one worker's after the other's."""
    if not tf.distribute.has_strategy():
        return rows
    strategy = tf.distribute.get_strategy()
    return strategy.gather(_per_replica(rows, rows[:0]), axis=0).numpy()


def raised_together(function: Callable[[], Any]) -> Any:
    """Return what a function gives; if it fails in one worker, fail in all of them.

    Otherwise those that go on would wait for the one that failed, without end.

    Raises:
        RuntimeError: If the function failed in another worker.
    """
    result, error = None, None
    try:
        result = function()
    except Exception as found:
        error = found
    (failed,) = total((np.int64(error is not None),))
    if error is not None:
        raise error
    if failed:
        msg = (
            f"`fit` stopped in worker {index()} because {failed} other of its workers "
            "failed. See the messages there."
        )
        raise RuntimeError(msg)
    return result
