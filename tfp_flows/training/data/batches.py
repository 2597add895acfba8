"""Batches of arrays, for training and for validation."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows.training.data import arrays
from tfp_flows.training.data.noises import Noise

__all__ = ["for_training", "for_validation", "random_numbers", "shuffled"]

# What TensorFlow puts beside the seed of an operation where there is no global one.
NO_GLOBAL_SEED = 87654321


def shuffled(
    dataset: tf.data.Dataset, buffer: int, seed: int | None
) -> tf.data.Dataset:
    """Return a dataset in an order that only a seed says, another in each iteration.

    `Dataset.shuffle` mixes `tf.random.set_seed` into its seed, if it was called.

    Args:
        dataset: Elements, tensors or nested ones.
        buffer: How many elements are mixed at a time.
        seed: Int; `None` for an order of chance.
    """
    if seed is None:
        return dataset.shuffle(buffer, reshuffle_each_iteration=True)
    spec = dataset.element_spec
    flat = tf.nest.flatten(spec)
    variant = tf.raw_ops.ShuffleDatasetV3(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=tf.constant(buffer, tf.int64),
        seed=tf.constant(NO_GLOBAL_SEED, tf.int64),
        seed2=tf.constant(seed, tf.int64),
        seed_generator=tf.raw_ops.DummySeedGenerator(),
        output_types=[each.dtype for each in flat],
        output_shapes=[each.shape for each in flat],
        reshuffle_each_iteration=True,
    )
    return tf.data.experimental.from_variant(variant, spec)


def random_numbers(seed: int | None) -> tf.data.Dataset:
    """Return `int64` numbers without end that only a seed says; see `shuffled`."""
    if seed is None:
        return tf.data.Dataset.random(rerandomize_each_iteration=True)
    variant = tf.raw_ops.RandomDatasetV2(
        seed=tf.constant(NO_GLOBAL_SEED, tf.int64),
        seed2=tf.constant(seed, tf.int64),
        seed_generator=tf.raw_ops.DummySeedGenerator(),
        output_types=[tf.int64],
        output_shapes=[[]],
        rerandomize_each_iteration=True,
    )
    return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.int64))


def _slices(parts: tuple[Any, Any, Any]) -> tf.data.Dataset:
    """Return single events, with targets and weights if there are weights."""
    inputs, _, weights = parts
    return tf.data.Dataset.from_tensor_slices((inputs,) if weights is None else parts)


def for_training(
    data: arrays.Data,
    batch_size: int,
    noise: Noise,
    seed: int,
    dtype: str,
) -> tf.data.Dataset:
    """Return batches of one size, reshuffled every epoch, with noise.

    What does not fill the last batch waits for another epoch's order: one size of
    batch is compiled once.
    """
    dataset = _slices(data.keras(dtype))
    dataset = shuffled(dataset, len(data), seed)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    if not noise.is_none:
        generator = tf.random.Generator.from_seed(seed)

        def draw(place: int, values: tf.Tensor) -> tf.Tensor:
            del place  # numbers of a generator go on
            return generator.normal(tf.shape(values), dtype=values.dtype)

        def add_noise(inputs: Any, *rest: Any) -> tuple[Any, ...]:
            return (noise.added(inputs, draw), *rest)

        dataset = dataset.map(add_noise)
    return dataset.prefetch(2)


def for_validation(
    data: arrays.Data, batch_size: int, dtype: str
) -> tuple[tf.data.Dataset, int]:
    """Return an endless dataset of batches in order, and the steps of one pass."""
    size = min(len(data), batch_size)
    even = len(data) % size == 0  # then batches have a size that is known
    dataset = _slices(data.keras(dtype)).batch(size, drop_remainder=even)
    return dataset.repeat(), -(-len(data) // size)
