"""The greedy fit of `RBIG`: layers from statistics, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_flows import _checks, _context
from tfp_flows.flows.gaussianization import rbig
from tfp_flows.training.data import arrays as training_data
from tfp_flows.training.greedy import (
    directions,
    initial_layers,
    layers,
    progress,
    workers,
)
from tfp_flows.training.greedy import rows as training_rows

__all__ = ["fit_greedily", "fit_more", "fit_stream"]

# Standard errors that all layers after the initial ones must gain together: by chance,
# one of ten useless layers is likely to pass the test of single ones.
TOGETHER = 1.0
# A conditional affine layer must gain so much on folds held out; after as many rounds
# without one, the fit looks for them in every fourth round only.
CONDITIONAL_GAIN, CONDITIONAL_ROUNDS, CONDITIONAL_EVERY = 1e-4, 3, 4


class _Search:
    """Adds layers to rows until the validation rows gain no more.

    Args:
        rows: The rows.
        options: Of the flow.
        rng: Source of randomness.
        callbacks: Told of every layer.
    """

    def __init__(
        self,
        rows: training_rows.Rows,
        options: dict[str, Any],
        rng: np.random.Generator,
        callbacks: keras.callbacks.CallbackList,
    ) -> None:
        self._rows, self._options = rows, options
        self._rng, self._callbacks = rng, callbacks
        self._seen: list[float] | None = None
        self._first = self._best = np.empty(0)
        self._number = self._since = self._start = 0
        self.kept = len(rows.steps)

    def note(self, label: str) -> None:
        """Report a layer, and keep it if it gains."""
        losses = self._rows.row_losses()
        means = [float(np.mean(part)) for part in losses]
        progress.report(self._callbacks, self._number, means, self._seen, label)
        self._seen = means
        self._number += 1
        if not len(self._best):
            self._first, self._start = losses[-1], len(self._rows.steps)
        else:
            self._since += 1
            if not progress.gains(self._best, losses[-1], progress.SIGNIFICANT):
                return
        self._best, self._since, self.kept = losses[-1], 0, len(self._rows.steps)

    def settle(self) -> None:
        """Drop all layers after the initial ones, unless together they gain."""
        if not progress.gains(self._first, self._best, TOGETHER):
            self.kept = self._start

    def run(self, max_layers: int, patience: int) -> None:
        """Add layers, of each type one after the other."""
        rows, options = self._rows, self._options
        searched: tuple[str, ...] = (options["rotation"],)
        if searched == ("auto",):
            searched = ("ica", "sliced")
        conditional = options["rotation"] == "auto" and options["marginals"] == "spline"
        without = 0 if conditional and rows.size > 1 else None
        rounds = 0
        while self._number < max_layers and self._since < patience:
            rounds += 1
            method = searched[rounds % len(searched)]
            x = rows.sample.astype(np.float64)
            rotation = directions.find_rotation(method, x, self._rng)
            rows.apply_layer(
                rows.rotation_step(
                    "ratio", rotation, share=options["step"], label=method
                )
            )
            self.note(method)
            if self._number >= max_layers or without is None:
                continue
            if without >= CONDITIONAL_ROUNDS and rounds % CONDITIONAL_EVERY:
                continue
            # Rows lie along the axes now; the feature may be an old one or a new one.
            step, gain = directions.conditional_affine_step(
                rows, [np.eye(rows.size), rotation.T]
            )
            if step is None or gain < CONDITIONAL_GAIN:
                without += 1
                continue
            without = 0
            rows.apply_layer(step)
            self.note("conditional-affine")


def _search(
    flow: rbig.RBIG,
    rows: training_rows.Rows,
    rng: np.random.Generator,
    *,
    max_layers: int | None,
    patience: int | None,
    more: bool,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int | str,
) -> tuple[training_rows.Rows, int, keras.callbacks.History]:
    """Return rows behind all layers tried, the number of steps kept, the history."""
    options = flow.fit_options
    max_layers = options["max_layers"] if max_layers is None else max_layers
    _checks.at_least(max_layers, 1, "max_layers")
    listed, history = progress.begin(flow, callbacks, max_layers, verbose)
    start = "more"
    if not more:
        rows, start = initial_layers.race(rows, options, rng)
    search = _Search(rows, options, rng, listed)
    search.note(start)
    search.run(max_layers, progress.PATIENCE if patience is None else patience)
    search.settle()
    listed.on_train_end()
    return rows, search.kept, history


def fit_greedily(
    flow: rbig.RBIG,
    train: training_data.Data,
    held_out: training_data.Data | None,
    *,
    max_layers: int | None = None,
    patience: int | None = None,
    seed: int | None = None,
    more: bool = False,
    refit: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Fit the layers of an `RBIG` to data.

    Args:
        flow: The flow, whose layers are replaced.
        train: Rows that the layers are made from.
        held_out: Validation rows, whose likelihood says when to stop; `None` uses the
            training rows, which over-fits.
        max_layers: Most steps; `None` for the option of the flow.
        patience: Steps without a gain before the fit stops; `None` for 10.
        seed: Int that fixes folds and directions.
        more: Whether to keep the layers there are and to add to them.
        refit: Whether to make the layers that were kept once more, with the same
            directions, from all rows, the validation rows included.
        callbacks: Keras callbacks; a step counts as an epoch.
        verbose: 0 is silent, else a line for each layer.

    Returns:
        The history. `loss` and `val_loss` are nats per event after each step,
        `information` and `val_information` what it took off, in nats (the reduction of
        total correlation and of marginal negentropy), `layer_type` what it
        is or rotates by. With `refit` they are those of the search.
    """
    rng = _context.generator(seed)
    fixed = int(rng.integers(2**31))
    given = [part for part in (train, held_out) if part is not None]
    kept = layers.read(flow) if more else []
    rows = _rows(flow, given, kept, fixed)
    rows, number, history = _search(
        flow,
        rows,
        rng,
        max_layers=max_layers,
        patience=patience,
        more=more,
        callbacks=callbacks,
        verbose=verbose,
    )
    found, taken = rows.layers[: len(kept) + number], rows.steps[:number]
    if refit and len(given) == 2:
        del rows
        rows = _rows(flow, given, kept, fixed, join=True)
        for step in taken:
            rows.apply_layer(step)
        found = rows.layers
    layers.write(flow, found)
    return history


def _rows(
    flow: rbig.RBIG,
    given: Sequence[training_data.Data],
    kept: Sequence[layers.Layer],
    seed: int,
    *,
    join: bool = False,
) -> training_rows.Rows:
    """Return rows in memory, behind the layers that are kept."""
    size = flow.event_size
    parts = []
    for part in given:
        out = np.empty([len(part), size], np.float32)
        for first in range(0, len(part), training_rows.CHUNK):
            some = slice(first, first + training_rows.CHUNK)
            x = part.x[some].reshape(-1, size)
            out[some], log_det = layers.standardised(flow.standardization, x)
        parts.append(out)
    if join:
        parts = [np.concatenate(parts)]
    options = flow.fit_options
    rows = training_rows.Rows(
        parts, log_det, options["num_bins"], seed, options["marginals"]
    )
    for layer in kept:
        rows.transform(layer)
    return rows


def fit_stream(
    flow: rbig.RBIG,
    read: Callable[[], Iterable[np.ndarray]],
    *,
    validation: float | None = 0.1,
    max_layers: int | None = None,
    patience: int | None = None,
    seed: int | None = None,
    adapt: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Fit the layers of an `RBIG` to rows that are read again for each layer.

    Memory does not grow with the number of rows: what is kept are a sample of bounded
    size and the layers. All layers but those of quantiles and of the radius see every
    row, as counts, moments and sums; the time grows with the square of their number.

    Args:
        flow: The flow, whose layers are replaced.
        read: Called for each pass, returns batches of events, `[N, *event_shape]`. The
            order of the rows should stay the same. Inside the scope of a distribution
            strategy these are the rows of this worker: the layers, the same in all
            workers, are those of the rows of all of them.
        validation: Share of validation rows, which say when to stop; `None` for none.
        max_layers: Most steps; `None` for the option of the flow.
        patience: Steps without a gain before the fit stops; `None` for 10.
        seed: Int that fixes samples, folds and directions.
        adapt: Whether to set the standardisation and to start anew; else layers are
            added to those there are.
        callbacks: Keras callbacks; a step counts as an epoch.
        verbose: 0 is silent, else a line for each layer.

    Returns:
        The history, see `fit_greedily`; losses are those of the sample.

    Raises:
        ValueError: If there are no rows, or a value is not finite.
    """
    if seed is None:
        # The same for all workers.
        (drawn,) = workers.total((_context.generator().integers(2**31),))
        seed = int(drawn)
    rng = _context.generator(seed)
    fixed = int(rng.integers(2**31))
    share = float(validation or 0.0)
    size = flow.event_size

    def flat() -> Iterable[np.ndarray]:
        return (np.asarray(x).reshape(-1, size) for x in read())

    parts, _, mean, scale = training_rows.reservoir(flat(), fixed, share)
    if adapt:
        flow.standardization.set_moments(mean, scale)
    units = flow.standardization

    def standardised() -> Iterable[np.ndarray]:
        return (layers.standardised(units, x)[0] for x in flat())

    standard = [layers.standardised(units, part) for part in parts if len(part)]
    rows: training_rows.Rows = training_rows.Stream(
        standardised,
        [x for x, _ in standard],
        standard[0][1],
        flow.fit_options["num_bins"],
        fixed,
        share,
        flow.fit_options["marginals"],
    )
    kept = [] if adapt else layers.read(flow)
    for layer in kept:
        rows.transform(layer)
    rows, number, history = _search(
        flow,
        rows,
        rng,
        max_layers=max_layers,
        patience=patience,
        more=not adapt,
        callbacks=callbacks,
        verbose=verbose,
    )
    layers.write(flow, rows.layers[: len(kept) + number])
    return history


def fit_more(
    flow: rbig.RBIG, x: Any, *, validation: Any = 0.1, **options: Any
) -> tuple[rbig.RBIG, keras.callbacks.History]:
    """Add layers to a fitted `RBIG`, from the same or from other data.

    Args:
        flow: The fitted flow.
        x: Events, `[N, *event_shape]`.
        validation: Share of rows held out, or `(x,)`, or `None`.
        **options: `max_layers`, `patience`, `seed`, `callbacks`, `verbose`.

    Returns:
        The flow and the history of the new layers.
    """
    if flow.fit_policy.method != "greedy":
        msg = (
            f"`flow` must be an `RBIG` or `GIS`, got a `{type(flow).__name__}`. Use "
            "fit with adapt=False."
        )
        raise ValueError(msg)
    rows = training_data.Data(x)
    train, held_out = training_data.hold_out(rows, validation, options.get("seed"))
    return flow, fit_greedily(flow, train, held_out, more=True, **options)
