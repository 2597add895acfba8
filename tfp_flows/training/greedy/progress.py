"""How long a greedy fit goes on: when a layer is a gain, and what is reported."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np

from tfp_flows import _checks
from tfp_flows.flows.gaussianization import rbig
from tfp_flows.training.report import Ending

__all__ = ["Limits", "Progress", "gains", "leaving", "raise_if_interrupted"]

# Layers without a better likelihood of the validation rows before a fit stops.
PATIENCE = 10
# Nats per row, less is noise of the validation rows; and so many standard errors.
SMALLEST_GAIN, SIGNIFICANT = 1e-5, 0.5


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long a fit may be, and who is told of it.

    Args:
        max_layers: Most layers; `None` for the option of the flow.
        patience: Layers without a gain before the fit stops; `None` for 10.
        callbacks: Keras callbacks; a layer counts as an epoch.
        verbose: 0 is silent, else a line for each layer.
    """

    max_layers: int | None = None
    patience: int | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    verbose: int | str = "auto"


def gains(before: np.ndarray, after: np.ndarray, errors: float) -> bool:
    """Say whether losses of rows fall by more than so many standard errors."""
    fall = before - after
    error = float(fall.std()) / np.sqrt(len(fall))
    return float(fall.mean()) > max(SMALLEST_GAIN, errors * error)


@contextlib.contextmanager
def leaving(history: keras.callbacks.History) -> Iterator[None]:
    """Leave a `with` block at Ctrl-C, and note it in a history."""
    try:
        yield
    except KeyboardInterrupt:
        history.ending = dataclasses.replace(history.ending, reason="interrupt")


def raise_if_interrupted(history: keras.callbacks.History) -> None:
    """Raise what ended a search, when the layers that it found are in the flow.

    Args:
        history: What `Progress.end` returned.

    Raises:
        KeyboardInterrupt: If that was Ctrl-C.
    """
    if history.ending.reason == "interrupt":
        raise KeyboardInterrupt


class Progress:
    """The layers of a fit: their losses, reported, and the best of them.

    Args:
        flow: The flow.
        limits: How long the fit may be.

    Attributes:
        best: Losses of the last rows given, of the best number of layers.
        history: What the fit returns.
    """

    def __init__(self, flow: rbig.RBIG, limits: Limits) -> None:
        most, patience = limits.max_layers, limits.patience
        self._most = flow.fit_options["max_layers"] if most is None else most
        _checks.at_least(self._most, 1, "max_layers")
        self._patience = PATIENCE if patience is None else patience
        silent = limits.verbose in (0, "0")
        self.history = keras.callbacks.History()
        self._callbacks = keras.callbacks.CallbackList(
            [self.history, *limits.callbacks],
            model=flow,
            add_progbar=not silent,
            epochs=self._most,
            steps=1,
            verbose=0 if silent else 2,
        )
        flow.history = self.history
        self._flow = flow
        flow.stop_training = False
        self._callbacks.on_train_begin()
        self.best = np.empty(0)
        self._means: list[float] | None = None
        self._number = self._since = 0
        self._interrupted = False

    @property
    def may_grow(self) -> bool:
        """Whether there may be more layers."""
        return self._number < self._most

    @property
    def goes_on(self) -> bool:
        """Whether the fit looks for more layers."""
        return self.may_grow and self._since < self._patience and not self._stopped

    @property
    def _stopped(self) -> bool:
        """Whether a callback has stopped the fit."""
        return bool(self._flow.stop_training)

    def note(self, label: str, losses: list[np.ndarray]) -> bool:
        """Report a layer, and say whether it gains; the first one does.

        Args:
            label: What the history calls it.
            losses: Of the rows of each part, `[N]`; the last part is that to gain.
        """
        means = [float(np.mean(part)) for part in losses]
        self._report(label, means)
        self._means = means
        self._number += 1
        if len(self.best) and not gains(self.best, losses[-1], SIGNIFICANT):
            self._since += 1
            return False
        self.best, self._since = losses[-1], 0
        return True

    def _report(self, label: str, losses: list[float]) -> None:
        """Tell callbacks of a layer: losses, what it took off them, and its label."""
        names, before = ("loss", "val_loss"), self._means
        logs: dict[str, Any] = dict(zip(names, losses, strict=False))
        falls = [0.0] * len(losses) if before is None else np.subtract(before, losses)
        for name, fall in zip(("information", "val_information"), falls, strict=False):
            logs[name] = float(fall)
        self._callbacks.on_epoch_begin(self._number)
        self._callbacks.on_epoch_end(self._number, logs)
        for callback in self._callbacks.callbacks:
            if isinstance(callback, keras.callbacks.History):
                callback.history.setdefault("layer_type", []).append(label)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end a search for layers, once there are some.

        The history that `end` returns says so: see `raise_if_interrupted`.
        """
        try:
            yield
        except KeyboardInterrupt:
            if not self._number:
                raise
            self._interrupted = True

    def _reason(self) -> Literal["callback", "interrupt", "length", "patience"]:
        """Return why no layer is added any more."""
        if self._interrupted:
            return "interrupt"
        if self._stopped:
            return "callback"
        return "length" if self.goes_on or not self.may_grow else "patience"

    def end(
        self, kept: int, losses: np.ndarray, *, judges: bool
    ) -> keras.callbacks.History:
        """Tell callbacks that the fit is over, and return the history.

        Args:
            kept: How many layers are kept.
            losses: Of the last rows given, by these layers.
            judges: Whether these rows are validation rows.
        """
        self._callbacks.on_train_end()
        self.history.ending = Ending(
            self._reason(),
            self._number,
            self._most,
            kept if judges else None,
            self._patience,
            unit="layer",
        )
        self.history.row_losses = losses
        return self.history
