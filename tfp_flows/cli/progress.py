"""One line of progress for a whole fit, on standard error."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
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
        factor: Of the log-likelihood, after the offset; below 0, less is better.
        unit: What the result is called.
    """

    def __init__(
        self, offset: float = 0.0, factor: float = 1.0, unit: str = "nats per row"
    ) -> None:
        super().__init__()
        self._offset = offset
        self._factor = factor
        self._unit = unit
        self._best = -math.inf
        self._stream = sys.stderr
        self._over = self._stream.isatty()

    @classmethod
    def of_images(cls, event_shape: Sequence[int]) -> ProgressLine:
        """Return a line that counts bits per dimension."""
        factor = -1.0 / (math.prod(event_shape) * math.log(2.0))
        return cls(factor=factor, unit="bits/dim")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the line."""
        fit, validation = (
            -(logs or {}).get(name, math.nan) + self._offset
            for name in ("loss", "val_loss")
        )
        total = self.params.get("epochs") or 1
        factor = self._factor
        text = f"epoch {epoch + 1}/{total}, {self._unit}: training {factor * fit:.3f}"
        if not math.isnan(validation):
            self._best = max(self._best, validation)
            best = factor * self._best
            text += f", validation {factor * validation:.3f} (best {best:.3f})"
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
