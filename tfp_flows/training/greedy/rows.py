"""Rows of a greedy fit, in memory or in a stream, that become normal."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tfp_flows import _context, datasets
from tfp_flows.datasets import folds
from tfp_flows.flows._model import workers
from tfp_flows.training.data import reservoirs
from tfp_flows.training.greedy import estimates, layers, scratch

__all__ = ["SEARCH_ROWS", "Rows", "Stream", "reservoir"]

# Directions are searched on so many rows at most: they need fewer than marginals do.
SEARCH_ROWS = 20_000
# Rows that are transformed and counted at once.
CHUNK = 16_384
# Rows of a stream that are kept: for directions and quantiles, and for validation.
RESERVOIR = (100_000, 20_000)
# What a stream keeps takes at most so many bytes for each part.
RESERVOIR_BYTES = 64e6


class Rows:
    """Training rows, and validation rows, in memory.

    Rows are float32 and change in place, in chunks: they take one copy of the data.

    Args:
        parts: Standardised rows, `[N, D]`: training rows, and validation rows, which
            may be missing.
        log_det: Log-det of what came before.
        num_bins: Bins of splines or tables.
        seed: Fixes folds and the sample.
        marginal: `"spline"` or `"table"`.
    """

    def __init__(
        self,
        parts: Sequence[np.ndarray],
        log_det: float,
        num_bins: int,
        seed: int = 0,
        marginal: str = "spline",
    ) -> None:
        self.marginal = marginal
        self.parts = [np.array(part, np.float32) for part in parts]
        self.log_dets = [np.full(len(part), log_det) for part in parts]
        self.num_bins = num_bins
        self.layers: list[layers.Layer] = []
        self.steps: list[estimates.Step] = []
        # Rotations of white data are kept relative to the data's axes: principal
        # directions of other rows come in another order and sign.
        self._frame: np.ndarray | None = None
        rng = _context.generator(seed)
        rows = len(self.parts[0])
        self.ranked_folds = datasets.random_folds(
            rows, estimates.NUM_FOLDS, rng, datasets.copies(self.parts[0])
        )
        self._sampled = None
        if rows > SEARCH_ROWS:
            self._sampled = np.sort(rng.permutation(rows)[:SEARCH_ROWS])

    @property
    def ranked(self) -> np.ndarray:
        """The training rows."""
        return self.parts[0]

    @property
    def sample(self) -> np.ndarray:
        """At most `SEARCH_ROWS` of them."""
        rows = self.parts[0]
        return rows if self._sampled is None else rows[self._sampled]

    @property
    def sample_folds(self) -> np.ndarray:
        """Their folds."""
        folds = self.ranked_folds
        return folds if self._sampled is None else folds[self._sampled]

    @property
    def size(self) -> int:
        """Number of features."""
        return self.parts[0].shape[1]

    def copy(self) -> Rows:
        """Return rows that change by themselves."""
        out = object.__new__(Rows)
        out.__dict__.update(self.__dict__)
        out.parts = [part.copy() for part in self.parts]
        out.log_dets = [part.copy() for part in self.log_dets]
        out.layers, out.steps = list(self.layers), list(self.steps)
        return out

    def subset(self) -> Rows:
        """Return the sample as rows, with at most as many validation rows."""
        out = self.copy() if self._sampled is None else object.__new__(Rows)
        if self._sampled is not None:
            kept = [self._sampled, *(slice(SEARCH_ROWS) for _ in self.parts[1:])]
            out.__dict__.update(self.__dict__)
            for name in ("parts", "log_dets"):
                values = zip(getattr(self, name), kept, strict=True)
                setattr(out, name, [part[rows].copy() for part, rows in values])
            out.ranked_folds = self.sample_folds
            out._sampled = None  # noqa: SLF001 - of the same class
            out.layers, out.steps = list(self.layers), list(self.steps)
        return out

    def shards(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go through training rows and their folds."""
        for first in range(0, len(self.parts[0]), CHUNK):
            rows = slice(first, first + CHUNK)
            yield self.parts[0][rows], self.ranked_folds[rows]

    def total(self, function: Callable[..., tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the sums over shards of what a function of rows and folds gives."""
        parts = (function(x, folds) for x, folds in self.shards())
        return functools.reduce(_added, parts)

    def apply_layer(self, step: estimates.Step) -> None:
        """Make the layer of a step from these rows, and apply it to them."""
        rotation = step.rotation
        if rotation is not None and self._frame is not None:
            rotation = rotation @ self._frame.T
        layer = estimates.make(step, rotation, self, self.num_bins, self.marginal)
        self.transform(layer)
        self.steps.append(step)
        if step.layer_type == "white" and isinstance(
            layer, (layers.Spline, layers.Table)
        ):
            self._frame = layer.rotation
        elif rotation is not None or step.layer_type == "mixture":
            self._frame = None

    def rotation_step(
        self, layer_type: str, rotation: np.ndarray, **options: Any
    ) -> estimates.Step:
        """Return a step with a rotation that was found on these rows."""
        if self._frame is not None:
            rotation = rotation @ self._frame
        return estimates.Step(layer_type, rotation, **options)

    def transform(self, layer: layers.Layer) -> None:
        """Apply a layer to all rows, in place."""
        for part, log_dets in zip(self.parts, self.log_dets, strict=True):
            for first in range(0, len(part), CHUNK):
                rows = slice(first, first + CHUNK)
                part[rows], log_det = layer.apply(part[rows])
                log_dets[rows] += log_det
        self.layers.append(layer)

    def row_losses(self) -> list[np.ndarray]:
        """Return the negative log-likelihood of each row of each part, in nats."""
        return [
            layers.normal_losses(part) - log_dets
            for part, log_dets in zip(self.parts, self.log_dets, strict=True)
        ]

    def losses(self) -> list[float]:
        """Return the mean negative log-likelihood of each part, in nats."""
        return [float(np.mean(part)) for part in self.row_losses()]


def _added(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


class Stream(Rows):
    """Rows that are read anew for each layer, and never held in memory.

    It keeps a bounded sample of the rows, for directions, quantiles and validation, and
    the layers. Counts, moments and sums come from a pass over all training rows, those
    of the other workers of a distribution strategy too.
    A row belongs to the same fold in every pass, and equal rows to the same one: that
    comes from a hash of the row.

    Args:
        read: Called for each pass; gives batches of rows, `[N, D]`.
        parts: The sample, see `reservoir`.
        log_det: Log-det of what came before.
        num_bins: Bins of splines or tables.
        seed: Fixes folds and validation rows.
        held_out: Share of validation rows in the stream, which are not counted.
        marginal: `"spline"` or `"table"`.
        before: Standardises rows, where they are read as they were given.
        kept: File for the rows behind the layers so far; without it each pass applies
            all layers anew.
    """

    def __init__(
        self,
        read: Callable[[], Iterable[np.ndarray]],
        parts: Sequence[np.ndarray],
        log_det: float,
        num_bins: int,
        seed: int = 0,
        held_out: float = 0.0,
        marginal: str = "spline",
        before: Callable[[np.ndarray], np.ndarray] | None = None,
        kept: scratch.Scratch | None = None,
    ) -> None:
        super().__init__(parts, log_det, num_bins, seed, marginal)
        self._kept = kept
        self._before = before or (lambda x: x)
        self._read, self._seed, self._held_out = read, seed, held_out

    def total(self, function: Callable[..., tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the sums over the shards of all workers."""
        local = super().total
        return workers.total(workers.raised_together(lambda: local(function)))

    def shards(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go through the training rows of the stream, behind the layers so far."""
        if self._kept is None or not self._kept.is_usable:
            return self._anew()
        if self._kept.is_whole:
            return self._kept.go_through(self.layers)
        return self._kept.fill(self._anew(), len(self.layers))

    def _anew(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Read the training rows, and apply all layers to them."""
        for x, _ in _numbered(self._read()):
            level = folds.levels(folds.row_hash(x), self._seed)
            counted = level >= self._held_out
            out = self._before(x[counted]).astype(np.float32)
            for layer in self.layers:
                out = layer.apply(out)[0].astype(np.float32)
            # Other digits of the level than those that choose validation rows.
            yield out, (level[counted] * 2.0**20).astype(np.intp) % estimates.NUM_FOLDS


def _numbered(
    batches: Iterable[np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go through batches, joined or cut to chunks, and the numbers of their rows."""
    waiting: list[np.ndarray] = []
    held = count = 0

    def flush() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal count
        joined = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        for first in range(0, len(joined), CHUNK):
            rows = joined[first : first + CHUNK]
            yield rows, count + np.arange(len(rows))
            count += len(rows)

    for batch in batches:
        waiting.append(batch)
        held += len(batch)
        if held >= CHUNK:
            yield from flush()
            waiting, held = [], 0
    if held:
        yield from flush()


def reservoir(
    batches: Iterable[np.ndarray], seed: int, held_out: float
) -> tuple[list[np.ndarray], int, np.ndarray, np.ndarray]:
    """Read a stream once, and those of the other workers of a distribution strategy.

    Args:
        batches: Rows, `[N, D]` each.
        seed: Fixes what is kept and what validates.
        held_out: Share of validation rows.

    Returns:
        A uniform sample of the training rows, and, if `held_out` is not 0, of the
        validation rows; the number of rows; their means and deviations, `[D]`.
    """
    kept, moments = workers.raised_together(lambda: _read(batches, seed, held_out))
    # Of all workers: again sums of squares about the mean, which lose no digits.
    count, sums = workers.total((moments.count, moments.count * moments.mean))
    mean = sums / count
    between = moments.count * np.square(moments.mean - mean)
    (square,) = workers.total((moments.square + between,))
    largest = workers.gathered(moments.largest[np.newaxis]).max(axis=0)
    scale = np.sqrt(square / count)
    constant = scale <= 0.5 * np.finfo(np.float32).eps * largest
    parts = [_of_workers(part) for part in kept[: 2 if held_out else 1]]
    return parts, int(count), mean, np.where(constant, 1.0, scale)


def _of_workers(kept: reservoirs.Kept) -> np.ndarray:
    """Return the sample of the rows of all workers."""
    rows, keys = kept.sample()
    if not len(keys):
        return rows
    rows, keys = workers.gathered(rows), workers.gathered(keys)
    return rows[np.argsort(keys, kind="stable")[: kept.limit]]


def _read(
    batches: Iterable[np.ndarray], seed: int, held_out: float
) -> tuple[list[reservoirs.Kept], reservoirs.Moments]:
    """Return the samples of this worker's rows, and their moments."""
    kept: list[reservoirs.Kept] = []
    moments = reservoirs.Moments.empty()
    for x, number in _numbered(batches):
        if not np.all(np.isfinite(x)):
            row = int(number[np.argwhere(~np.isfinite(x))[0][0]])
            msg = (
                f"`x` must be finite, got a bad number in row {row + 1} of the stream. "
                "Drop or impute such rows."
            )
            raise ValueError(msg)
        if not kept:
            limits = np.minimum(RESERVOIR, RESERVOIR_BYTES / (8 * x.shape[1]))
            kept = [reservoirs.Kept(int(limit)) for limit in limits]
        level = folds.levels(folds.row_hash(x), seed)
        # Rows of the same number in several workers have keys of their own.
        key = folds.levels(number, seed + 1 + workers.index())
        for part, chosen in zip(
            kept, (level >= held_out, level < held_out), strict=True
        ):
            part.add(x[chosen], key[chosen])
        moments.add(x)
    if not moments.count:
        msg = (
            "`x` must yield at least one batch, got an empty dataset. Check its source."
        )
        raise ValueError(msg)
    return kept, moments
