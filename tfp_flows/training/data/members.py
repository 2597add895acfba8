"""Batches of arrays for ensembles: for each member rows of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.training.data import arrays
from tfp_flows.training.data.noises import Noise

__all__ = ["for_members"]


def for_members(
    data: arrays.Data,
    members: int,
    batch_size: int,
    noise: Noise,
    seed: int,
    dtype: str,
    *,
    bootstrap: bool = False,
) -> tf.data.Dataset:
    """Return batches `[M, N, ...]`: in each epoch an order of the rows for each member.

    Orders are drawn for a whole epoch, and rows picked batch by batch: shuffling single
    rows would take the time of a step. What does not fill the last batch waits for
    another epoch's order.

    Args:
        data: The rows.
        members: Number of members, `M`.
        batch_size: Rows of each member in a batch, `N`.
        noise: Deviations of noise.
        seed: Int that fixes all that is drawn.
        dtype: Type of the numbers.
        bootstrap: Whether each member has rows drawn with replacement, once for all
            epochs, in place of all rows.
    """
    inputs, targets, weights = data.keras(dtype)
    parts = (inputs,) if weights is None else (inputs, targets, weights)
    rows, steps = len(data), len(data) // batch_size
    own: Any = np.tile(np.arange(rows), [members, 1])
    if bootstrap:
        own = np.random.default_rng(seed).integers(rows, size=own.shape)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        keys = tf.random.stateless_uniform(own.shape, [seed, number])
        order = tf.gather(own, tf.argsort(keys), batch_dims=1)
        shape = [members, steps, batch_size]
        order = tf.reshape(order[:, : steps * batch_size], shape)
        order = tf.transpose(order, [1, 0, 2])
        return tf.data.Dataset.from_tensor_slices((tf.range(steps), order))

    def batch(number: tf.Tensor, step: tf.Tensor, places: tf.Tensor) -> tuple[Any, ...]:
        found = tf.nest.map_structure(lambda v: tf.gather(v, places), parts)
        if noise.is_none:
            return found
        first, *rest = found
        apart = tf.cast(number, tf.int32) * steps + step

        def draw(place: int, values: tf.Tensor) -> tf.Tensor:
            words = tf.stack([seed ^ (1 + place), apart])
            return tf.random.stateless_normal(
                tf.shape(values), words, dtype=values.dtype
            )

        return (noise.added(first, draw), *rest)

    numbers = tf.data.Dataset.range(tf.int32.max)
    dataset = numbers.flat_map(
        lambda number: epoch(number).map(lambda *one: batch(number, *one))
    )
    return dataset.prefetch(2)
