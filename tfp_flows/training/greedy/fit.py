"""The greedy fit of `RBIG`: layers from statistics, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_flows import _context
from tfp_flows.flows import registry
from tfp_flows.flows._model import workers
from tfp_flows.flows.gaussianization import rbig
from tfp_flows.training import report
from tfp_flows.training.data import arrays
from tfp_flows.training.greedy import (
    directions,
    initial_layers,
    layers,
    progress,
    scratch,
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
        found: How the fit goes.
    """

    def __init__(
        self,
        rows: training_rows.Rows,
        options: dict[str, Any],
        rng: np.random.Generator,
        found: progress.Progress,
    ) -> None:
        self._rows, self._options = rows, options
        self._rng, self._progress = rng, found
        self._first, self._initial = np.empty(0), 0
        self.kept, self.losses = len(rows.steps), self._first

    def note(self, label: str) -> None:
        """Report a layer, and keep it if it gains."""
        if self._progress.note(label, self._rows.row_losses()):
            self.kept = len(self._rows.steps)
        if not len(self._first):
            self._first, self._initial = self._progress.best, self.kept

    def settle(self) -> None:
        """Drop all layers after the initial ones, unless together they gain."""
        self.losses = self._progress.best
        if not progress.gains(self._first, self._progress.best, TOGETHER):
            self.kept, self.losses = self._initial, self._first

    def run(self) -> None:
        """Add layers, of each type one after the other."""
        rows, options = self._rows, self._options
        searched: tuple[str, ...] = (options["rotation"],)
        if searched == ("auto",):
            searched = ("ica", "sliced")
        conditional = options["rotation"] == "auto" and options["marginals"] == "spline"
        without = 0 if conditional and rows.size > 1 else None
        rounds = 0
        while self._progress.goes_on:
            rounds += 1
            method = searched[rounds % len(searched)]
            x = rows.sample.astype(np.float64)
            rotation = directions.find_rotation(method, x, self._rng)
            step = rows.rotation_step(
                "ratio", rotation, share=options["step"], label=method
            )
            rows.apply_layer(step)
            self.note(method)
            if not self._progress.may_grow or without is None:
                continue
            if without >= CONDITIONAL_ROUNDS and rounds % CONDITIONAL_EVERY:
                continue
            # Rows lie along the axes now; the feature may be an old one or a new one.
            bases = [np.eye(rows.size), rotation.T]
            best, gain = directions.conditional_affine_step(rows, bases)
            if best is None or gain < CONDITIONAL_GAIN:
                without += 1
                continue
            without = 0
            rows.apply_layer(best)
            self.note("conditional-affine")


def _search(
    flow: rbig.RBIG,
    rows: training_rows.Rows,
    limits: progress.Limits,
    rng: np.random.Generator,
    *,
    more: bool,
) -> tuple[training_rows.Rows, int, keras.callbacks.History]:
    """Return rows behind all layers tried, the number of steps kept, the history."""
    options = flow.fit_options
    found = progress.Progress(flow, limits)
    label = "more"
    if not more:
        rows, label = initial_layers.race(rows, options, rng)
    search = _Search(rows, options, rng, found)
    with found.interruptible():
        search.note(label)
        search.run()
    search.settle()
    history = found.end(search.kept, search.losses, judges=len(rows.parts) > 1)
    return rows, search.kept, history


def fit_greedily(
    flow: rbig.RBIG,
    train: arrays.Data,
    held_out: arrays.Data | None,
    limits: progress.Limits,
    *,
    seed: int | None = None,
    more: bool = False,
    refit: bool = False,
) -> keras.callbacks.History:
    """Fit the layers of an `RBIG` to data.

    Args:
        flow: The flow, whose layers are replaced.
        train: Rows that the layers are made from.
        held_out: Validation rows, whose likelihood says when to stop; `None` uses the
            training rows, which over-fits.
        limits: How long the fit may be.
        seed: Int that fixes folds and directions.
        more: Whether to keep the layers there are and to add to them.
        refit: Whether to make the layers that were kept once more, with the same
            directions, from all rows, the validation rows included.

    Returns:
        The history. `loss` and `val_loss` are nats per event after each step,
        `information` and `val_information` what it took off, in nats (the reduction of
        total correlation and of marginal negentropy), `layer_type` what it is or how
        its rotation was found. With `refit` they are those of the search.
    """
    rng = _context.generator(seed)
    fixed = int(rng.integers(2**31))
    given = [part for part in (train, held_out) if part is not None]
    kept = layers.read(flow) if more else []
    rows = _rows(flow, given, kept, fixed)
    rows, number, history = _search(flow, rows, limits, rng, more=more)
    found, steps = rows.layers[: len(kept) + number], rows.steps[:number]
    if refit and len(given) == 2 and history.ending.reason != "interrupt":
        del rows
        with progress.leaving(history):
            rows = _rows(flow, given, kept, fixed, join=True)
            for step in steps:
                rows.apply_layer(step)
            found = rows.layers
    layers.write(flow, found)
    progress.raise_if_interrupted(history)
    return history


def _rows(
    flow: rbig.RBIG,
    given: Sequence[arrays.Data],
    kept: Sequence[layers.Layer],
    seed: int,
    *,
    join: bool = False,
) -> training_rows.Rows:
    """Return rows in memory, behind the layers that are kept."""
    size = flow.event_size
    parts, outer = [], []
    for part in given:
        out = np.empty([len(part), size], np.float32)
        before = np.zeros(len(part))
        for first in range(0, len(part), training_rows.CHUNK):
            some = slice(first, first + training_rows.CHUNK)
            x, before[some] = flow.on_lines(part.x[some].reshape(-1, size), first)
            out[some], log_det = layers.standardised(flow.standardization, x)
        parts.append(out)
        outer.append(before)
    if join:
        parts, outer = [np.concatenate(parts)], [np.concatenate(outer)]
    options = flow.fit_options
    rows = training_rows.Rows(
        parts, log_det, options["num_bins"], seed, options["marginals"]
    )
    for log_dets, before in zip(rows.log_dets, outer, strict=True):
        log_dets += before
    for layer in kept:
        rows.transform(layer)
    return rows


def fit_stream(
    flow: rbig.RBIG,
    read: Callable[[], Iterable[np.ndarray]],
    limits: progress.Limits,
    *,
    validation: float | None = 0.1,
    seed: int | None = None,
    adapt: bool = True,
    split_seed: int | None = None,
) -> keras.callbacks.History:
    """Fit the layers of an `RBIG` to rows that are read again for each layer.

    Memory does not grow with the number of rows: what is kept are a sample of bounded
    size and the layers. All layers but those of quantiles and of the radius see every
    row, as counts, moments and sums. The first of them reads the rows, which then lie
    in a temporary file without a name, `4 * D + 1` bytes for each, in the folder that
    `TMPDIR` names: the time grows with the number of layers. With less than twice that
    room there rows are read and transformed again for each layer, with equal results,
    and the time grows with the square.

    Args:
        flow: The flow, whose layers are replaced.
        read: Called for each pass, returns batches of events, `[N, *event_shape]`.
            Inside the scope of a distribution
            strategy these are the rows of this worker: the layers, the same in all
            workers, are those of the rows of all of them.
        limits: How long the fit may be.
        validation: Share of validation rows, which say when to stop; `None` for none.
        seed: Int that fixes samples, folds and directions.
        adapt: Whether to set the standardisation and to start anew; else layers are
            added to those there are.
        split_seed: Int that fixes which rows validate; by default as `seed` does.

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
    fixed = fixed if split_seed is None else split_seed
    rows = _stream(flow, read, fixed, validation or 0.0, adapt=adapt)
    kept = [] if adapt else layers.read(flow)
    for layer in kept:
        rows.transform(layer)
    rows, number, history = _search(flow, rows, limits, rng, more=not adapt)
    layers.write(flow, rows.layers[: len(kept) + number])
    progress.raise_if_interrupted(history)
    return history


def _stream(
    flow: rbig.RBIG,
    read: Callable[[], Iterable[np.ndarray]],
    seed: int,
    share: float,
    *,
    adapt: bool,
) -> training_rows.Rows:
    """Return the rows of a stream, standardised as those of its first pass."""
    size, options = flow.event_size, flow.fit_options
    if flow.preprocessing is not None:
        msg = (
            "`x` must be in memory where columns are more than numbers, got a stream "
            f"for {flow.preprocessing}. Pass an array."
        )
        raise ValueError(msg)

    def flat() -> Iterable[np.ndarray]:
        return (np.asarray(x).reshape(-1, size) for x in read())

    parts, count, mean, scale = training_rows.reservoir(flat(), seed, share)
    if adapt:
        flow.standardization.set_moments(mean, scale)
    standardization = flow.standardization

    def standardised(x: np.ndarray) -> np.ndarray:
        return layers.standardised(standardization, x)[0]

    standard = [layers.standardised(standardization, x) for x in parts if len(x)]
    return training_rows.Stream(
        flat,
        [x for x, _ in standard],
        standard[0][1],
        options["num_bins"],
        seed,
        share,
        options["marginals"],
        standardised,
        scratch.opened(count, size),
    )


def fit_more(
    flow: rbig.RBIG,
    x: Any,
    *,
    validation: Any = 0.1,
    seed: int | None = None,
    **options: Any,
) -> tuple[rbig.RBIG, keras.callbacks.History]:
    """Add layers to a fitted `RBIG`, from the same or from other data.

    Args:
        flow: The fitted flow.
        x: Events, `[N, *event_shape]`.
        validation: Share of validation rows, or `(x,)`, or `None`.
        seed: Int that fixes folds and directions.
        **options: `max_layers`, `patience`, `callbacks`, `verbose`.

    Returns:
        The flow and the history of the new layers.

    Raises:
        ValueError: If the flow is fitted by gradients.
        TypeError: If `flow` is no flow.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500)
        >>> flow, _ = tfpf.fit("rbig", x, max_layers=2, seed=0, verbose=0)
        >>> flow, history = tfpf.training.fit_more(flow, x, max_layers=1, verbose=0)
        >>> len(history.history["loss"])  # what was tried; worse layers are not kept
        1
    """
    registry.require_flow(flow)
    if flow.fit_policy.method != "greedy":
        msg = (
            f"`flow` must be an `RBIG` or `GIS`, got a `{type(flow).__name__}`. Use "
            "fit with adapt=False."
        )
        raise ValueError(msg)
    rows = arrays.Data(x)
    train, held_out = arrays.hold_out(rows, validation, seed)
    limits = progress.Limits(**options)
    history = fit_greedily(flow, train, held_out, limits, seed=seed, more=True)
    history.report = report.judged(
        flow, train, held_out, ending=history.ending, losses=history.row_losses
    )
    return flow, history
