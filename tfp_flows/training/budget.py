"""Fits of a given CPU time: layers from statistics, then gradients."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

import keras
import numpy as np

from tfp_flows import flows
from tfp_flows.training import interrupts, running
from tfp_flows.training.data.given import Given

__all__ = ["Budget", "flow_and_data", "run"]

FLOW = "rbig"
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
# Share of the time in which layers are added; they gain most in the beginning.
LAYERS_SHARE = 0.5
# CPU seconds that tracing the gradient takes: some, and more for each layer.
TRACING, TRACING_LAYER = 0.5, 0.8
# Steps go on from a good start: a lower rate than that of a fit, and averaged weights.
LEARNING_RATE, AVERAGE, EPOCHS = 1e-3, 0.99, 1_000
# Below so many nats a doubling of the time is not worth it.
LITTLE = 0.01


@dataclasses.dataclass(frozen=True)
class Budget:
    """CPU time that a fit may take.

    Args:
        seconds: How long.
        start: CPU time of the process when the fit began.
    """

    seconds: float
    start: float

    @classmethod
    def begin(cls, value: Any, start: float) -> Budget:
        """Read a budget: a number of seconds, or a text such as `"10s"` or `"2min"`.

        Raises:
            ValueError: If it is no positive time.
        """
        found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", str(value))
        unit = None if found is None else UNITS.get(found[2])
        seconds = 0.0
        if found is not None and unit is not None:
            try:
                seconds = float(found[1]) * unit
            except ValueError:
                seconds = 0.0
        if not 0.0 < seconds < np.inf:
            msg = (
                f"`budget` must be a time above 0, got {value!r}. Give seconds, or a "
                'text such as "10s" or "2min".'
            )
            raise ValueError(msg)
        return cls(seconds, start)

    @property
    def spent(self) -> float:
        """CPU seconds since the fit began."""
        return time.process_time() - self.start

    def left(self, share: float = 1.0) -> float:
        """CPU seconds that are left of a share of the budget."""
        return share * self.seconds - self.spent


class Stop(keras.callbacks.Callback):
    """Stop when a share of a budget is over, and keep when each epoch ended."""

    def __init__(self, budget: Budget, share: float = 1.0) -> None:
        super().__init__()
        self._budget, self._share = budget, share
        self.times: list[float] = []

    def _check(self) -> None:
        if self._budget.left(self._share) <= 0.0:
            self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the clock."""
        self._check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at the clock, and note the time."""
        self.times.append(self._budget.spent)
        self._check()


def flow_and_data(flow: Any, x: Any, **told: Any) -> tuple[str, Any]:
    """Return the name of the flow of a budget, and the data.

    Raises:
        ValueError: If a flow is given, or what says how long a fit is.
    """
    if x is None and not isinstance(flow, str | flows.Flow):
        flow, x = FLOW, flow
    if flow != FLOW:
        name = flow if isinstance(flow, str) else type(flow).__name__
        msg = (
            f"`budget` chooses the flow itself, got {name!r}. Write fit(x, budget=...),"
            " or leave the budget out."
        )
        raise ValueError(msg)
    for name, value in told.items():
        if value is not None:
            msg = f"`{name}` and `budget` both say how long a fit is. Give one of them."
            raise ValueError(msg)
    return FLOW, x


def run(
    found: Given, settings: running.Settings, budget: Budget
) -> tuple[Given, keras.callbacks.History, str]:
    """Fit within a budget.

    Returns:
        The data with the flow that the validation rows chose, the history, and a
        sentence on the time.

    Raises:
        ValueError: If no rows are held out.
    """
    if found.held_out is None:
        msg = (
            "`validation` must hold rows out for a fit with a budget, which they "
            "choose, got none. Leave it as it is."
        )
        raise ValueError(msg)
    found.adapt()
    found = dataclasses.replace(found, share=False)  # rows held out judge what follows
    stop = Stop(budget, LAYERS_SHARE)
    history = running.by_layers(found, _with(settings, stop))
    before = [float(loss) for loss in history.history["val_loss"]]
    layers = len(found.flow.layer_types)
    if budget.left() < TRACING + TRACING_LAYER * layers:
        return found, history, _sentence(budget, before, stop.times, trained=False)
    trained = dataclasses.replace(found, flow=found.flow.trainable_flow())
    after = Stop(budget)
    rate = settings.learning_rate or LEARNING_RATE
    later = dataclasses.replace(
        _with(settings, after),
        adapt=False,
        epochs=EPOCHS,
        learning_rate=rate,
        average=AVERAGE,
        jit_compile=False,
    )
    start, layer_history = float(np.mean(history.row_losses)), history
    with interrupts.guarded(trained.flow):
        history = running.by_gradients(trained, later)
    losses = [start, *(float(loss) for loss in history.history["val_loss"])]
    said = _sentence(budget, losses, [stop.times[-1], *after.times], trained=True)
    if min(losses[1:], default=np.inf) >= start:
        return found, layer_history, said
    return trained, history, said


def _with(
    settings: running.Settings, stop: keras.callbacks.Callback
) -> running.Settings:
    return dataclasses.replace(settings, callbacks=[*settings.callbacks, stop])


def _sentence(
    budget: Budget, losses: list[float], times: list[float], *, trained: bool
) -> str:
    """Return what the time came to, and what more of it would buy."""
    spent = f"{budget.spent:.1f} s of CPU time of a budget of {budget.seconds:g} s"
    if not trained:
        return (
            f"{spent}: layers from statistics only, too little was left to train them "
            f"on by gradients. Give about {_enough(budget):.0f} s."
        )
    best = np.minimum.accumulate(losses)
    half = int(np.searchsorted(times, times[-1] / 2.0))
    gain = float(best[min(half, len(best) - 1)] - best[-1])
    if gain < LITTLE:
        return f"{spent}: the last half of it gained {gain:.3f} nats, more buys little"
    return (
        f"{spent}: the last half of it gained {gain:.3f} nats per validation row, and "
        f"twice the time would buy about as much again"
    )


def _enough(budget: Budget) -> float:
    """Return seconds in which gradients have their share, too."""
    return 2.0 * max(budget.spent, budget.seconds) + TRACING
