"""Columns as they come, as numbers, without the loss of a digit."""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "DIGITS",
    "check_different",
    "check_digits",
    "first_text",
    "floating",
    "is_missing",
    "of_array",
    "of_series",
    "scattered",
    "too_long",
]

# Beyond these, floats skip integers.
_EXACT_FLOAT32, _EXACT_FLOAT64 = 2**24, 2**53
# Floats that NumPy does not know by itself; float32 holds each of their values.
_SMALL_FLOATS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
# The largest part of the deviation of a column that rounding may be.
_LEAST_SPREAD = 2.0**-20
# Integers of so many digits are within.
DIGITS = 15


def of_series(series: Any) -> np.ndarray | None:
    """Return a column as numbers, or None if a cell is not a number."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "fiub":
        # pandas' own types say which NumPy type they mask or compress; missing cells
        # become NaN.
        dtype = getattr(series.dtype, "subtype", series.dtype)
        dtype = getattr(dtype, "numpy_dtype", dtype)
        if series.hasnans and kind != "f":
            if kind in "iu":
                there = np.flatnonzero(series.notna())
                whole = series.iloc[there].to_numpy(dtype)
                check_digits(whole, f"column {series.name!r}", there)
            dtype = np.float64
        # pandas 2 converts the filler even if no cell is missing: None is no integer.
        missing = {"na_value": np.nan} if series.hasnans else {}
        return series.to_numpy(dtype=dtype, **missing)
    if kind != "O" or not all(_is_number(cell) for cell in series):
        return None
    whole = [(i, cell) for i, cell in enumerate(series) if isinstance(cell, int)]
    if whole:
        rows, cells = zip(*whole, strict=True)
        check_digits(np.array(cells, object), f"column {series.name!r}", rows)
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _is_number(cell: Any) -> bool:
    """Say whether a cell is a real number, a boolean or missing."""
    if cell is None or isinstance(cell, (numbers.Real, np.bool_)):
        return True
    return type(cell).__name__ in ("Decimal", "NAType")


def is_missing(cell: Any) -> bool:
    """Say whether a cell of a data frame has no value."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return bool(cell != cell)


def first_text(cells: Sequence[Any]) -> tuple[int, Any]:
    """Return position and value of the first cell that no number can be read from."""
    for row, cell in enumerate(cells):
        try:
            float(cell)
        except (TypeError, ValueError):
            if not _is_number(cell):
                return row, cell
    # All can be read: integers of many digits, text that looks like numbers, or dates.
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and len(cell) > DIGITS:
            return row, cell
    return 0, cells[0] if cells else ""


def of_array(data: Any, where: str, *, rounds: bool = False) -> np.ndarray:
    """Return an array of floats, or say that the data are not numeric.

    Args:
        data: Anything that NumPy makes an array of; objects that are numbers, such as
            `Decimal`, count as floats, and `None` as a missing cell.
        where: What the data are, for the error.
        rounds: Whether integers may lose digits that are nothing beside their spread.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise ValueError(
            f"{where} must be rows of one length, got {type(data).__name__} that NumPy "
            f"cannot stack: {error} Make all rows equally long."
        ) from error
    if array.dtype.kind == "O":
        array = _of_objects(array, where)
    if array.dtype.name in _SMALL_FLOATS:
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise _not_numeric(data, array, where)
    return floating(array, where, rounds=rounds)


def _of_objects(array: np.ndarray, where: str) -> np.ndarray:
    """Return an array of objects as floats, if all of them are numbers."""
    cells = array.ravel()
    if not array.ndim or not all(_is_number(cell) for cell in cells):
        return array
    whole = [i for i, cell in enumerate(cells) if isinstance(cell, int)]
    if whole:
        width = cells.size // max(1, len(array))
        rows = [i // max(1, width) for i in whole]
        check_digits(cells[whole], where, rows)
    missing = [cell is None or type(cell).__name__ == "NAType" for cell in cells]
    found = [
        np.nan if is_missing else float(cell)
        for cell, is_missing in zip(cells, missing, strict=True)
    ]
    return np.array(found, np.float64).reshape(array.shape)


def _not_numeric(data: Any, array: np.ndarray, where: str) -> ValueError:
    """Return the error about data that are no numbers."""
    what, remedy = f"an array of type {array.dtype}", "Convert it with astype(float)."
    kind = type(data).__name__
    if hasattr(data, "toarray"):  # of SciPy
        what, remedy = f"a sparse `{kind}`", "Call its method toarray()."
    elif kind == "SparseTensor":
        what, remedy = "a `SparseTensor`", "Call tf.sparse.to_dense."
    elif kind == "RaggedTensor":
        what, remedy = "a `RaggedTensor`", "Make all rows equally long."
    elif array.dtype.names or (array.size and isinstance(array.flat[0], dict)):
        what = "records with names" if array.dtype.names else "rows with names"
        remedy = "Pass pandas.DataFrame(...) of them."
    elif array.dtype.kind in "mM":
        what = f"dates or lengths of time, {array.dtype}"
        remedy = "Pass them in a data frame, which turns them into numbers."
    elif array.dtype.kind == "c":
        what = f"complex numbers, {array.dtype}"
        remedy = "Pass their real and imaginary parts as columns."
    elif not array.ndim:
        what, remedy = f"a `{kind}`", "Pass an array [N, D], or a data frame."
    elif array.dtype.kind in "OSU":
        row, cell = first_text(array.ravel().tolist())
        what = f"{_short(cell)} in row {row // max(1, array.size // len(array)) + 1}"
        if _reads_as_number(cell):
            what += ", a number as text"
        else:
            remedy = "Pass text in a data frame, as a category."
    return ValueError(f"{where} must be numeric, got {what}. {remedy}")


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _reads_as_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return isinstance(cell, (str, bytes))


def floating(array: np.ndarray, where: str, *, rounds: bool = False) -> np.ndarray:
    """Keep float32 and float64; turn other numbers into a float that holds them."""
    if array.dtype in (np.float32, np.float64):
        return array
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 4
    if array.dtype.kind in "iu" and array.size:
        wide = max(-int(array.min()), int(array.max())) > _EXACT_FLOAT32
        if not (rounds and _is_spread(array)):
            check_digits(array, where)
    return array.astype(np.float64 if wide else np.float32)


def _is_spread(array: np.ndarray) -> bool:
    """Return whether the last digits that float64 drops are nothing beside the spread.

    So it is with nanoseconds of a minute since 1970, not with identifiers in a row.
    """
    values = array.astype(np.float64)
    steps = np.spacing(np.abs(values).max(axis=0))
    return bool(np.all(steps <= _LEAST_SPREAD * values.std(axis=0)))


def check_digits(
    array: np.ndarray, where: str, rows: Sequence[int] | np.ndarray | None = None
) -> None:
    """Raise if an integer has more digits than float64.

    Args:
        array: Integers.
        where: What they are, for the error.
        rows: The row of each; by default in order.
    """
    beyond = np.asarray((array > _EXACT_FLOAT64) | (array < -_EXACT_FLOAT64), bool)
    if beyond.any():
        first = int(np.argwhere(beyond)[0][0])
        row = first if rows is None else rows[first]
        raise too_long(where, array[beyond][0], row)


def check_different(names: Iterable[str], where: str) -> None:
    """Raise if a name occurs twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{where} must have different names, got {', '.join(map(repr, twice))} "
            "more than once. Rename all but one."
        )


def scattered(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Return values at their rows, NaN in all others."""
    out = np.full(count, np.nan)
    out[rows] = values
    return out


def too_long(where: str, integer: object, row: int) -> ValueError:
    """Return the error of an integer that a float cannot hold."""
    return ValueError(
        f"{where} must hold integers within +-2**53, got {integer} in row {row + 1}, "
        "whose last digits a float does not hold. Subtract an offset, or drop the "
        "column if it is an identifier."
    )
