"""What greedy fits report, and when a layer counts as a gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfp_flows.flows import base

__all__ = ["PATIENCE", "SIGNIFICANT", "begin", "gains", "report"]

# Layers without a better likelihood of the validation rows before a fit stops.
PATIENCE = 10
# Nats per row, less is noise of the validation rows; and so many standard errors.
SMALLEST_GAIN, SIGNIFICANT = 1e-5, 0.5


def begin(
    flow: base.Flow,
    callbacks: Sequence[keras.callbacks.Callback],
    max_layers: int,
    verbose: int | str,
) -> tuple[keras.callbacks.CallbackList, keras.callbacks.History]:
    """Return callbacks that know that a fit begins, and the history among them."""
    history = keras.callbacks.History()
    listed = keras.callbacks.CallbackList(
        [history, *callbacks],
        model=flow,
        add_progbar=verbose not in (0, "0"),
        epochs=max_layers,
        steps=1,
        verbose=0 if verbose in (0, "0") else 2,
    )
    flow.history = history
    listed.on_train_begin()
    return listed, history


def gains(before: np.ndarray, after: np.ndarray, errors: float) -> bool:
    """Say whether losses of rows fall by more than so many standard errors."""
    fall = before - after
    error = float(fall.std()) / np.sqrt(len(fall))
    return float(fall.mean()) > max(SMALLEST_GAIN, errors * error)


def report(
    callbacks: keras.callbacks.CallbackList,
    number: int,
    losses: list[float],
    before: list[float] | None,
    label: str,
) -> None:
    """Tell callbacks of a layer: losses, what it took off them, and its label."""
    names = ("loss", "val_loss")
    logs: dict[str, Any] = dict(zip(names, losses, strict=False))
    falls = [0.0] * len(losses) if before is None else np.subtract(before, losses)
    for name, fall in zip(("information", "val_information"), falls, strict=False):
        logs[name] = float(fall)
    callbacks.on_epoch_begin(number)
    callbacks.on_epoch_end(number, logs)
    for callback in callbacks.callbacks:
        if isinstance(callback, keras.callbacks.History):
            callback.history.setdefault("layer_type", []).append(label)
