"""Datasets that `fit` is given: batches, dicts, pairs, and those without an end."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit


def test_dataset_of_batches_is_taken_as_it_is():
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(30)
    held_out = tf.data.Dataset.from_tensor_slices(X[:40]).batch(20)
    flow, history = fit("linear", dataset, validation=held_out)
    assert flow.event_shape == (2,)
    assert len(history.history["val_loss"]) == 2
    # The statistics come from the data of the dataset.
    np.testing.assert_allclose(
        flow.sample(4000, seed=0).numpy().mean(axis=0), X.mean(axis=0), atol=0.3
    )


def test_dataset_of_dicts_brings_its_conditions():
    x, condition = small.batch(120, condition=3)
    parts = {"x": x, "condition": condition}
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(40)
    flow, history = fit("realnvp", dataset, validation=None)
    assert flow.condition_shape == (3,)
    assert "val_loss" not in history.history
    with pytest.raises(ValueError, match="must come with the dataset"):
        fit("realnvp", dataset, condition)


def test_dataset_without_batches_is_refused():
    for flow in ("linear", small.build("linear")):
        with pytest.raises(ValueError, match=r"must yield batches .*elements \(2,\)"):
            fit(flow, tf.data.Dataset.from_tensor_slices(X))
    with pytest.raises(ValueError, match="at least one batch"):
        fit("linear", tf.data.Dataset.from_tensor_slices(X).batch(8).take(0))


def test_existing_flow_judges_the_elements_of_a_dataset():
    flow = small.build("linear")
    with pytest.raises(ValueError, match="must yield batches"):
        fit(flow, tf.data.Dataset.from_tensor_slices(X[:, 0]).batch(30))
    with pytest.raises(ValueError, match=r"`x` .*\(2,\)"):
        fit(flow, tf.data.Dataset.from_tensor_slices(X[:, :1]).batch(30))
    # Batches of scalars for a flow on scalars.
    scalars = tf.data.Dataset.from_tensor_slices(X[:, 0]).batch(30)
    assert fit("linear", scalars, epochs=1)[0].event_shape == ()


def test_pairs_are_events_and_conditions():
    x, condition = small.batch(120)
    batches = tf.data.Dataset.from_tensor_slices((x, condition)).batch(40)
    flow, history = fit("linear", batches)
    assert flow.condition_shape == (1,)
    parts = {"x": x, "condition": condition}
    dicts = tf.data.Dataset.from_tensor_slices(parts).batch(40)
    wanted = fit("linear", dicts)[1].history["loss"]
    np.testing.assert_allclose(history.history["loss"], wanted, atol=1e-5)
    numbers = tf.data.Dataset.from_tensor_slices((x, np.arange(120))).batch(40)
    assert fit("linear", numbers, epochs=1)[0].condition_shape == (1,)
    with pytest.raises(ValueError, match="`condition` was given"):
        fit(small.build("linear"), batches)
    with pytest.raises(ValueError, match="and so must a condition"):
        tfpf.fit("rbig", batches, verbose=0)


def test_weights_of_a_dataset_count():
    targets = np.zeros([120, 0], np.float32)
    weights = np.repeat([2.0, 0.0], 60).astype("float32")
    weighted = tf.data.Dataset.from_tensor_slices((X, targets, weights)).batch(120)
    losses = [
        fit(small.build("linear"), data, adapt=False)[1].history["loss"]
        for data in (weighted, tf.data.Dataset.from_tensors(X[:60]))
    ]
    np.testing.assert_allclose(*losses, atol=1e-5)


def test_endless_dataset_asks_for_steps():
    endless = tf.data.Dataset.from_tensor_slices(X).batch(30).repeat()
    flow, history = fit("linear", endless, epochs=None, steps=6, validation=(X,))
    assert int(flow.optimizer.iterations) == 6
    flow, history = fit("linear", endless, epochs=2, steps_per_epoch=5)
    assert int(flow.optimizer.iterations) == 10
    assert len(history.history["loss"]) == 2
    for name in ("linear", "rbig"):
        with pytest.raises(ValueError, match=r"`steps` must be given|`x` must end"):
            tfpf.fit(name, endless, epochs=2, verbose=0)
    with pytest.raises(ValueError, match="`validation` must end"):
        fit("linear", X, validation=endless)


def test_epochs_of_a_dataset_may_be_counted_in_steps():
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(30)
    flow, history = fit("linear", dataset, epochs=None, steps=10)
    assert len(history.history["loss"]) == 3
    flow, history = fit("linear", dataset, epochs=2, steps_per_epoch=6)
    assert int(flow.optimizer.iterations) == 12


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"a": X[:, 0], "b": X[:, 1]}, r"`x` must yield .* got the keys \['a', 'b'\]"),
        ({"x": X, "context": X}, r"got the keys \['context', 'x'\]"),
        (((X, X), X), "got nested ones"),
    ],
)
def test_elements_of_another_form_are_named(parts, message):
    batches = tf.data.Dataset.from_tensor_slices(parts).batch(30)
    for flow in ("linear", small.build("linear")):
        with pytest.raises(ValueError, match=message):
            fit(flow, batches)


def test_keras_is_not_told_to_shuffle_a_dataset():
    flow = small.build("linear")
    flow.compile("sgd", run_eagerly=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        flow.fit(tf.data.Dataset.from_tensor_slices(X).batch(60), verbose=0)


def test_late_batches_that_are_not_finite_are_named():
    x = np.tile(X, (1000, 1)).astype("float32")  # more than the first rows of a dataset
    x[-7, 1] = np.nan
    late = tf.data.Dataset.from_tensor_slices(x).batch(20_000)
    with pytest.raises(ValueError, match=r"`x` must be finite, got nan in batch 6, "):
        fit("linear", late)
    pairs = late.map(lambda x: (x[:, :1], x[:, 1:]))
    with pytest.raises(ValueError, match=r"`condition` .* batch 6, row 19994 of it"):
        fit("linear", pairs)


@pytest.mark.parametrize("adapt", [True, False])
def test_validation_batches_that_are_not_finite_are_named(adapt):
    x = X.astype("float32")
    flow, _ = fit("linear", x)
    x[-7, 1] = np.nan
    held_out = tf.data.Dataset.from_tensor_slices(x).batch(40)
    with pytest.raises(ValueError, match=r"`validation` must be finite, .* in batch 3"):
        fit(flow, X.astype("float32"), validation=held_out, adapt=adapt)
