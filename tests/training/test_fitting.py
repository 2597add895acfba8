"""`tfp_flows.fit`: what it returns, and what it finds."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit


@pytest.mark.colab
def test_history_is_in_nats_per_event():
    flow, history = fit("linear", validation=(X,), epochs=3, patience=100)
    best = min(history.history["val_loss"])
    assert best == pytest.approx(-np.mean(flow.log_prob(X)), abs=1e-4)
    assert set(history.history) >= {"loss", "val_loss"}


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


@pytest.mark.slow
def test_same_seed_gives_the_same_numbers():
    options = {"dropout": 0.2, "noise": 0.05, "batch_size": 30}
    flows, histories = zip(*(fit(seed=3, **options) for _ in range(2)), strict=True)
    assert histories[0].history == histories[1].history
    for first, second in zip(*(f.get_weights() for f in flows), strict=True):
        np.testing.assert_array_equal(first, second)
    other = fit(seed=4, **options)[1].history
    assert other["loss"] != histories[0].history["loss"]


def test_loss_that_is_not_finite_stops_with_step_and_epoch():
    with pytest.raises(FloatingPointError, match=r"at step \d+ \(epoch \d+, batch"):
        fit("maf", learning_rate=1e30, validation=None, epochs=5)


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


def test_callback_may_set_the_learning_rate():
    halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / 2**epoch)
    _, history = fit("linear", epochs=3, callbacks=[halve])
    np.testing.assert_allclose(history.history["learning_rate"], [0.01, 0.005, 0.0025])
    plateau = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=9.0)
    _, history = fit("linear", epochs=4, learning_rate=0.02, callbacks=[plateau])
    rates = history.history["learning_rate"]
    np.testing.assert_allclose(rates[:3], [0.02, 0.02, 0.01])


def test_backup_goes_on_where_the_run_stood(tmp_path):
    class Fall(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("fell")

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    with pytest.raises(RuntimeError, match="fell"):
        fit("linear", epochs=4, callbacks=[backup(), Fall()])
    _, history = fit("linear", epochs=4, callbacks=[backup()])
    assert history.epoch == [2, 3]


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


def test_an_iterator_is_made_once_and_not_for_each_epoch(iterators):
    x = tfpf.datasets.toy("banana", 200, seed=0)
    tfpf.fit("linear", x, epochs=20, seed=0, verbose=0, validation=None)
    assert len(iterators) == 1
    tfpf.fit("linear", x, epochs=20, seed=0, verbose=0, validation=0.2)
    assert len(iterators) <= 2 + 20  # Keras makes one for each evaluation
