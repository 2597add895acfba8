"""Keras callbacks."""

from __future__ import annotations

import math
from typing import Any

import keras

__all__ = ["StopOnNonFinite"]


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
