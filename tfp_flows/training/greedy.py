"""The greedy fit of `RBIG`: layers from statistics, without gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_flows import _checks
from tfp_flows.flows import gaussianization
from tfp_flows.math import pursuit, rotations, sliced
from tfp_flows.training import data as training_data
from tfp_flows.training import layers

__all__ = ["fit_greedily", "fit_more"]

# Layers without a better likelihood of the rows held out before the fit stops.
PATIENCE = 10
# Directions are searched on so many rows at most: they need fewer than marginals do.
SEARCH_ROWS = 20_000
# Directions that the sliced search looks for at once.
MAX_SLICES = 16
# Bandwidths at which independent components are sharpened, in turn.
SHARPENING = (0.3, 0.15, 0.08)
# A start must beat a simpler one by so many nats over all rows that decide.
RACE_GAIN = 2.0
Layer = layers.Layer


class _State:
    """Training and validation rows on their way to the normal law.

    Args:
        parts: Rows of each part, standardised; the second may be `None`.
        log_det: Mean log-det of what came before.
    """

    def __init__(self, parts: Sequence[np.ndarray], log_dets: Sequence[float]) -> None:
        self.parts = list(parts)
        self.log_dets = list(log_dets)
        self.layers: list[Layer] = []

    def copy(self) -> _State:
        out = _State(self.parts, self.log_dets)
        out.layers = list(self.layers)
        return out

    @property
    def train(self) -> np.ndarray:
        return self.parts[0]

    def apply(self, layer: Layer) -> None:
        for place, part in enumerate(self.parts):
            self.parts[place], log_det = layers.apply(layer, part)
            self.log_dets[place] += log_det
        self.layers.append(layer)

    def losses(self) -> list[float]:
        """Return the mean negative log-likelihood of each part, in nats."""
        return [
            layers.normal_loss(part) - log_det
            for part, log_det in zip(self.parts, self.log_dets, strict=True)
        ]


def _turn(kind: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rotation of one layer."""
    size = x.shape[1]
    if size == 1:
        return np.eye(1)
    if kind == "random":
        return rotations.haar(size, rng)
    if kind == "pca":
        return rotations.pca(np.cov(x.T))
    x = x[:SEARCH_ROWS]
    if kind == "ica":
        return rotations.ica(x, rng)
    found = sliced.directions(x, min(size, MAX_SLICES), rng)
    return sliced.complete(found, rng)


def _starts(
    kind: str, folds: np.ndarray, num_bins: int, rng: np.random.Generator
) -> dict[str, Callable[[_State], None]]:
    """Return ways to begin: each sees heavy tails, covariance, or structure first."""

    def marginal_first(state: _State) -> None:
        state.apply(layers.quantile_layer(state.train, None, folds, num_bins))
        state.apply(layers.ratio_layer(state.train, None, folds, num_bins, 1.0))

    def white(state: _State) -> None:
        turn = rotations.pca(np.cov(state.train.T))
        state.apply(layers.affine_layer(state.train, turn, num_bins))

    def components(state: _State, *, sharp: bool = False) -> None:
        white(state)
        x = state.train[:SEARCH_ROWS]
        turn = rotations.ica(x, rng)
        for bandwidth in SHARPENING if sharp else ():
            turn = pursuit.climb(x, turn, bandwidth=bandwidth, max_steps=20)
        state.apply(layers.quantile_layer(state.train, turn, folds, num_bins))
        state.apply(layers.ratio_layer(state.train, None, folds, num_bins, 1.0))

    def radius(state: _State) -> None:
        white(state)
        state.apply(layers.radial_layer(state.train, folds, num_bins))

    starts: dict[str, Callable[[_State], None]] = {
        "white": white,
        "marginal": marginal_first,
    }
    if kind in ("auto", "ica"):
        starts["components"] = components
    if kind == "auto":
        starts["sharp"] = functools.partial(components, sharp=True)
        starts["radius"] = radius
    return starts


def _loop(
    flow: gaussianization.RBIG,
    state: _State,
    start: str,
    count: int,
    patience: int,
    callbacks: keras.callbacks.CallbackList,
    rng: np.random.Generator,
    folds: np.ndarray,
) -> list[Layer]:
    """Add layers until the rows held out gain no more; return the best ones."""
    options = flow.fit_options
    kinds: tuple[str, ...] = (options["rotation"],)
    if kinds == ("auto",):
        kinds = ("ica", "sliced")
    best, since = state.losses()[-1], 0
    kept, seen = len(state.layers), state.losses()
    _report(callbacks, 0, seen, None, start)
    for number in range(1, count):
        kind = kinds[number % len(kinds)]
        turn = _turn(kind, state.train, rng)
        state.apply(
            layers.ratio_layer(
                state.train, turn, folds, options["num_bins"], options["step"]
            )
        )
        losses = state.losses()
        _report(callbacks, number, losses, seen, kind)
        seen = losses
        if losses[-1] < best - layers.SMALLEST_GAIN:
            best, since, kept = losses[-1], 0, len(state.layers)
        else:
            since += 1
            if since >= patience:
                break
    return state.layers[:kept]


def _report(
    callbacks: keras.callbacks.CallbackList,
    number: int,
    losses: list[float],
    before: list[float] | None,
    kind: str,
) -> None:
    names = ("loss", "val_loss")
    logs: dict[str, Any] = dict(zip(names, losses, strict=False))
    gains = [0.0] * len(losses) if before is None else np.subtract(before, losses)
    for name, gain in zip(("information", "val_information"), gains, strict=False):
        logs[name] = float(gain)
    callbacks.on_epoch_begin(number)
    callbacks.on_epoch_end(number, logs)
    for callback in callbacks.callbacks:
        if isinstance(callback, keras.callbacks.History):
            callback.history.setdefault("kind", []).append(kind)


def fit_greedily(
    flow: gaussianization.RBIG,
    train: training_data.Data,
    held_out: training_data.Data | None,
    *,
    max_layers: int | None = None,
    patience: int | None = None,
    seed: int | None = None,
    more: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Fit the layers of an `RBIG` to data.

    Args:
        flow: The flow, whose layers are replaced.
        train: Rows that the layers are made from.
        held_out: Rows whose likelihood decides when to stop; `None` uses the training
            rows, which over-fits.
        max_layers: Most steps; `None` for the option of the flow.
        patience: Steps without a gain before the fit stops; `None` for 10.
        seed: Int that fixes folds and directions.
        more: Whether to keep the layers there are and to add to them.
        callbacks: Keras callbacks; a step counts as an epoch.
        verbose: 0 is silent, else a line for each layer.

    Returns:
        The history. `loss` and `val_loss` are nats per event after each step,
        `information` and `val_information` what it took off, in nats (the reduction of
        total correlation and of marginal negentropy), `kind` what it turned by.
    """
    options = flow.fit_options
    max_layers = options["max_layers"] if max_layers is None else max_layers
    patience = PATIENCE if patience is None else patience
    _checks.at_least(max_layers, 1, "max_layers")
    size = flow.event_size
    rng = np.random.default_rng(seed)
    folds = rng.permutation(len(train)) % layers.NUM_FOLDS
    units = flow.units
    kept: list[Layer] = layers.read(flow) if more else []
    parts, log_dets = [], []
    for part in (train, held_out):
        if part is None:
            continue
        rows = part.x.reshape(len(part), size).astype(np.float64)
        rows, log_det = layers.standardised(units, rows)
        parts.append(rows)
        log_dets.append(log_det)
    state = _State(parts, log_dets)
    for layer in kept:
        state.apply(layer)
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
    start = "more"
    if not more:
        state, start = _race(state, options, folds, rng)
    found = _loop(flow, state, start, max_layers, patience, listed, rng, folds)
    layers.write(flow, found)
    listed.on_train_end()
    return history


def _race(
    state: _State, options: dict[str, Any], folds: np.ndarray, rng: np.random.Generator
) -> tuple[_State, str]:
    """Return the best of several starts, by the rows held out, and its name."""
    size = state.train.shape[1]
    best, name = state, "none"
    starts = _starts(options["rotation"], folds, options["num_bins"], rng)
    if size == 1:
        starts = {"marginal": starts["marginal"]}
    for key, begin in starts.items():
        trial = state.copy()
        begin(trial)
        gain = best.losses()[-1] - trial.losses()[-1]
        if name == "none" or gain > RACE_GAIN / len(state.parts[-1]):
            best, name = trial, key
    return best, name


def fit_more(
    flow: gaussianization.RBIG, x: Any, *, validation: Any = 0.1, **options: Any
) -> tuple[gaussianization.RBIG, keras.callbacks.History]:
    """Add layers to a fitted `RBIG`, from the same or from other data.

    Args:
        flow: The fitted flow.
        x: Events, `[N, *event_shape]`.
        validation: Share of rows held out, or `(x,)`, or `None`.
        **options: `max_layers`, `patience`, `seed`, `callbacks`, `verbose`.

    Returns:
        The flow and the history of the new layers.
    """
    rows = training_data.Data(x)
    train, held_out = training_data.hold_out(rows, validation, options.get("seed"))
    return flow, fit_greedily(flow, train, held_out, more=True, **options)
