"""The average of weights that validation sees and that `fit` leaves."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import training


class Trail(keras.callbacks.Callback):
    """Keeps the weights after each update, and what is shown after each epoch."""

    def __init__(self):
        super().__init__()
        self.updates, self.shown = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.updates.append(self.model.trainable_variables[0].numpy())

    def on_epoch_end(self, epoch, logs=None):
        self.shown.append(self.model.trainable_variables[0].numpy())


def test_average_is_that_of_the_updates():
    flow = small.build("linear")
    start = flow.trainable_variables[0].numpy()
    flow.compile(keras.optimizers.SGD(0.1))
    trail = Trail()
    flow.fit(
        small.table(40),
        batch_size=10,
        epochs=3,
        verbose=0,
        callbacks=[training.AverageWeights(0.5), trail],
    )
    average, expected = start, []
    for n, value in enumerate(trail.updates, 1):
        decay = min(0.5, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * value
        if n % 4 == 0:
            expected.append(average)
    np.testing.assert_allclose(trail.shown, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(flow.trainable_variables[0], trail.shown[-1])
    # Training went on from the weights, not from their average.
    assert np.max(np.abs(trail.updates[4] - trail.updates[3])) > 0
    assert not np.allclose(trail.shown[0], trail.updates[3], atol=1e-4)


def test_fit_keeps_the_best_average():
    x = small.table(100)
    flow, history = tfpf.fit(
        "linear", x, epochs=3, average=0.9, validation=(x[:40],), seed=0, verbose=0
    )
    best = min(history.history["val_loss"])
    found = -np.mean(flow.log_prob(x[:40]))
    assert found == pytest.approx(best, abs=1e-4)


def test_decay_is_a_fraction():
    with pytest.raises(ValueError, match="`decay`"):
        training.AverageWeights(1.5)
