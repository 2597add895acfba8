"""The rows that measures take, checked and in units of their spread."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfp_flows import _context, _results, datasets

__all__ = ["MIN_ROWS", "Sample", "check_independent", "paired", "read"]

# With fewer a fold of a fold has next to nothing.
MIN_ROWS, MIN_ROWS_PER_COLUMN = 40, 10
# Of the correlations: below, a column is a linear function of the others.
SMALLEST_EIGENVALUE = 1e-10
# A column with fewer distinct values, as a share of the rows, counts as rounded.
DISTINCT = 0.9


@dataclasses.dataclass(frozen=True)
class Sample(_results.Rows):
    """Rows of one argument.

    Attributes:
        raw: As they were given, in float64, `[N, D]`.
        rows: The same, rounded columns spread.
        x: These standardised.
        log_scale: Log-density of `x` minus log-density of `rows`.
        names: Names of the columns.
        loc: What was subtracted, `[D]`.
        scale: What was divided by, `[D]`.
    """

    raw: np.ndarray
    rows: np.ndarray
    x: np.ndarray
    log_scale: float
    names: tuple[str, ...]
    loc: np.ndarray
    scale: np.ndarray

    @property
    def rounded(self) -> bool:
        """Whether a column was rounded, and has been spread."""
        return self.rows is not self.raw and bool(np.any(self.rows != self.raw))


def _spread(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spread a rounded column: each value evenly over what is nearest to it.

    A cell reaches half-way to the next values, at most by the median distance of them.
    """
    values, place = np.unique(column, return_inverse=True)
    if len(values) >= DISTINCT * len(column):
        return column
    gaps = np.diff(values)
    half = np.minimum(0.5 * gaps, np.median(gaps))
    below, above = np.append(half[:1], half)[place], np.append(half, half[-1:])[place]
    return column + rng.uniform(-below, above)


def read(
    data: Any, argument: str, *, spread: bool = True, seed: int | None = None
) -> Sample:
    """Return checked rows.

    Args:
        data: Array, tensor, DataFrame or table, `[N, D]` or `[N]`.
        argument: Name for messages.
        spread: Whether to spread rounded columns.
        seed: Int that fixes how.

    Raises:
        ValueError: If columns are not numeric, not finite, constant or linearly
            dependent, or if rows are too few.
    """
    try:
        table = datasets.to_table(data)
        datasets.check_columns(table)
    except ValueError as error:
        text = str(error)
        if text.startswith("`data`"):
            raise ValueError(f"`{argument}`{text[len('`data`') :]}") from error
        raise ValueError(f"`{argument}`: {text}") from error
    raw = table.x.astype(np.float64)
    count, size = raw.shape
    if size == 0:
        msg = f"`{argument}` must have at least one column, got none. Add one."
        raise ValueError(msg)
    needed = max(MIN_ROWS, MIN_ROWS_PER_COLUMN * size)
    if count < needed:
        msg = (
            f"`{argument}` must have at least {needed} rows for {size} columns, got "
            f"{count}. Give more rows or fewer columns."
        )
        raise ValueError(msg)
    check_independent({argument: (raw, table.columns)})
    rows = raw
    if spread:
        rng = _context.generator(seed)
        rows = np.stack([_spread(column, rng) for column in raw.T], axis=1)
    loc, scale = rows.mean(axis=0), rows.std(axis=0)
    return Sample(
        raw,
        rows,
        (rows - loc) / scale,
        float(np.sum(np.log(scale))),
        table.columns,
        loc,
        scale,
    )


def paired(
    data: dict[str, Any], *, spread: bool = True, seed: int | None = None
) -> list[Sample]:
    """Return checked rows of arguments that belong together row by row.

    Args:
        data: What `read` takes, by the names of the arguments.
        spread: Whether to spread rounded columns.
        seed: Int that fixes how.

    Raises:
        ValueError: If their numbers differ, or columns depend on each other linearly.
    """
    # Each argument has draws of its own, or equal columns would stay equal.
    samples = {
        name: read(
            values, name, spread=spread, seed=None if seed is None else seed + 1 + place
        )
        for place, (name, values) in enumerate(data.items())
    }
    (first, head), *rest = samples.items()
    for name, sample in rest:
        if len(sample) != len(head):
            msg = (
                f"`{first}` and `{name}` must have the same number of rows, which "
                f"belong together, got {len(head)} and {len(sample)}. Align them."
            )
            raise ValueError(msg)
    check_independent({name: (s.raw, s.names) for name, s in samples.items()})
    return list(samples.values())


def check_independent(samples: dict[str, tuple[np.ndarray, tuple[str, ...]]]) -> None:
    """Raise if a column is a linear function of others: there is no density.

    Args:
        samples: Rows and names of the columns, by the names of the arguments.

    Raises:
        ValueError: With the names of such columns.
    """
    x = np.concatenate([rows for rows, _ in samples.values()], axis=1)
    if x.shape[1] == 1:
        return
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    names = [(key, name) for key, (_, columns) in samples.items() for name in columns]
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    if values[0] > SMALLEST_EIGENVALUE:
        return
    part = [
        f"{name!r} of `{argument}`"
        for (argument, name), weight in zip(names, vectors[:, 0], strict=True)
        if abs(weight) > 1e-3
    ]
    msg = (
        f"columns must not be linear functions of each other, got {', '.join(part)}. "
        "Drop one: such rows have no density, and measures are infinite."
    )
    raise ValueError(msg)
