"""Which values columns may have: others are named, or count for the nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows._findings import Finding
from tfp_flows.preprocessing.cells import GRID_TOLERANCE, ROUNDINGS, Cells
from tfp_flows.preprocessing.checks import label

__all__ = ["foreign", "require", "rounded"]


def foreign(
    cells: Cells, x: np.ndarray, names: Sequence[str] | None = None
) -> str | None:
    """Return the sentence about the first value that no sample has, if there is one.

    Args:
        cells: The columns.
        x: Values, `[N, D]`.
        names: Names of the columns.
    """
    outside = cells.of(tf.constant(x, cells.dtype)).outside.numpy()
    if not outside.any():
        return None
    row, j = np.argwhere(outside)[0]
    column = cells.spec.columns[j]
    remedy = "give the column another kind."
    if column.periodic:
        remedy = f'take them at any turn by ("periodic", {column.low:g}, '
        remedy += f'{column.high:g}, "wrap").'
    return (
        f"must hold {column} in {label(names, int(j))}, got {float(x[row, j]):g} in "
        f"row {row + 1} ({int(outside[:, j].sum())} such rows). Correct them, or "
        f"{remedy}"
    )


def require(cells: Cells, x: np.ndarray, names: Sequence[str] | None = None) -> None:
    """Raise unless all values are such as their columns may have.

    Args:
        cells: The columns.
        x: Values, `[N, D]`.
        names: Names of the columns.

    Raises:
        ValueError: Naming the first row and column.
    """
    sentence = foreign(cells, x, names)
    if sentence is not None:
        raise ValueError(f"`x` {sentence}")


def rounded(
    cells: Cells, x: np.ndarray, names: Sequence[str] | None = None
) -> list[Finding]:
    """Find that values lie between the steps that were found in a column.

    They count for the nearest step; a step that was declared has no such values.

    Args:
        cells: The columns.
        x: Values, `[N, D]`.
        names: Names of the columns.
    """
    eps = np.finfo(cells.dtype.as_numpy_dtype).eps
    places: list[tuple[int, np.ndarray]] = []
    for j in map(int, np.flatnonzero(cells.found)):
        column, values = cells.spec.columns[j], np.asarray(x[:, j], np.float64)
        values = np.where(np.isfinite(values), values, column.offset)
        step = column.step or 1.0
        part = (values - column.offset) / step
        miss = step * np.abs(part - np.round(part))
        between = miss > GRID_TOLERANCE * step + ROUNDINGS * eps * np.abs(values)
        if between.any():
            places.append((j, np.flatnonzero(between)))
    if not places:
        return []
    j, rows = places[0]
    more = f"; {len(places) - 1} more columns hold such values" * bool(places[1:])
    sentence = (
        f"holds {float(x[rows[0], j]):.9g} ({len(rows)} such rows{more}), between the "
        f"steps of {cells.spec.columns[j].step:g} that the rows of the fit had: such "
        "values count for the nearest step. Say what the column is by columns={...} "
        "of the fit."
    )
    return [Finding(label(names, j), sentence, tuple(map(int, rows)))]
