"""Fits by other objectives than the likelihood."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit
from tfp_flows import training


class ReverseKL(training.Objective):
    """KL(flow || normal)."""

    needs_data = False

    def loss(self, flow, batch, *, seed, step):
        density = flow.distribution()
        x = density.sample(64, seed=seed)
        return tf.reduce_mean(density.log_prob(x) + 0.5 * tf.reduce_sum(x**2, axis=-1))


class Twice(training.MaximumLikelihood):
    """Twice the default."""

    supports_jit = False

    def loss(self, flow, batch, *, seed, step):
        return 2.0 * super().loss(flow, batch, seed=seed, step=step)


def no_data(flow=None, **options):
    flow = small.perturbed(small.build("linear", base="normal"), 0.5)
    options = {"objective": ReverseKL(), "seed": 0, "verbose": 0, **options}
    return tfpf.fit(flow, None, **options)


def test_fit_without_data_makes_so_many_steps():
    flow, history = no_data(steps=200, learning_rate=0.03)
    assert int(flow.optimizer.iterations) == 200
    losses = history.history["loss"]
    assert len(losses) == 100
    assert losses[-1] == pytest.approx(-np.log(2 * np.pi), abs=0.05)
    assert losses[-1] < losses[0]
    again = no_data(steps=200, learning_rate=0.03)[1].history["loss"]
    assert losses == again


@pytest.mark.parametrize(
    ("options", "epochs", "steps"),
    [
        ({"steps": 6, "epochs": 2}, 2, 6),
        ({"steps_per_epoch": 3, "epochs": 2}, 2, 6),
        ({"steps_per_epoch": 4, "steps": 8}, 2, 8),
    ],
)
def test_epochs_of_a_fit_without_data(options, epochs, steps):
    flow, history = no_data(**options)
    assert len(history.history["loss"]) == epochs
    assert int(flow.optimizer.iterations) == steps


def test_fit_without_data_says_what_is_missing():
    with pytest.raises(ValueError, match="`steps` must be given"):
        no_data()
    with pytest.raises(ValueError, match="must be at most two, got all"):
        no_data(steps=1, epochs=1, steps_per_epoch=1)
    with pytest.raises(ValueError, match="`Twice` needs data"):
        no_data(steps=1, objective=Twice())
    with pytest.raises(ValueError, match="`condition` must come with events"):
        no_data(steps=1, condition=X)
    with pytest.raises(TypeError, match="`flow` must be built"):
        tfpf.fit("linear", None, objective=ReverseKL(), steps=1)


def test_objective_counts_in_validation_and_early_stopping():
    plain = fit("linear", validation=(X,))[1].history["val_loss"]
    flow, history = fit("linear", validation=(X,), objective=Twice())
    # The first epoch starts alike; later ones differ by what Adam's epsilon does.
    np.testing.assert_allclose(
        history.history["val_loss"], 2 * np.array(plain), rtol=0.01
    )
    assert isinstance(flow.objective, Twice)
    assert fit(flow)[0].objective.__class__ is training.MaximumLikelihood


def test_objective_without_xla_is_not_compiled(monkeypatch):
    found = []

    @functools.wraps(keras.Model.fit)  # whose arguments are checked
    def untrained(self, *_, callbacks, **__):
        found.append(self)
        for callback in callbacks:
            callback.on_train_begin()
        self.history = keras.callbacks.History()
        self.history.epoch, self.history.history = [], {}
        return self.history

    monkeypatch.setattr(keras.Model, "fit", untrained)
    for objective in (None, Twice()):
        options = {"jit_compile": "auto", "epochs": 2000, "objective": objective}
        fit("maf", **options)
    assert [bool(flow.jit_compile) for flow in found] == [True, False]


def test_greedy_fit_has_no_objective():
    for x in (X, tf.data.Dataset.from_tensor_slices(X).batch(30)):
        for options in ({"objective": Twice()}, {"steps": 3}):
            with pytest.raises(ValueError, match="must be left out for a greedy fit"):
                tfpf.fit("rbig", x, verbose=0, **options)
