"""Why a measure cannot be trusted: columns that follow from others, ties, outliers.

A column that is a function of others makes densities, and with them measures, infinite;
a finite number of rows shows a finite value all the same. It is found by how well rows
near in the other columns predict it: the error is small, and falls with the number of
rows, where noise would keep it where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tfp_flows.information.samples import Sample
from tfp_flows.preprocessing import checks

__all__ = ["Doubts", "found", "relations"]

# Rows that are compared, at most, and those that several columns are looked at from.
MOST_ROWS, QUERIES = 4_000, 500
# Error of the prediction, in units of the distance of two rows drawn at random: below,
# a column may follow from others.
SMALL = {1: 0.05, 2: 0.03, 3: 0.03}
# Below, it does, and from fewer rows nothing else is said.
EXACT, LEAST_ROWS = 1e-9, 100
# Share of the errors that count, the smaller ones.
KEPT = 0.9
# It does if the error is also less than so much of that of a quarter of the rows: noise
# keeps the error where it is, and without it the ranks leave a half.
PARTS, FALL = 4, 0.75
# A prediction from more columns is too coarse to tell.
MOST_COLUMNS = max(SMALL)
# Columns with fewer different values are counts or classes rather than measurements.
FEW_VALUES = 20
# A cell so many times as far from the middle as all others is no tail, not even that of
# a Cauchy distribution.
ISOLATED = 10_000.0
# Share of rows that are copies of others, and rows for each column, that are mentioned.
COPIES, ROWS_PER_COLUMN, FEW_ROWS = 0.05, 20, 100


class Doubts(tuple[str, ...]):
    """Sentences that say why a value cannot be trusted.

    Attributes:
        infinite: Whether one says that the true value may be infinite.
    """

    infinite: bool = False


def found(
    given: Sequence[Sample], groups: np.ndarray | None, *, spread: bool
) -> Doubts:
    """Return what is doubtful about rows of which a measure is taken.

    Args:
        given: The arguments, whose rows belong together.
        groups: Numbers of equal rows, as `datasets.copies` has them.
        spread: Whether rounded columns are spread.
    """
    raw = np.concatenate([sample.raw for sample in given], axis=1)
    names = _names(given)
    related = [
        f"{names[i]} follows from {_joined([names[j] for j in others])} but for noise "
        "too small to see: the true value is infinite, or larger than these rows can "
        "tell. Leave the column out, or take what noise there is into account."
        for i, others in relations(raw)
    ]
    out = Doubts([*related, *_about_values(raw, names, groups, spread=spread)])
    out.infinite = bool(related)
    return out


def relations(x: np.ndarray) -> list[tuple[int, tuple[int, ...]]]:
    """Return columns that are functions of others, and these.

    Args:
        x: Rows, `[N, D]`.
    """
    if x.shape[1] < 2:
        return []
    if len(x) > MOST_ROWS:
        x = x[np.random.default_rng(0).permutation(len(x))[:MOST_ROWS]]
    z = np.stack([_scores(column) for column in x.T], axis=1)
    out: list[tuple[int, tuple[int, ...]]] = []
    seen: set[int] = set()
    for size in sorted({1, z.shape[1] - 1}):
        if size > MOST_COLUMNS:
            continue
        for i in range(z.shape[1]):
            if i in seen:
                continue
            rest = [j for j in range(z.shape[1]) if j != i]
            choices = [(j,) for j in rest] if size == 1 else [tuple(rest)]
            for others in choices:
                # The other way round is the same relation.
                if not (size == 1 and others[0] in seen) and _follows(z, i, others):
                    out.append((i, others))
                    seen.add(i)
                    break
            if size > 1 and out:
                return out
    return out


def _follows(z: np.ndarray, i: int, others: tuple[int, ...]) -> bool:
    """Return whether a column is a function of others."""
    y, x = z[:, i], z[:, others]
    if np.unique(y, return_counts=True)[1].max() > 0.5 * len(y):
        return False  # mostly one value, which any column predicts
    error = _error(x, y)
    if error > SMALL[len(others)]:
        return False
    if error < EXACT or len(z) < LEAST_ROWS:
        return error < EXACT
    few = np.mean([_error(x[k::PARTS], y[k::PARTS]) for k in range(PARTS)])
    return bool(error < FALL * few)


def _error(x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean error of predictions from near rows, 1 for those at random."""
    rng = np.random.default_rng(0)
    at_random = np.mean(np.abs(y - rng.permutation(y)))
    if at_random == 0:
        return np.inf
    if x.shape[1] == 1:
        misses = _between(x[:, 0], y)
    else:
        misses = _from_near(x, y, rng.permutation(len(y))[:QUERIES])
    # A tenth lies at jumps and in tails, where neighbours are far.
    kept = np.sort(np.abs(misses))[: int(KEPT * len(misses))]
    return float(np.mean(kept) / at_random)


def _between(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return errors of straight lines between the two neighbours of each row."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    gap = x[2:] - x[:-2]
    part = np.where(gap > 0, (x[1:-1] - x[:-2]) / np.where(gap > 0, gap, 1.0), 0.5)
    return y[1:-1] - (y[:-2] + part * (y[2:] - y[:-2]))


def _from_near(x: np.ndarray, y: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return errors of affine functions fitted to the nearest rows of rows."""
    count = 2 * x.shape[1] + 3
    misses = np.empty(len(queries))
    for k, row in enumerate(queries):
        distance = np.sum((x - x[row]) ** 2, axis=1)
        distance[row] = np.inf
        near = np.argpartition(distance, count)[:count]
        design = np.column_stack([np.ones(count), x[near] - x[row]])
        misses[k] = y[row] - np.linalg.lstsq(design, y[near], rcond=None)[0][0]
    return misses


def _scores(column: np.ndarray) -> np.ndarray:
    """Return the ranks of values in [-1, 1], that of equal ones their mean."""
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle = last - 0.5 * (counts - 1)
    return 2.0 * middle[place.reshape(len(column))] / len(column) - 1.0


def _about_values(
    raw: np.ndarray, names: list[str], groups: np.ndarray | None, *, spread: bool
) -> Iterator[str]:
    """Yield what ties, copies and few rows make doubtful."""
    rows, size = raw.shape
    for name, column in zip(names, raw.T, strict=True):
        values = len(np.unique(column))
        if values < FEW_VALUES:
            yield (
                f"{name} has {values} different values in {rows} rows: it is discrete, "
                "and the value is that of a density spread over its steps. Take a "
                "measure for counts."
            )
        elif not spread and values < 0.9 * rows:
            yield (
                f"{name} has {values} different values in {rows} rows: ties have no "
                "density, and the value can be anything. Leave out spread=False."
            )
        far = checks.gross_outliers(column[:, np.newaxis], None, isolated=ISOLATED)
        cells = far[1]
        if cells:
            _, value, row = cells[0]
            more = f" (one of {len(cells)} such cells)" if len(cells) > 1 else ""
            yield (
                f"{name} has {value:.9g} in row {row}, far from all others{more}: fits "
                "leave such rows out. Drop the row, or correct the cell."
            )
    copies = 0 if groups is None else rows - len(np.unique(groups))
    if size > 1 and copies > COPIES * rows:
        yield (
            f"{copies} of {rows} rows are copies of others, which look like structure: "
            "drop them unless they were drawn by themselves."
        )
    needed = max(FEW_ROWS, ROWS_PER_COLUMN * size)
    if rows < needed:
        yield (
            f"{rows} rows are few for {size} columns: the standard error is too small. "
            f"Take at least {needed}."
        )


def _names(given: Sequence[Sample]) -> list[str]:
    """Return what columns are called, different for different ones."""
    names = [(k, name) for k, sample in enumerate(given) for name in sample.names]
    plain = [name for _, name in names]
    if len(set(plain)) == len(plain):
        return [f"column {name!r}" for name in plain]
    letters = "xyzuvw"
    return [f"column {name!r} of `{letters[k % 6]}`" for k, name in names]


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
