"""One line of progress for a whole fit, on standard error."""

from __future__ import annotations

import math
import sys
from typing import Any

import keras

__all__ = ["ProgressLine"]

# Lines in all where standard error is no terminal, such as a log file.
_LINES = 20


class ProgressLine(keras.callbacks.Callback):
    """Shows epoch, training and validation loss, and the best so far.

    A terminal sees one line that is written over; a file gets about 20 lines.

    Args:
        offset: Nats to add to the log-likelihood, for another unit of the data.
    """

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        self._offset = offset
        self._best = -math.inf
        self._stream = sys.stderr
        self._over = self._stream.isatty()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the line."""
        fit, validation = (
            -(logs or {}).get(name, math.nan) + self._offset
            for name in ("loss", "val_loss")
        )
        total = self.params.get("epochs") or 1
        text = f"epoch {epoch + 1}/{total}, nats per row: training {fit:.3f}"
        if not math.isnan(validation):
            self._best = max(self._best, validation)
            text += f", validation {validation:.3f} (best {self._best:.3f})"
        if self._over:
            self._stream.write(f"\r{text}\x1b[K")
        elif epoch == 0 or (epoch + 1) % max(1, total // _LINES) == 0:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the line."""
        if self._over:
            self._stream.write("\n")
            self._stream.flush()
