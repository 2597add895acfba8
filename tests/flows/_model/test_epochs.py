"""Training of plain Keras on arrays of few batches."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.flows import small


def _flow(**options):
    flow = small.build("maf", **options)
    flow.compile(keras.optimizers.SGD(1e-2))
    return flow


@pytest.mark.parametrize("batch_size", [100, 40])
def test_an_iterator_is_made_once_for_all_epochs(iterators, batch_size):
    x = np.random.default_rng(0).normal(size=[100, 2])
    flow = _flow()
    history = flow.fit(x, epochs=10, batch_size=batch_size, verbose=0)
    assert len(iterators) == 1
    assert len(history.history["loss"]) == 10
    assert int(flow.optimizer.iterations) == 10 * -(-100 // batch_size)


def test_steps_and_losses_are_those_of_keras_without_shuffling():
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=[90, 2]), rng.normal(size=[90, 3])
    weights = rng.uniform(size=90)
    inputs = {"x": x, "condition": c}
    options = {"epochs": 3, "batch_size": 32, "shuffle": False, "verbose": 0}
    one, other = (_flow(condition_shape=3) for _ in range(2))
    ours = one.fit(inputs, sample_weight=weights, **options)
    # Keras' own loop, which arrays of many steps take.
    targets = np.zeros([90, 0], np.float32)
    keras_fit = keras.Model.fit
    theirs = keras_fit(other, inputs, targets, sample_weight=weights, **options)
    np.testing.assert_allclose(ours.history["loss"], theirs.history["loss"], rtol=1e-5)
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def test_shuffling_orders_rows_anew():
    x = np.random.default_rng(0).normal(size=[64, 2])
    losses = []
    for shuffle in (False, True):
        keras.utils.set_random_seed(1)
        history = _flow().fit(x, epochs=2, batch_size=16, shuffle=shuffle, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    "options",
    [
        {"validation_split": 0.25},
        {"steps_per_epoch": 1},
        {"batch_size": 4},
        {"validation_data": (np.zeros([10, 2], np.float32),)},
    ],
)
def test_other_ways_to_fit_still_work(options):
    x = np.random.default_rng(0).normal(size=[60, 2])
    history = _flow().fit(x, epochs=2, verbose=0, **options)
    assert np.all(np.isfinite(history.history["loss"]))
    assert ("val_loss" in history.history) == ("validation" in str(options))


def test_lengths_that_differ_are_an_error():
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=[20, 2]), "condition": rng.normal(size=[10, 3])}
    with pytest.raises(ValueError, match=r"\[10, 20\] rows"):
        _flow(condition_shape=3).fit(inputs, verbose=0)
