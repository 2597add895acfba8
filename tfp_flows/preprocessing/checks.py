"""Looks for what no density can have: constants, copies, outliers, lost digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows._findings import Finding
from tfp_flows.datasets import folds

if TYPE_CHECKING:
    from tfp_flows.preprocessing.column import Column

__all__ = [
    "MIN_ROWS",
    "absent_atoms",
    "compact_dates",
    "constant",
    "copied_rows",
    "counting",
    "equal_rows",
    "few_rows",
    "gross_outliers",
    "label",
    "sampled",
    "sentinels",
    "spread",
    "too_fine_for_float32",
]

# With fewer there is nothing to hold out and to validate with.
MIN_ROWS = 10
# Copies are remarkable beyond this share of rows: measurements of few digits repeat.
_COPIES = 1.0 / 3.0
# An outlier is so many times as far away as all that is not one, and so far from the
# middle half of the values in units of its width.
_ISOLATED, _FAR = 100.0, 100.0
# Most outliers of a column: as many equal or near values are a group of its own.
_MOST_OUTLIERS = 3
# A code for missing cells occurs so often, and lies so many ranges beside the rest.
_CODE_ROWS, _CODE_GAP = 3, 1.0
# Beyond these, float32 has no numbers or too few of them for squares.
_LARGEST, _WIDEST, _NARROWEST = 3e38, 1e18, 1e-18
# Values so near one another in float32, in units of the deviation, may be equal.
_COARSE = 1e-4
# Whole numbers that differ in so many rows number them, if they fill this part of their
# range: numbers of another meaning would meet.
_COUNTED_ROWS, _FILLED = 50, 0.5
_FIRST_DAY = 19_000_101
# Sorting and comparing are for so many rows; outliers are looked for among all.
_SAMPLE = 100_000


def label(names: Sequence[str] | None, column: int) -> str:
    """Return how a column is called in a sentence.

    Args:
        names: Names of all columns, `None` if they have none.
        column: Its position from 0.
    """
    return f"column {names[column] if names else column + 1!r}"


def spread(values: np.ndarray) -> float:
    """Return a deviation that outliers do not change, 0 for equal values.

    Args:
        values: Numbers, `[N]`.
    """
    low, high = np.quantile(values, [0.25, 0.75])
    found = float(high - low) / 1.349
    return found if found > 0 else float(np.std(values / 2)) * 2


def few_rows(count: int) -> list[Finding]:
    """Return a finding if there are too few rows for a density."""
    if count >= MIN_ROWS:
        return []
    sentence = f"must be at least {MIN_ROWS} for a fit, got {count}. Give more."
    return [Finding("rows", sentence, severity="error")]


def constant(
    x: np.ndarray, names: Sequence[str] | None, *, condition: bool = False
) -> list[Finding]:
    """Find columns of one value.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
        condition: Whether these are conditions, where such a column does no harm.
    """
    found = []
    for i in np.flatnonzero((x == x[:1]).all(axis=0)):
        value = f"is constant, {x[0, i]:.9g} in every row: "
        if condition:
            sentence = value + "a density cannot depend on it. Drop it."
            where = f"condition {label(names, int(i))}"
            found.append(Finding(where, sentence))
        else:
            sentence = value + "a density has no width along it. Drop it."
            found.append(Finding(label(names, int(i)), sentence, severity="error"))
    return found


def counting(
    x: np.ndarray, names: Sequence[str] | None, labelled: Sequence[bool] | None = None
) -> list[Finding]:
    """Find columns that only number or name the rows, in whatever order.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
        labelled: Which columns hold the numbers of labels.
    """
    found = []
    for i, values in enumerate(x.T if len(x) >= _COUNTED_ROWS else ()):
        low, high = values.min(), values.max()
        if len(values) < 2 * _FILLED * (high / 2 - low / 2):
            continue
        if (values != np.floor(values)).any() or len(np.unique(values)) < len(values):
            continue
        what = f"whole numbers from {low:.9g} to {high:.9g}"
        if labelled is not None and labelled[i]:
            what = "labels"
        sentence = (
            f"holds {len(values):,} {what}, in no two rows the same: it seems to "
            "number the rows, as an identifier does, which says nothing about another "
            "row. Drop it, unless it is a measurement."
        )
        found.append(Finding(label(names, i), sentence))
    return found


def compact_dates(x: np.ndarray, names: Sequence[str] | None) -> list[Finding]:
    """Find columns of dates written as numbers, such as 20260131.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
    """
    found = []
    for i, values in enumerate(x.T if len(x) >= MIN_ROWS else ()):
        if not (values[0] >= _FIRST_DAY and (values == np.floor(values)).all()):
            continue
        year, month, day = values // 10_000, values // 100 % 100, values % 100
        is_day = (year >= 1900) & (year < 2100) & (month >= 1) & (month <= 12)
        is_day &= (day >= 1) & (day <= 31)
        if not is_day.all() or len(np.unique(values)) < 3:
            continue
        sentence = (
            f"holds numbers such as {values[0]:.0f} that all read as year, month and "
            "day: from the end of a month to the next day they jump. Write them as "
            "2026-01-31, or as days since the first."
        )
        found.append(Finding(label(names, i), sentence))
    return found


def absent_atoms(
    x: np.ndarray, names: Sequence[str] | None, columns: Sequence[Column]
) -> list[Finding]:
    """Find values that are declared to have mass, which no row has.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
        columns: What they are.
    """
    found = []
    for i, column in enumerate(columns):
        for atom in column.atoms:
            if np.isclose(x[:, i], atom, rtol=1e-6, atol=0.0).any():
                continue
            near = float(x[np.argmin(np.abs(x[:, i] - atom)), i])
            sentence = (
                f"has a mass at {atom:.9g} by its kind, which no row has, the nearest "
                f"is {near:.9g}: samples will hardly have it either. Correct the value "
                "of the atom, or leave it out."
            )
            found.append(Finding(label(names, i), sentence))
    return found


def equal_rows(x: np.ndarray) -> list[Finding]:
    """Find that all rows are the same, of pictures and other events of many numbers.

    Args:
        x: Numbers, `[N, ...]`.
    """
    if not (x == x[:1]).all():
        return []
    sentence = (
        f"are all the same, {len(x)} times: a density can grow there without bound. "
        "Give other ones."
    )
    return [Finding("rows", sentence, severity="error")]


def copied_rows(x: np.ndarray) -> list[Finding]:
    """Find that many rows are copies of earlier ones, where some column varies freely.

    Args:
        x: Numbers, `[N, D]`, conditions included.
    """
    x = np.ascontiguousarray(x[:_SAMPLE])
    rows = x.view(np.dtype((np.void, x.dtype.itemsize * x.shape[1]))).ravel()
    distinct, groups = np.unique(rows, return_inverse=True)
    share = 1.0 - len(distinct) / len(rows)
    if share <= _COPIES or folds.equal_by_chance(groups, x):
        return []
    sentence = (
        f"are copies of earlier rows to {100 * share:.0f} %: a density can grow at "
        "them without bound, and figures of rows held out reward what it remembers. "
        "Drop the copies, or give their number as weights."
    )
    return [Finding("rows", sentence)]


def gross_outliers(
    x: np.ndarray,
    names: Sequence[str] | None,
    *,
    isolated: float = _ISOLATED,
    far: float = _FAR,
) -> tuple[np.ndarray, list[tuple[str, float, int]]]:
    """Find cells so far from all others that they would set the scale of a column.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
        isolated: How many times as far from the median as all others a cell is.
        far: So far from it in units of the spread, too.

    Returns:
        The numbers of their rows, and column, value and row of each.
    """
    cells = []
    # Beside a single row there are no others.
    for i in range(x.shape[1] if len(x) > 1 else 0):
        values = x[:, i] / 2  # of the largest numbers, differences would overflow
        middle = np.median(values)
        distance = np.abs(values - middle)
        count = min(_MOST_OUTLIERS + 1, len(values) - 1)
        top = np.argpartition(-distance, count - 1)[:count]
        top = top[np.argsort(-distance[top])]
        width = 2 * spread(x[:, i] / 4)
        inner = distance[distance <= distance[top[-1]]]
        if width == 0 or np.count_nonzero(inner) < MIN_ROWS:
            continue
        for j in range(count - 1, 0, -1):
            near, away = distance[top[j]], distance[top[j - 1]]
            if away / isolated > near > 0 and away > far * width:
                where = label(names, i)
                cells += [(where, float(x[k, i]), int(k)) for k in sorted(top[:j])]
                break
    return np.unique(np.array([row for *_, row in cells], int)), cells


def sentinels(x: np.ndarray, names: Sequence[str] | None) -> list[Finding]:
    """Find a value beside all others that many rows share, such as -999.

    Args:
        x: Numbers, `[N, D]`.
        names: Names of the columns, if they have names.
    """
    found = []
    for i, values in enumerate(sampled(x).T):
        for code in _codes(values):
            share = np.mean(values == code)
            sentence = (
                f"holds {code:.9g} in {100 * share:.2g} % of the rows, far from all "
                "other values. If it stands for a missing value, replace it by NaN and "
                "pass missing='impute'."
            )
            found.append(Finding(label(names, i), sentence))
    return found


def _codes(values: np.ndarray) -> list[float]:
    """Return values at the ends that many rows share and that lie beside all others."""
    sizes, counts = np.unique(values / 2, return_counts=True)
    found = []
    while len(sizes) > 5:
        ends = [i for i in (0, -1) if counts[i] >= _CODE_ROWS]
        inner = sizes[int(0 in ends) : len(sizes) - int(-1 in ends)]
        width = inner[-1] - inner[0]
        rest = counts.sum() - sum(counts[i] for i in ends)
        gaps = {i: abs(sizes[i] - inner[i]) for i in ends}
        far = [i for i in ends if gaps[i] > _CODE_GAP * width and counts[i] < rest]
        if not far:
            break
        worst = max(far, key=lambda i: gaps[i])
        found.append(2 * float(sizes[worst]))
        sizes, counts = np.delete(sizes, worst), np.delete(counts, worst)
    return found


def too_fine_for_float32(x: np.ndarray, names: Sequence[str] | None) -> list[Finding]:
    """Find columns whose differences float32 cannot hold.

    Args:
        x: Numbers, `[N, D]`, float64.
        names: Names of the columns, if they have names.
    """
    found = []
    for i, values in enumerate(sampled(x).T):
        where, size, width = label(names, i), np.abs(values).max(), spread(values)
        if size > _LARGEST or width > _WIDEST or 0 < width < _NARROWEST:
            sentence = f"has numbers of a size such as {size:.3g}"
        else:
            middle = np.float32(np.median(np.abs(values)))
            if np.spacing(middle) <= _COARSE * width:
                continue
            before, after = (len(np.unique(values.astype(t))) for t in "df")
            if after > 0.98 * before:
                continue
            sentence = f"has {before} different values, of which float32 holds {after}"
        found.append(Finding(where, sentence))
    return found


def sampled(x: np.ndarray) -> np.ndarray:
    """Return rows at equal distances, if there are very many."""
    return x if len(x) <= _SAMPLE else x[:: -(-len(x) // _SAMPLE)]
