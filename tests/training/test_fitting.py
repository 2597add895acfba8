"""`tfp_flows.fit`: what it accepts, what it refuses, and what it returns."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows.training import choices

X = small.table(120)
TINY = {"num_layers": 1, "hidden_units": (8,)}


def fit(flow="maf", x=X, condition=None, **options):
    """Fit a tiny flow for two epochs, without XLA."""
    if isinstance(flow, str):
        options = {**TINY, **options}
    options = {"epochs": 2, "batch_size": 40, "seed": 0, "verbose": 0, **options}
    options = {"jit_compile": False, **options}
    return tfpf.fit(flow, x, condition, **options)


@pytest.mark.slow
def test_arrays_of_every_kind_give_the_same_fit():
    wanted = fit("linear", X)[1].history["val_loss"]
    for convert in (tf.constant, pd.DataFrame, lambda x: x.tolist()):
        flow, history = fit("linear", convert(X))
        assert flow.event_shape == (2,)
        np.testing.assert_allclose(history.history["val_loss"], wanted, atol=1e-5)


def test_history_is_in_nats_per_event():
    flow, history = fit("linear", validation=(X,), epochs=3, patience=100)
    best = min(history.history["val_loss"])
    assert best == pytest.approx(-np.mean(flow.log_prob(X)), abs=1e-4)
    assert set(history.history) >= {"loss", "val_loss"}


def test_few_numbers_are_fitted_to_all_rows():
    x = small.table(1000)  # with its few numbers a fit to these cannot follow noise
    assert "val_loss" not in fit("linear", x)[1].history
    assert "val_loss" in fit("linear", x, validation=0.1)[1].history
    assert "val_loss" in fit("linear", x[:400])[1].history
    assert "val_loss" in fit("nice", x)[1].history


def test_flow_that_exists_is_fitted_in_place():
    flow = small.build("maf")
    found, _ = fit(flow)
    assert found is flow
    assert np.abs(flow.get_weights()[-1]).max() > 0.0
    with pytest.raises(TypeError, match="`options` must be given when the flow is"):
        fit(flow, num_layers=3)


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ValueError, match=r"`flow` must be one of .*'nsf-ar'"):
        fit("nfs")
    with pytest.raises(TypeError, match="num_bins"):
        fit("maf", num_bins=3)


def test_names_of_a_frame_are_kept():
    frame = pd.DataFrame(X, columns=["acid", "sugar"])
    condition = pd.DataFrame({"colour": X[:, 0] > 0})
    flow, _ = fit("linear", frame, condition, epochs=1)
    assert flow.columns == ("acid", "sugar")
    assert flow.condition_columns == ("colour",)
    given = small.build("linear")
    fit(given, frame, epochs=1)
    assert given.columns == ("acid", "sugar")


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


@pytest.mark.parametrize("validation", [0.25, (X[:30],), None])
def test_validation_comes_in_several_forms(validation):
    _, history = fit("linear", validation=validation)
    assert ("val_loss" in history.history) == (validation is not None)


def test_validation_with_conditions():
    x, condition = small.batch(120)
    flow, history = fit(
        "linear", x, condition, validation=(x[:30], condition[:30]), patience=100
    )
    wanted = -np.mean(flow.log_prob(x[:30], condition[:30]))
    assert min(history.history["val_loss"]) == pytest.approx(wanted, abs=1e-4)


def test_validation_share_must_be_a_share():
    with pytest.raises(ValueError, match="`validation` must be at least 0"):
        fit("linear", validation=1.5)


@pytest.mark.slow
def test_same_seed_gives_the_same_numbers():
    options = {"dropout": 0.2, "noise": 0.05, "batch_size": 30}
    flows, histories = zip(*(fit(seed=3, **options) for _ in range(2)), strict=True)
    assert histories[0].history == histories[1].history
    for first, second in zip(*(f.get_weights() for f in flows), strict=True):
        np.testing.assert_array_equal(first, second)
    other = fit(seed=4, **options)[1].history
    assert other["loss"] != histories[0].history["loss"]


def test_early_stopping_restores_the_best_weights():
    held_out = X[80:]
    flow, history = fit(
        "maf",
        X[:80],
        validation=(held_out,),
        epochs=40,
        patience=2,
        learning_rate=1.0,
    )
    losses = history.history["val_loss"]
    assert len(losses) < 40
    found = -np.mean(flow.log_prob(held_out))
    assert found == pytest.approx(min(losses), abs=1e-3)
    assert found < losses[-1]


def test_loss_that_is_not_finite_stops_with_step_and_epoch():
    with pytest.raises(FloatingPointError, match=r"at step \d+ \(epoch \d+, batch"):
        fit("maf", learning_rate=1e30, validation=None, epochs=5)


def test_events_of_weight_zero_have_no_influence():
    wild = np.concatenate([X, 1000.0 + 0.0 * X[:40]]).astype("float32")
    weights = np.concatenate([np.full(120, 3.0), np.zeros(40)])
    flow, history = fit(
        "linear", wild, weights=weights, validation=None, epochs=8, batch_size=160
    )
    twin, wanted = fit("linear", X, validation=None, epochs=8, batch_size=120)
    found, wanted = history.history["loss"], wanted.history["loss"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    np.testing.assert_allclose(flow.log_prob(X), twin.log_prob(X), atol=0.05)


def test_weights_count_in_the_validation_as_well():
    weights = np.where(X[:, 0] > np.median(X[:, 0]), 1.0, 3.0)
    flow, history = fit("linear", validation=(X, None, weights), epochs=3, patience=100)
    wanted = -np.average(flow.log_prob(X), weights=weights)
    assert min(history.history["val_loss"]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), "non-negative"),
        (np.zeros(120), "not all zero"),
        (np.ones((120, 2)), r"shape \[N\]"),
        (np.ones(7), "one row per event, got 7 rows for 120 events"),
        (np.full(120, np.nan), "`weights` must be finite"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        fit(weights=weights)


def test_bad_data_are_refused_with_their_place():
    bad = X.copy()
    bad[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"got nan in row 8, column 2\. Drop"):
        fit(x=bad)
    frame = pd.DataFrame(bad, columns=["a", "b"])
    with pytest.raises(ValueError, match="row 8, column 'b'"):
        fit(x=frame)
    with pytest.raises(
        ValueError, match="column 'b' must be numeric, got 'red' in row 1"
    ):
        fit(x=frame.assign(b="red"))
    with pytest.raises(ValueError, match="`x` must be numeric"):
        fit(x=np.array([["a", "b"]]))
    with pytest.raises(ValueError, match="at least one row"):
        fit(x=X[:0])
    with pytest.raises(ValueError, match="got 100 rows for 120 events"):
        fit(condition=X[:100])
    infinite = np.where(np.isnan(bad), np.inf, bad)
    with pytest.raises(ValueError, match="`condition` must be finite, got inf"):
        fit(condition=infinite)


def test_data_that_do_not_fit_the_flow_are_refused():
    flow = small.build("maf", 3)
    with pytest.raises(ValueError, match=r"`x` .*\(3,\)"):
        fit(flow)
    with pytest.raises(ValueError, match="`condition` is missing"):
        fit(small.build("maf", 2, 1))
    with pytest.raises(ValueError, match="condition"):
        fit(small.build("maf", 2), X, X)


def test_data_smaller_than_a_batch_are_fitted():
    flow, history = fit("linear", X[:5], batch_size=None)
    assert np.all(np.isfinite(history.history["loss"]))
    assert np.all(np.isfinite(flow.log_prob(X)))


def test_single_row_is_refused_or_fitted_without_validation():
    flow, _ = fit("linear", X[:1], validation=None, batch_size=None)
    assert np.all(np.isfinite(flow.log_prob(X)))
    with pytest.raises(ValueError, match="at least two rows"):
        fit("linear", X[:1], validation=0.5)


@pytest.mark.parametrize("name", ["nsf", "maf-mol"])
def test_data_of_one_column_are_fitted(name):
    flow, history = fit(name, X[:, :1])
    assert flow.event_shape == (1,)
    assert np.all(np.isfinite(history.history["val_loss"]))


def test_vector_of_numbers_is_a_table_of_scalars():
    flow, _ = fit("linear", X[:, 0])
    assert flow.event_shape == ()
    assert flow.log_prob(X[:, 0]).shape == [120]
    assert flow.sample(3, seed=0).shape == [3]


def test_events_may_have_several_dimensions():
    x = np.random.default_rng(0).normal(size=(60, 2, 3)).astype("float32")
    flow, _ = fit("realnvp", x)
    assert flow.event_shape == (2, 3)
    assert flow.sample(4, seed=0).shape == [4, 2, 3]
    with pytest.raises(ValueError, match="`columns` must name"):
        fit("realnvp", x, columns=["a", "b"])


def test_condition_of_one_number_per_event_is_taken():
    x, condition = small.batch(120)
    flow, history = fit("linear", x, condition[:, 0])
    assert flow.condition_shape == (1,)
    given = small.build("linear", 2, 1, num_layers=1, hidden_units=(8,), base="normal")
    found = fit(given, x, condition[:, 0])[1].history["loss"]
    wanted = fit("linear", x, condition)[1].history["loss"]
    np.testing.assert_allclose(history.history["loss"], wanted, atol=1e-6)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_data_far_from_the_origin_are_fitted_like_others():
    x = small.table(200, dtype="float64")
    scores = []
    for offset in (0.0, 1e5):
        flow, _ = fit("linear", x + offset, epochs=10, dtype="float64")
        scores.append(np.mean(flow.log_prob(x + offset)))
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    # In float32 the data themselves are rounded to 1/128.
    flow, _ = fit("linear", x + 1e5, epochs=10)
    assert scores[0] == pytest.approx(np.mean(flow.log_prob(x + 1e5)), abs=0.05)


@pytest.mark.slow
def test_constant_column_breaks_nothing():
    x = np.concatenate([X, np.full((120, 1), 7.0)], axis=1).astype("float32")
    for name in ("maf", "nsf"):
        flow, history = fit(name, x)
        assert np.all(np.isfinite(history.history["loss"]))
        assert np.all(np.isfinite(flow.log_prob(x)))
        assert np.all(np.isfinite(flow.sample(100, seed=0)))


def test_constant_condition_breaks_nothing():
    flow, history = fit("maf", X, np.full((120, 1), 1e6, "float32"))
    assert np.all(np.isfinite(history.history["loss"]))
    assert np.all(np.isfinite(flow.log_prob(X, [1e6])))


def test_training_goes_on_without_adapting_again():
    flow, _ = fit("linear")
    before = [v.numpy() for v in flow.non_trainable_variables]
    fit(flow, X + 5.0, adapt=False)
    for old, new in zip(before, flow.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_callbacks_of_the_user_run():
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs)))
    )
    fit("linear", callbacks=[record])
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert set(seen[0][1]) >= {"loss", "val_loss"}


@pytest.mark.slow
def test_fit_recovers_a_gaussian():
    x = small.table(2000)
    flow, _ = fit("linear", x, epochs=60, batch_size=128, base="normal", patience=60)
    wanted = np.cov(x.T)
    covariance = np.cov(flow.sample(20_000, seed=0).numpy().T)
    np.testing.assert_allclose(covariance, wanted, rtol=0.1)
    entropy = 0.5 * np.log(np.linalg.det(2 * np.pi * np.e * wanted))
    assert -np.mean(flow.log_prob(x)) == pytest.approx(entropy, abs=0.02)


@pytest.mark.slow
def test_trainable_base_alone_fits_a_diagonal_gaussian():
    flow = small.build("nice", 2, num_layers=1, base="diagonal-normal")
    x = np.random.default_rng(0).normal([3.0, -1.0], [2.0, 0.5], size=(1000, 2))
    x = x.astype("float32")
    # Without adapting, location and scale can only come from the base.
    fit(flow, x, adapt=False, epochs=60, batch_size=100, learning_rate=0.05)
    base = flow.distribution().distribution
    entropy = np.log(2 * np.pi * np.e) + np.log(2.0 * 0.5)
    assert -np.mean(flow.log_prob(x)) == pytest.approx(entropy, abs=0.06)
    assert np.abs(base.mean().numpy()).max() > 0.5


def test_defaults_choose_batch_and_epochs_by_the_size_of_the_data():
    assert (choices.size_of_batch(50), choices.enough_epochs(2)) == (32, 1000)
    assert choices.size_of_batch(4000) == 256
    steps = -(-4000 // 256)
    assert choices.enough_epochs(steps) * steps >= choices.DEFAULT_STEPS
    assert choices.size_of_batch(10**6) == 512
    assert choices.lengths(10**6 // 64, epochs=3) == (3, 10**6 // 64)


def test_learning_rate_warms_up_and_falls():
    schedule = choices.make_optimizer(0.01, 0.0, 1000)._learning_rate
    rates = [float(schedule(step)) for step in (0, 50, 500, 1000)]
    assert rates[0] < rates[1] == pytest.approx(0.01, rel=0.02)
    assert rates[1] > rates[2] > rates[3]


def test_an_iterator_is_made_once_and_not_for_each_epoch(iterators):
    x = tfpf.datasets.toy("banana", 200, seed=0)
    tfpf.fit("linear", x, epochs=20, seed=0, verbose=0, validation=None)
    assert len(iterators) == 1
    tfpf.fit("linear", x, epochs=20, seed=0, verbose=0, validation=0.2)
    assert len(iterators) <= 2 + 20  # Keras makes one for each evaluation


def test_validation_loss_is_the_mean_over_all_rows_held_out():
    x = tfpf.datasets.toy("banana", 6000, seed=0).astype(np.float32)
    held_out = x[:5000]  # a whole batch of 4096 and a part of one
    flow, history = tfpf.fit(
        "linear", x[5000:], validation=(held_out,), epochs=3, seed=0, verbose=0
    )
    best = min(history.history["val_loss"])
    batches = [-np.mean(flow.log_prob(held_out[i : i + 4096])) for i in (0, 4096)]
    want = np.average(batches, weights=[4096, 904])
    assert best == pytest.approx(want, abs=1e-4)


def test_training_on_keeps_the_weights_unless_the_validation_loss_falls():
    x, held = (tfpf.datasets.toy("banana", 400, seed) for seed in (0, 1))
    options = {"validation": (held,), "seed": 0, "verbose": 0}
    flow, _ = tfpf.fit("maf", x, epochs=15, **options)
    before = flow.log_prob(held).numpy()
    weights = [np.array(w) for w in flow.get_weights()]
    _, history = tfpf.fit(
        flow, x, adapt=False, learning_rate=0.3, epochs=2, patience=1, **options
    )
    assert min(history.history["val_loss"]) > -before.mean()
    for old, new in zip(weights, flow.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    _, history = tfpf.fit(flow, x, adapt=False, epochs=30, **options)
    after = flow.log_prob(held).numpy().mean()
    np.testing.assert_allclose(-after, min(history.history["val_loss"]), atol=1e-4)
    assert after > before.mean()
