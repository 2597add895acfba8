"""Rows of files for training: statistics by one pass, then shuffled batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _findings, flows
from tfp_flows.bijectors.normalization import standardize
from tfp_flows.datasets import folds, limits, shards
from tfp_flows.preprocessing import checks, values
from tfp_flows.training.data import reservoirs

__all__ = ["FileRows", "scan"]

# Rows that are kept: what columns are is told by them, and some validate.
SAMPLE, SAMPLE_BYTES = 200_000, 64e6
# Rows that are shuffled together, and row groups that are read by turns.
POOL, POOL_BYTES, OPEN = 2**18, 64e6, 4
# Rows kept at each end of each column: an outlier and what it is an outlier of.
_ENDS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class FileRows:
    """Rows of files, and what one pass over them has told.

    Args:
        source: The files; events first, then conditions.
        events: Number of the columns of the events.
        seed: Fixes which rows validate.
        bar: Rows whose level lies below are validation rows.
        by_hash: Whether a row's level comes from a hash, the same for equal rows.
        left_out: Hashes of rows that are outliers.
        rows: Number of training rows.
        sample: A uniform sample of them, `[n, D]`.
        held_out: A uniform sample of the validation rows.
        ends: Rows with the smallest and largest values, where the sample is not all.
        moments: Means and deviations of the events' columns over all training rows,
            `None` where the sample does.
    """

    source: shards.Shards
    events: int
    seed: int
    bar: float
    by_hash: bool
    left_out: np.ndarray
    rows: int
    sample: np.ndarray
    held_out: np.ndarray
    ends: np.ndarray
    moments: tuple[np.ndarray, np.ndarray] | None

    def parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the events and conditions in rows."""
        if rows.shape[1] == self.events:
            return rows, None
        return rows[:, : self.events], rows[:, self.events :]

    def events_only(self) -> Iterator[np.ndarray]:
        """Go through the events of all rows but outliers, validation rows too."""
        for block in self.source.blocks():
            x = block.x
            if len(self.left_out):
                x = x[~np.isin(folds.row_hash(x), self.left_out)]
            yield x[:, : self.events]

    def set_units(self, flow: flows.Flow) -> None:
        """Standardise by the moments of all rows, where only that needs the data."""
        if self.moments is None or flow.cells is not None:
            return
        if flow.base.bounds is not None:
            return
        maps = getattr(flow.bijector(), "bijectors", ())
        adaptive = [m for m in maps if hasattr(m, "adapt")]
        if len(adaptive) == 1 and isinstance(adaptive[0], standardize.Standardize):
            adaptive[0].set_moments(*self.moments)

    def batches(
        self, flow: flows.Flow, size: int, seed: int, start: int = 0
    ) -> Batches:
        """Return shuffled batches without end.

        Args:
            flow: The flow that they are for.
            size: Rows of a batch.
            seed: Fixes their order.
            start: Batches that are left out, those of the updates before.
        """
        return Batches(self, flow, size, seed, start)


class Batches:
    """Shuffled batches of files, without end.

    In each pass row groups come in a new order, several are read by turns, and rows are
    shuffled within a pool of up to 262,144. What does not fill the last batch of a pass
    is left out of it.

    Attributes:
        error: What went wrong while reading, `None` if nothing did.
    """

    def __init__(
        self, rows: FileRows, flow: flows.Flow, size: int, seed: int, start: int
    ) -> None:
        self.error: Exception | None = None
        self._rows, self._flow, self._size = rows, flow, size
        self._seed, self._start = seed, start
        width = len(rows.source.columns)
        self._pool = max(8 * size, int(min(POOL, POOL_BYTES / (4 * width))))

    @property
    def dataset(self) -> tf.data.Dataset:
        """The batches, as Keras takes them."""
        dtype, rows = self._flow.variable_dtype, self._rows
        width, size = len(rows.source.columns), self._size
        found = tf.data.Dataset.from_generator(
            self._without_end,
            output_signature=tf.TensorSpec([None, size, width], dtype),
        )
        found = found.flat_map(tf.data.Dataset.from_tensor_slices)

        def split(batch: tf.Tensor) -> tuple[Any]:
            if rows.events == width:
                return (batch,)
            x, condition = batch[:, : rows.events], batch[:, rows.events :]
            return ({"x": x, "condition": condition},)

        return found.map(split).prefetch(2)

    def _without_end(self) -> Iterator[np.ndarray]:
        in_pass = self._rows.rows // self._size
        number, skip = divmod(self._start, in_pass)
        try:
            while True:
                for chunk in self._of_pass(number):
                    if skip >= len(chunk):
                        skip -= len(chunk)
                        continue
                    yield chunk[skip:]
                    skip = 0
                number += 1
        except Exception as error:
            self.error = error
            raise

    def _of_pass(self, number: int) -> Iterator[np.ndarray]:
        """Go through the batches of one pass, `[k, size, D]`."""
        rng = np.random.default_rng([self._seed, number])
        dtype, size = self._flow.variable_dtype, self._size
        waiting: list[np.ndarray] = []
        held = 0
        for rows in self._mixed(rng):
            waiting.append(rows.astype(dtype))
            held += len(rows)
            if held >= self._pool:
                pool = rng.permutation(np.concatenate(waiting))
                ready = held // 2 // size * size
                yield pool[:ready].reshape(-1, size, pool.shape[1])
                waiting, held = [pool[ready:]], held - ready
        pool = rng.permutation(np.concatenate(waiting))
        ready = held // size * size
        if ready:
            yield pool[:ready].reshape(-1, size, pool.shape[1])

    def _mixed(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Go through training rows, row groups in random order and by turns."""
        source = self._rows.source
        pieces = [source.pieces[i] for i in rng.permutation(len(source.pieces))]
        most = OPEN if pieces[0].group is not None else 1
        opened: list[Iterator[shards.Block]] = []
        while pieces or opened:
            while pieces and len(opened) < most:
                opened.append(source.blocks([pieces.pop()]))
            turn = int(rng.integers(len(opened)))
            block = next(opened[turn], None)
            if block is None:
                opened.pop(turn)
                continue
            yield self._training(block)

    def _training(self, block: shards.Block) -> np.ndarray:
        """Return the training rows of a block."""
        rows = self._rows
        hashes = folds.row_hash(block.x)
        level = folds.levels(hashes if rows.by_hash else block.number, rows.seed)
        kept = level >= rows.bar
        if len(rows.left_out):
            kept &= ~np.isin(hashes, rows.left_out)
        self._require_values(block, kept)
        return block.x[kept]

    def _require_values(self, block: shards.Block, kept: np.ndarray) -> None:
        """Raise if a row is none that the columns may have, which a sample told."""
        flow = self._flow
        if flow.cells is None:
            return
        x = block.x[:, : self._rows.events]
        outside = flow.cells.of(tf.constant(x, flow.cells.dtype)).outside.numpy()
        bad = np.flatnonzero(outside.any(axis=1) & kept)
        if not len(bad):
            return
        place = self._rows.source.place(int(block.number[bad[0]]))
        said = values.foreign(flow.cells, x[bad[:1]], flow.columns) or ""
        said = said.split(" in row 1 ")[0]
        msg = (
            f"`x` {said} in {place}. What columns are is told by a sample of the rows: "
            "say it by columns={...}, such as 'continuous' for any number."
        )
        raise limits.FileError(msg)


def scan(
    source: shards.Shards,
    events: int,
    share: float,
    seed: int,
    outliers: str = "drop",
    *,
    exact: bool = True,
) -> FileRows:
    """Read files once, and return what training needs to know of their rows.

    Args:
        source: The files; events first, then conditions.
        events: Number of the columns of the events.
        share: Of the rows that validate; 0 for none.
        seed: Fixes which these are, and the sample.
        outliers: `"drop"` leaves rows with gross outliers out, `"keep"` does not.
        exact: Whether few rows are divided by their number, and not by chance.

    Raises:
        ValueError: If a file cannot be read, or there are no rows.
    """
    found = _Pass(source, events, share, seed)
    for block in source.blocks():
        found.add(block)
    if not found.total:
        msg = f"'{source.paths[0]}' must hold a table, got one without rows."
        raise limits.FileError(msg)
    return found.result(drops=outliers == "drop", exact=exact)


class _Pass:
    """What is counted in one pass over the rows."""

    def __init__(
        self, source: shards.Shards, events: int, share: float, seed: int
    ) -> None:
        self._source, self._events = source, events
        self._share, self._seed = share, seed
        width = len(source.columns)
        self._kept = reservoirs.Kept(int(min(SAMPLE, SAMPLE_BYTES / (8 * width + 8))))
        self._ends = _Ends(width)
        self._moments = reservoirs.Moments.empty()
        self.total = self._by_number = 0

    def add(self, block: shards.Block) -> None:
        """Count a block in."""
        by_row, by_number = self._levels(block)
        key = folds.levels(block.number, self._seed + 1)
        self._kept.add(np.column_stack([block.x, by_number]), key)
        self._ends.add(block)
        self._moments.add(block.x[by_row >= self._share, : self._events])
        self.total += len(block.x)
        self._by_number += int(np.sum(by_number >= self._share))

    def _levels(self, block: shards.Block) -> tuple[np.ndarray, np.ndarray]:
        hashes = folds.row_hash(block.x)
        return folds.levels(hashes, self._seed), folds.levels(block.number, self._seed)

    def result(self, *, drops: bool, exact: bool) -> FileRows:
        """Return what was found."""
        kept, _ = self._kept.sample()
        x, by_number = kept[:, :-1], kept[:, -1]
        share, is_all = self._share, self.total == len(x)
        by_hash = folds.holds_copies(share, x)
        hashes = folds.row_hash(x)
        level = folds.levels(hashes, self._seed) if by_hash else by_number
        bar, rows = share, self._moments.count if by_hash else self._by_number
        if (
            is_all and share and exact
        ):  # so few that chance would hold out another number
            count = min(max(1, round(share * len(x))), len(x) - 1)
            bar = float(np.sort(level)[count]) if len(x) > 1 else 0.0
            rows = int(np.sum(level >= bar))
        left_out = self._outliers(x, is_all=is_all, drops=drops)
        ends, ends_hash, ends_level = self._ends.rows(self._seed, by_hash=by_hash)
        fine, ends_fine = ~np.isin(hashes, left_out), ~np.isin(ends_hash, left_out)
        if len(left_out):
            away = ~ends_fine & (ends_level >= bar)
            rows -= int(np.sum(away))
        moments = None
        if by_hash and not is_all and not len(left_out):
            deviation = np.sqrt(self._moments.square / max(1, self._moments.count))
            moments = (self._moments.mean, deviation)
        return FileRows(
            self._source,
            self._events,
            self._seed,
            bar,
            by_hash,
            left_out,
            rows,
            x[fine & (level >= bar)],
            x[fine & (level < bar)],
            ends[ends_fine] if not is_all else ends[:0],
            moments,
        )

    def _outliers(self, x: np.ndarray, *, is_all: bool, drops: bool) -> np.ndarray:
        """Return hashes of rows with gross outliers, which are named."""
        if self.total < checks.MIN_ROWS:
            return np.empty(0, np.uint64)
        ends = self._ends.x
        every = x if is_all else np.concatenate([ends, x])
        places = dict(
            zip(folds.row_hash(ends).tolist(), self._ends.number.tolist(), strict=True)
        )
        rows, cells = checks.gross_outliers(every, self._source.columns)
        hashes = folds.row_hash(every)
        what = (
            "the row is left out. Pass outliers='keep' to fit it, too."
            if drops
            else "it sets the scale of the column. Drop the row, or correct the cell."
        )
        said = {}
        for where, value, row in cells:
            place = self._source.place(places[int(hashes[row])])
            sentence = f"has {value:.9g} in {place}, far from all others: {what}"
            said[where, value] = _findings.Finding(where, sentence)
        _findings.report(said.values())
        return np.unique(hashes[rows]) if drops else np.empty(0, np.uint64)


class _Ends:
    """Rows with the smallest and the largest values of each column."""

    def __init__(self, width: int) -> None:
        self.x = np.empty([0, width])
        self.number = np.empty(0, np.uint64)
        self._low = np.full(width, np.inf)
        self._high = np.full(width, -np.inf)
        self._whole = np.ones(width, bool)
        self._between: list[int] = []

    def add(self, block: shards.Block) -> None:
        """Look at a block."""
        beyond = (block.x <= self._low) | (block.x >= self._high)
        some: np.ndarray = np.asarray(beyond.any(axis=1))
        for j in map(int, np.flatnonzero(self._whole)):
            between = np.flatnonzero(block.x[:, j] % 1.0 != 0.0)
            if len(between):  # not all are integers, whatever the sample says
                self._whole[j] = False
                self._between.append(int(block.number[between[0]]))
                some[between[0]] = True
        if not some.any():
            return
        x = np.concatenate([self.x, block.x[some]])
        number = np.concatenate([self.number, block.number[some]])
        kept: np.ndarray = np.zeros(len(x), bool)
        kept[np.isin(number, np.array(self._between, np.uint64))] = True
        for j in range(x.shape[1]):
            order = np.argsort(x[:, j], kind="stable")
            kept[order[:_ENDS]] = kept[order[-_ENDS:]] = True
            if len(order) >= _ENDS:
                # Only beyond: of many equal values the first ones will do.
                self._low[j] = np.nextafter(x[order[_ENDS - 1], j], -np.inf)
                self._high[j] = np.nextafter(x[order[-_ENDS], j], np.inf)
        self.x, self.number = x[kept], number[kept]

    def rows(
        self, seed: int, *, by_hash: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows, their hashes and levels."""
        hashes = folds.row_hash(self.x)
        level = folds.levels(hashes if by_hash else self.number, seed)
        return self.x, hashes, level
