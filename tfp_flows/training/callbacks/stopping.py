"""Keras callbacks."""

from __future__ import annotations

import math
from typing import Any

import keras

from tfp_flows import flows

__all__ = ["StopEarly", "StopOnNonFinite", "brought_variables"]


def brought_variables(model: keras.Model) -> list[keras.Variable]:
    """Return what the objective of a flow brings; other models have none."""
    return model.brought_variables() if isinstance(model, flows.Flow) else []


class StopOnNonFinite(keras.callbacks.Callback):
    """Raise at the first step whose loss is not finite, naming the step.

    Raises:
        FloatingPointError: With epoch, step and batch, and what to try.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._step = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Check the running mean of the loss."""
        self._step += 1
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            msg = (
                f"The loss became {loss} at step {self._step} (epoch "
                f"{self._epoch + 1}, batch {batch + 1}). Check the data for values "
                "that are not finite, or lower the learning rate."
            )
            raise FloatingPointError(msg)


class StopEarly(keras.callbacks.EarlyStopping):
    """Stop when the validation loss falls no more, and restore the best weights.

    Args:
        patience: Epochs without a lower loss before the end.
        start: Validation loss before the first epoch, where a flow that is trained on
            keeps its weights unless an epoch is better; `None` where any epoch is.
    """

    def __init__(self, patience: int, start: float | None = None) -> None:
        super().__init__(
            "val_loss", mode="min", patience=patience, restore_best_weights=True
        )
        self._start = start
        self.best_brought: list[Any] = []  # by the objective

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take the weights that there are for the best so far, if they count."""
        super().on_train_begin(logs)
        if self._start is not None and math.isfinite(self._start):
            self.best = self._start
            self.best_weights = self.model.get_weights()
            self.best_brought = self._brought()
            self.best_epoch = -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights of an epoch that is the best so far."""
        before = self.best_weights
        super().on_epoch_end(epoch, logs)
        if self.best_weights is not before:
            self.best_brought = self._brought()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the best weights, and with them the numbers of the objective."""
        super().on_train_end(logs)
        if self.best_weights is not None:
            pairs = zip(brought_variables(self.model), self.best_brought, strict=True)
            for variable, value in pairs:
                variable.assign(value)

    def _brought(self) -> list[Any]:
        return [v.numpy() for v in brought_variables(self.model)]
