"""When a layer of a greedy fit counts as a gain, and what is reported of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfp_flows import flows
from tfp_flows.training.greedy import progress


@pytest.fixture
def flow():
    return flows.build("rbig", 1, max_layers=7)


def rows(mean):
    """Return losses of 100 rows that differ by their mean alone."""
    return np.linspace(-1.0, 1.0, 100) + mean


def test_a_gain_is_larger_than_its_noise():
    falls = np.array([1.0, -1.0] * 50)  # of standard error 0.1
    assert not progress.gains(falls + 0.04, np.zeros(100), 0.5)
    assert progress.gains(falls + 0.06, np.zeros(100), 0.5)
    assert not progress.gains(falls + 0.06, np.zeros(100), 1.0)
    # Without noise a gain still has a least size.
    assert not progress.gains(rows(0.9e-5), rows(0.0), 0.5)
    assert progress.gains(rows(1.1e-5), rows(0.0), 0.5)


def test_patience_counts_layers_since_the_best(flow):
    found = progress.Progress(flow, progress.Limits(patience=2, verbose=0))
    said = []
    for loss in (3.0, 2.0, 2.5, 1.0, 1.0, 1.0):
        assert found.goes_on
        said.append(found.note("layer", [rows(loss)]))
    assert said == [True, True, False, True, False, False]
    assert not found.goes_on
    assert found.may_grow
    np.testing.assert_array_equal(found.best, rows(1.0))


def test_most_layers_are_those_of_the_flow_or_of_the_fit(flow):
    for most, limits in ((7, progress.Limits()), (2, progress.Limits(max_layers=2))):
        found = progress.Progress(flow, limits)
        for number in range(most):
            assert found.may_grow
            found.note("layer", [rows(-number)])
        assert not found.may_grow
    with pytest.raises(ValueError, match="`max_layers` must be at least 1"):
        progress.Progress(flow, progress.Limits(max_layers=0))


def test_callbacks_hear_of_losses_and_of_what_a_layer_took_off(flow):
    class Listener(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            heard.append((epoch, dict(logs)))

    heard = []
    limits = progress.Limits(callbacks=[Listener()], verbose=0)
    found = progress.Progress(flow, limits)
    found.note("white", [rows(3.0), rows(4.0)])
    found.note("ica", [rows(2.0), rows(3.5)])
    history = found.end(2, rows(3.5), judges=True)
    assert [epoch for epoch, _ in heard] == [0, 1]
    wanted = {"loss": 2.0, "val_loss": 3.5, "information": 1.0, "val_information": 0.5}
    assert heard[1][1] == pytest.approx(wanted)
    assert heard[0][1]["information"] == 0.0
    assert history.history["layer_type"] == ["white", "ica"]
    assert flow.history is history
