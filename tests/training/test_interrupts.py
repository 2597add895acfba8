"""Fits that are interrupted."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.flows import small
from tests.training.tiny import X, fit


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
