"""One line of progress for a whole fit."""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

import keras

from tfp_flows.flows._model.objective import MaximumLikelihood, Objective

__all__ = ["ProgressLine", "duration"]

# Lines in all where standard error is no terminal, such as a log file.
_LINES = 20
# Seconds between two looks at a terminal's line.
_PAUSE = 0.5


class ProgressLine(keras.callbacks.Callback):
    """Shows steps, the time left, training and validation loss, and the best so far.

    A terminal sees one line that is written over and never longer than the terminal is
    wide, from the beginning on; a file gets about 20 lines. Used as a context, it ends
    the line whatever happens.

    Args:
        offset: Nats to add to the log-likelihood, for another unit of the data.
        factor: Of the log-likelihood, after the offset; below 0, less is better.
        unit: What the result is called.
        quiet: Whether to show nothing.
        stream: Where to write; standard error by default.

    Attributes:
        epochs_done: How many epochs have ended.
    """

    def __init__(
        self,
        offset: float = 0.0,
        factor: float = 1.0,
        unit: str = "nats per row in the columns' units",
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        super().__init__()
        self._offset = offset
        self._factor = factor
        self._unit = unit
        self._quiet = quiet
        self._best = -math.inf
        self._stream = sys.stderr if stream is None else stream
        self._over = _writes_over(self._stream) and not quiet
        self._values = ""
        self._step = 0
        self._first: tuple[int, float] | None = None  # a step, and when it ended
        self._start = time.monotonic()
        self._ended = threading.Event()
        self._clock: threading.Thread | None = None
        self.epochs_done = 0

    @classmethod
    def of_images(
        cls,
        event_shape: Sequence[int],
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> Any:
        """Return a line that counts bits per dimension."""
        factor = -1.0 / (math.prod(event_shape) * math.log(2.0))
        return cls(factor=factor, unit="bits/dim", quiet=quiet, stream=stream)

    def __enter__(self) -> ProgressLine:
        """Show that something goes on."""
        if self._over:
            self._clock = threading.Thread(target=self._tick, daemon=True)
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the line."""
        self._ended.set()
        if self._clock is not None:
            self._clock.join()
            self._draw()
            self._stream.write("\n")
            self._stream.flush()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See what is minimised: it may be no likelihood."""
        objective = getattr(self.model, "objective", None)
        if isinstance(objective, Objective) and not isinstance(
            objective, MaximumLikelihood
        ):
            self._offset, self._factor = 0.0, -1.0
            self._unit = f"loss of {type(objective).__name__}"

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Count a step."""
        self._step += 1
        if self._first is None:  # which was compiled first
            self._first = self._step, time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the losses, and write a line to a file."""
        self.epochs_done += 1
        if self._first is None:  # a fit without steps
            self._first = 0, self._start
        fit, validation = (
            -(logs or {}).get(name, math.nan) + self._offset
            for name in ("loss", "val_loss")
        )
        factor = self._factor
        self._values = f"training {factor * fit:.3f}"
        if not math.isnan(validation):
            self._best = max(self._best, validation)
            best = factor * self._best
            self._values += f", validation {factor * validation:.3f} (best {best:.3f})"
        total = self._epochs()
        due = epoch == 0 or (epoch + 1) % max(1, total // _LINES) == 0
        if due and not self._over and not self._quiet:
            left = self._left()
            self._stream.write(
                f"epoch {epoch + 1}/{total}, {self._unit}: {self._values}"
                f"{f', {left}' if left else ''}\n"
            )
            self._stream.flush()

    def text(self) -> str:
        """Return the line of a terminal, the most important first."""
        parts = []
        steps = self._steps()
        if self._step:
            parts.append(f"step {self._step}/{steps}")
        elif not self.epochs_done:
            seconds = duration(time.monotonic() - self._start)
            total = f" of {steps}" if steps else ""
            parts.append(f"step 0{total}, starting for {seconds}")
        left = self._left()
        if left:
            parts.append(left)
        if self.epochs_done:
            parts.append(f"epoch {self.epochs_done}/{self._epochs()}")
            parts.append(f"{self._unit}: {self._values}")
        return ", ".join(parts)

    def _epochs(self) -> int:
        return (self.params or {}).get("epochs") or 1

    def _steps(self) -> int:
        return ((self.params or {}).get("steps") or 0) * self._epochs()

    def _left(self) -> str:
        """Return how long the rest takes, if no early end comes before."""
        if self._first is None:
            return ""
        by_steps = self._step > 0
        done = self._step if by_steps else self.epochs_done
        total = self._steps() if by_steps else self._epochs()
        since = done - self._first[0]
        if since < 1 or total < done:
            return ""
        seconds = (time.monotonic() - self._first[1]) / since * (total - done)
        return f"at most {duration(seconds)} left"

    def _tick(self) -> None:
        while not self._ended.is_set():
            self._draw()
            self._ended.wait(_PAUSE)

    def _draw(self) -> None:
        width = _width(self._stream)
        text = self.text()
        if len(text) >= width:
            text = f"{text[: max(width - 4, 0)]}..."
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()


def _writes_over(stream: TextIO) -> bool:
    """Return whether a line can be written over: in a terminal, or in a notebook."""
    return stream.isatty() or type(stream).__module__.startswith("ipykernel")


def _width(stream: TextIO) -> int:
    """Return the columns of the terminal that a stream writes to.

    Standard output may go to a file meanwhile, or to another terminal.
    """
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        width = 0
    return width or shutil.get_terminal_size().columns


def duration(seconds: float) -> str:
    """Return a time such as `40 s`, `3 min` or `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
