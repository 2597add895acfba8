"""Shares of a batch that workers of a distribution strategy take."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows.flows._model import workers

__all__ = ["divisible", "even_size", "of_worker"]


def divisible(size: int, given: int | None) -> int:
    """Return a size of batches that all devices share evenly.

    Args:
        size: The size that was chosen.
        given: What the user said, which is not changed.

    Raises:
        ValueError: If what the user said cannot be shared evenly.
    """
    count = tf.distribute.get_strategy().num_replicas_in_sync
    if size % count == 0:
        return size
    if given is not None:
        msg = (
            f"`batch_size` must be a multiple of {count}, the number of devices, got "
            f"{given}. Pass {-(-given // count) * count}."
        )
        raise ValueError(msg)
    return -(-size // count) * count


def even_size(rows: int, size: int, count: int | None = None) -> int:
    """Return a size of batches in order, each of which has a row for each device.

    Args:
        rows: Number of rows.
        size: Size at most.
        count: Number of devices, by default those of the strategy of the scope.
    """
    if count is None:
        count = tf.distribute.get_strategy().num_replicas_in_sync
    size = max(min(rows, size) // count, 1) * count
    while 0 < rows % size < count and size > count:
        size -= count
    return size


def of_worker(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the parts of batches that the devices of this worker take, in turn.

    Args:
        dataset: Batches, the same on all workers.
    """
    if not workers.are_several():
        return dataset
    strategy = tf.distribute.get_strategy()
    local, count = (
        len(strategy.extended.worker_devices),
        strategy.num_replicas_in_sync,
    )
    first = workers.index() * local
    is_tuple = isinstance(dataset.element_spec, tuple)

    def parts(*batch: Any) -> tf.data.Dataset:
        found = [
            tf.nest.map_structure(lambda each, i=i: each[i::count], batch)
            for i in range(first, first + local)
        ]
        found = found if is_tuple else [part[0] for part in found]
        whole = tf.data.Dataset.from_tensors(found[0])
        for part in found[1:]:
            whole = whole.concatenate(tf.data.Dataset.from_tensors(part))
        return whole

    return dataset.flat_map(parts)
