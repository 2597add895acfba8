"""Rows held out by `fit`: in which forms they come, and what they decide."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit


def test_few_numbers_are_fitted_to_all_rows():
    x = small.table(1000)  # with its few numbers a fit to these cannot follow noise
    assert "val_loss" not in fit("linear", x)[1].history
    assert "val_loss" in fit("linear", x, validation=0.1)[1].history
    assert "val_loss" in fit("linear", x[:400])[1].history
    assert "val_loss" in fit("nice", x)[1].history


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


def test_weights_count_in_the_validation_as_well():
    weights = np.where(X[:, 0] > np.median(X[:, 0]), 1.0, 3.0)
    flow, history = fit("linear", validation=(X, None, weights), epochs=3, patience=100)
    wanted = -np.average(flow.log_prob(X), weights=weights)
    assert min(history.history["val_loss"]) == pytest.approx(wanted, abs=1e-4)


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


@pytest.mark.slow
def test_training_on_keeps_the_weights_unless_the_validation_loss_falls():
    x, held = (tfpf.datasets.toy("banana", 400, seed) for seed in (0, 1))
    options = {"validation": (held,), "seed": 0, "verbose": 0}
    options |= {"adapt": False, "patience": 1}
    flow, _ = tfpf.fit("maf", x, epochs=3, **{**options, "adapt": True})
    before = flow.log_prob(held).numpy().mean()
    weights = [np.array(w) for w in flow.get_weights()]

    class Losses(keras.callbacks.Callback):
        """Gives epochs the validation losses that the test is about."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = self.losses[epoch]

    given = Losses()
    # Validation is what it is, and the losses of the epochs are worse, then better.
    given.losses = [1.0 - before, 2.0 - before]
    tfpf.fit(flow, x, epochs=2, callbacks=[given], **options)
    for old, new in zip(weights, flow.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    given.losses = [-before - 1.0]
    tfpf.fit(flow, x, epochs=1, callbacks=[given], **options)
    assert any((a != b).any() for a, b in zip(weights, flow.get_weights(), strict=True))
