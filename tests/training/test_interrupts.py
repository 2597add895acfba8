"""Fits that are interrupted."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tests.training.tiny import X, fit
from tfp_flows import flows
from tfp_flows.training import loop, report
from tfp_flows.training.callbacks import averaging
from tfp_flows.training.greedy import fit as greedy
from tfp_flows.training.greedy import initial_layers, layers


class Interrupt(keras.callbacks.Callback):
    """Spoil the weights in the third epoch, as a step that goes wrong, and stop."""

    def on_epoch_end(self, epoch, logs=None):
        self.losses = [*getattr(self, "losses", []), logs["val_loss"]]
        if epoch == 2:
            for variable in self.model.trainable_variables:
                variable.assign(variable + 3.0)
            raise KeyboardInterrupt


@pytest.mark.slow
def test_interrupted_fit_has_its_best_weights():
    flow, interrupt = small.build("maf"), Interrupt()
    with pytest.raises(KeyboardInterrupt):
        fit(flow, epochs=10, validation=(X,), callbacks=[interrupt])
    found = -np.mean(flow.log_prob(X))
    assert found == pytest.approx(min(interrupt.losses[:2]), abs=1e-4)


def stop(*_, **__):
    raise KeyboardInterrupt


def stop_in_epoch(number):
    """Return a callback that interrupts at the end of an epoch, or of a layer."""

    def at_end(epoch, logs=None):
        del logs
        if epoch == number:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_end=at_end)


def values(flow):
    return [np.array(variable) for variable in flow.variables]


@pytest.mark.parametrize(
    ("name", "owner", "phase"),
    [
        ("linear", loop.Loop, "run"),
        ("linear", flows.Flow, "compile"),
        ("linear", flows.Flow, "train_step"),
        ("linear", keras.callbacks.CallbackList, "on_train_begin"),
        ("rbig", greedy, "_search"),
        ("rbig", initial_layers, "race"),
    ],
)
def test_flow_is_as_it_was_before_the_first_step(name, owner, phase, monkeypatch):
    flow = small.perturbed(small.build(name))
    flow.adapt(X)
    before = values(flow)
    monkeypatch.setattr(owner, phase, stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(flow, 3.0 * X + 1.0, epochs=2)
    for old, new in zip(before, values(flow), strict=True):
        np.testing.assert_array_equal(old, new)
    assert caught.value.flow is flow
    if hasattr(caught.value, "__notes__"):
        assert "as it was before the fit" in caught.value.__notes__[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rbig", "sig"])
def test_layers_that_were_found_stay(name):
    x = small.table(300)
    with pytest.raises(KeyboardInterrupt) as caught:
        tfpf.fit(name, x, epochs=6, callbacks=[stop_in_epoch(2)], seed=0, verbose=0)
    flow = caught.value.flow
    assert str(flow.history.ending).startswith("interrupted after 2 of 6 layers")
    layers = len(flow.layer_types)
    assert 1 <= layers <= 2
    found = np.mean(flow.log_prob(x))
    assert found > np.mean(flow.partial(0).log_prob(x)) + 0.3
    again, _ = fit(flow, x, epochs=2, adapt=False, batch_size=None, jit_compile="auto")
    assert len(again.layer_types) >= layers


def test_layers_are_written_whole(monkeypatch):
    x, assign, calls = small.table(300), layers.Spline.assign, []

    def once(self, *arguments):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        assign(self, *arguments)

    whole, _ = tfpf.fit("rbig", x, epochs=2, seed=0, verbose=0)
    monkeypatch.setattr(layers.Spline, "assign", once)
    with pytest.raises(KeyboardInterrupt) as caught:
        tfpf.fit("rbig", x, epochs=2, seed=0, verbose=0)
    np.testing.assert_array_equal(caught.value.flow.log_prob(x), whole.log_prob(x))


@pytest.mark.slow
def test_flow_is_fitted_where_its_report_is_interrupted(monkeypatch):
    monkeypatch.setattr(report, "judged", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit("linear", X, epochs=2)
    flow = caught.value.flow
    assert flow.history.ending.epochs == 2
    assert np.isfinite(flow.log_prob(X)).all()


@pytest.mark.slow
def test_averages_are_in_the_flow_after_an_interrupt():
    averages = []

    class Average(averaging.AverageWeights):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self._count == 5:
                averages.extend(np.array(v) for v in self._averages)
                raise KeyboardInterrupt

    flow = small.build("linear")
    with pytest.raises(KeyboardInterrupt):
        fit(flow, epochs=5, validation=None, batch_size=50, callbacks=[Average(0.9)])
    for variable, wanted in zip(flow.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, wanted)


@pytest.mark.slow
def test_weights_are_finite_after_a_loss_that_is_not():
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == last:
                for variable in self.model.trainable_variables:
                    variable.assign(variable * np.nan)

    for last in (0, 2):
        flow = small.perturbed(small.build("linear"))
        before = values(flow)
        with pytest.raises(FloatingPointError, match="The loss became nan"):
            fit(flow, epochs=4, validation=(X,), callbacks=[Spoil()])
        changed = any((a != b).any() for a, b in zip(before, values(flow), strict=True))
        assert changed is (last == 2)
        assert np.isfinite(flow.log_prob(X)).all()
