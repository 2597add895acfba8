"""Early stopping, of flows and of other Keras models."""

from __future__ import annotations

import keras
import numpy as np

from tfp_flows.training.callbacks.stopping import StopEarly


def test_a_model_that_is_no_flow_stops_and_keeps_its_best_weights():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(3.0), loss="mse")  # far too fast: it diverges
    x = np.linspace(-1.0, 1.0, 32)[:, None]
    before = [w.copy() for w in model.get_weights()]
    start = model.evaluate(x, 2.0 * x, verbose=0)
    history = model.fit(
        x,
        2.0 * x,
        epochs=20,
        validation_data=(x, 2.0 * x),
        callbacks=[StopEarly(2, start=start)],
        verbose=0,
    )
    assert len(history.history["loss"]) == 2
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
