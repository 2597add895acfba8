"""What `fit` says at its end."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tfp_flows.training import report
from tfp_flows.training.data import arrays

TINY = {"hidden_units": (4,), "num_layers": 1, "seed": 0, "verbose": 0}


@pytest.fixture(scope="module")
def normal():
    return np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)


def test_report_is_of_the_validation_rows_and_the_kept_weights(normal):
    held = normal[200:]
    flow, history = tfpf.fit(
        "maf", normal[:200], epochs=4, validation=(held,), learning_rate=0.05, **TINY
    )
    found = history.report
    values = flow.log_prob(held).numpy()
    assert (found.rows, found.of, found.count) == (200, "validation", 100)
    assert found.log_likelihood.mean == pytest.approx(values.mean(), abs=1e-5)
    error = values.std(ddof=1) / 10
    assert found.log_likelihood.error == pytest.approx(error, abs=1e-5)
    lead = found.log_likelihood.mean - found.gaussian.mean
    assert found.lead.mean == pytest.approx(lead, abs=1e-6)
    assert found.lead.error < found.gaussian.error
    best = int(np.argmin(history.history["val_loss"])) + 1
    assert (found.ending.reason, found.ending.best) == ("length", best)
    assert "columns in their own units" in str(found)


def test_units_of_a_column_move_both_likelihoods(normal):
    reports = [
        tfpf.fit("linear", normal * scale, epochs=30, seed=0, verbose=0)[1].report
        for scale in ([1.0, 1.0], [1.0, 1000.0])
    ]
    for name in ("log_likelihood", "gaussian"):
        one, other = (getattr(found, name).mean for found in reports)
        assert one - other == pytest.approx(np.log(1000.0), abs=1e-3)


def test_ending_says_why_and_when():
    wait = report.Ending("patience", 30, 100, 20, 10)
    assert str(wait) == (
        "stopped after 30 of 100 epochs: no gain on validation rows for 10; the best, "
        "epoch 20, is kept"
    )
    assert "last weights are kept" in str(report.Ending("length", 5, 5, None))
    before = report.Ending("callback", 3, 9, 0)
    assert "stopped by a callback after 3 of 9 epochs" in str(before)
    assert "the weights before" in str(before)


def test_a_callback_and_patience_end_a_fit(normal):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(stop.model, "stop_training", True)
    )
    _, history = tfpf.fit("maf", normal, epochs=9, callbacks=[stop], **TINY)
    assert (history.report.ending.reason, history.report.ending.epochs) == (
        "callback",
        1,
    )
    options = {"learning_rate": 0.5, "patience": 1, "epochs": 50}
    _, history = tfpf.fit("maf", normal, **options, **TINY)
    assert history.report.ending.reason == "patience"


@pytest.mark.parametrize("name", ["rbig", "gis", "sig"])
def test_greedy_fits_report_rows_that_their_layers_have_not_seen(name, normal):
    _, history = tfpf.fit(name, normal, epochs=2, seed=0, verbose=0)
    found = history.report
    assert (found.of, found.count, found.ending.unit) == ("validation", 30, "layer")
    assert found.lead.mean == pytest.approx(0.0, abs=0.3)
    if name == "gis":  # keeps its last layer here
        want = -min(history.history["val_loss"])
        assert found.log_likelihood.mean == pytest.approx(want, abs=0.05)


def test_datasets_conditions_and_weights_have_reports(normal):
    data = tf.data.Dataset.from_tensor_slices(normal).batch(50)
    _, history = tfpf.fit("maf", data, epochs=1, **TINY)
    assert history.report.of == "training"
    assert history.report.ending.best is None
    weights = np.arange(300) % 3
    _, history = tfpf.fit(
        "maf", normal, normal[:, :1], weights=weights, epochs=1, **TINY
    )
    assert history.report.lead.error is not None
    _, history = tfpf.fit("rbig", data, epochs=1, seed=0, verbose=0)
    assert history.report.gaussian is None
    assert "log-likelihood" in str(history.report)


def test_images_are_reported_in_bits():
    pixels = np.random.default_rng(0).integers(256, size=(20, 4, 4, 1))
    options = {"num_levels": 1, "num_steps": 1, "hidden_units": 2}
    _, history = tfpf.fit("glow", pixels, epochs=1, seed=0, verbose=0, **options)
    found = history.report
    assert found.unit == "bits/dim"
    assert 6 < found.log_likelihood.mean < 10
    lead = found.gaussian.mean - found.log_likelihood.mean
    assert found.lead.mean == pytest.approx(lead)


def test_a_flow_that_loses_is_a_warning_where_nothing_is_printed(normal, capsys):
    noise = np.random.default_rng(1).normal(size=(300, 2))
    total = normal.sum(axis=1, keepdims=True)
    x = np.column_stack([normal, total + 0.01 * noise])
    with pytest.warns(UserWarning, match="loses to a full Gaussian .* take 'linear'"):
        tfpf.fit("maf", x, epochs=1, **TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tfpf.fit("linear", normal, epochs=30, seed=0, verbose=0)
        assert capsys.readouterr().out == ""
        tfpf.fit("maf", x, epochs=1, **{**TINY, "verbose": "auto"})
    out = capsys.readouterr().out
    assert "epoch 1/1" in out
    assert "loses to a full Gaussian" in out


def test_advice_names_what_to_do(normal):
    data = arrays.Data(normal)
    flow = tfpf.flows.build("maf", 2, seed=0)
    found = report.judged(flow, data, None)
    assert found.of == "training"
    assert "more parameters" in found.advice[-1]
    last = report.Ending("length", 5, 5, 5)
    found = report.judged(flow, data, None, ending=last, advise_length=True)
    assert found.advice[-1].startswith("The last epoch was the best")
    losses = np.full(300, np.inf)
    found = report.judged(flow, data, None, losses=losses)
    assert found.loses
    assert "by far" in found.advice[0]


def test_one_is_no_plural():
    text = str(report.Ending("length", 1, 1, 1))
    assert text == "ended after 1 epoch; the best, epoch 1, is kept"
    text = str(report.Ending("interrupt", 1, 20, None))
    assert text.startswith("interrupted after 1 of 20 epochs; no rows")
    found = report.Report(1, 4, of="held-out", count=1)
    assert str(found) == "1 row fitted, 4 parameters; 1 held-out row"
