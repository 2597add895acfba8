"""What users hand over as tensors of a dtype: no digit is lost, no mask dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = [
    "as_array",
    "as_tensor",
    "event_weights",
    "require_real",
    "spaced",
    "unmasked",
]

# Rows from which a mean and a deviation of a layer are known well enough to start.
ENOUGH = 20_000


def unmasked(value: Any, argument: str, names: Sequence[str] | None = None) -> Any:
    """Return the numbers of a masked array; anything else unchanged.

    Args:
        value: What a user handed over.
        argument: What to call it in the error.
        names: Names of its columns, if they are known.

    Raises:
        ValueError: If a cell is masked, which means that it is missing.
    """
    if not isinstance(value, np.ma.MaskedArray):
        return value
    masked = np.argwhere(np.ma.getmaskarray(value))
    if not len(masked):
        return np.ma.getdata(value)
    row, *rest = (int(i) for i in masked[0])
    column = column_of(names, (row, *rest))
    count = "" if len(masked) == 1 else f" ({len(masked)} such cells in all)"
    msg = (
        f"`{argument}` must have no missing cells, got a masked one in row {row + 1}"
        f"{column}{count}. Drop such rows, or fit with missing='impute'."
    )
    raise ValueError(msg)


def column_of(names: Sequence[str] | None, place: Sequence[int]) -> str:
    """Return the words that name the column of a cell, behind those of its row.

    Args:
        names: Names of columns, if they are known.
        place: Where the cell is in an array; of one axis, there are no columns.
    """
    if len(place) < 2:
        return ""
    return f", column {names[place[1]] if names else place[1] + 1!r}"


def as_array(value: Any, dtype: Any, argument: str) -> np.ndarray:
    """Return numbers as an array of a dtype.

    Args:
        value: Array, tensor, number, or lists of them.
        dtype: Of the array.
        argument: What to call the numbers in an error.

    Raises:
        TypeError: If they are no numbers, or lists of several lengths.
        ValueError: If a cell of a masked array is masked.
    """
    value = unmasked(value, argument)
    try:
        return np.asarray(value, dtype)
    except (TypeError, ValueError):
        msg = (
            f"`{argument}` must be numbers, got {_shown(value)}. Pass an array, or "
            "lists of equal lengths."
        )
        raise TypeError(msg) from None


def as_tensor(value: Any, dtype: Any, argument: str = "x") -> tf.Tensor:
    """Return numbers as a tensor of a dtype.

    Integers and Python's floats become float64 at once, not by way of float32.

    Args:
        value: Array, tensor, number, or lists of them.
        dtype: Of the tensor.
        argument: What to call the numbers in an error.

    Raises:
        TypeError: If they are text, complex numbers, or no dense tensor.
        ValueError: If a cell of a masked array is masked.
    """
    if type(value) is np.ndarray and _is_plain(value):
        return tf.constant(_rounded(value, tf.as_dtype(dtype).as_numpy_dtype))
    if isinstance(value, (list, tuple)) or not tf.is_tensor(value):
        if isinstance(value, np.ndarray):  # of which TensorFlow would take a part
            require_real(value, argument)
        if value is None:
            msg = f"`{argument}` must be numbers, got None. Pass an array."
            raise ValueError(msg)
        try:
            value = tf.convert_to_tensor(unmasked(value, argument), dtype_hint=dtype)
        except (TypeError, ValueError) as error:
            if isinstance(value, np.ma.MaskedArray):
                raise
            msg = f"`{argument}` must be numbers, got {_shown(value)}: {error}"
            raise type(error)(msg) from None
    if isinstance(value, tf.Tensor) and value.dtype.is_floating:
        return value if value.dtype == dtype else tf.cast(value, dtype)
    require_real(value, argument)
    same = value.dtype == dtype  # of a variable, too
    return tf.convert_to_tensor(value) if same else tf.cast(value, dtype)


def event_weights(values: np.ndarray, argument: str) -> np.ndarray:
    """Return weights of events, `[N]`, of which those of `[N, 1]` are a form, too.

    Args:
        values: Numbers.
        argument: What to call them in an error.

    Raises:
        ValueError: If they are not one number for each event, if one is below 0 or not
            finite, or if all are 0.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        msg = f"`{argument}` must be one number for each event, got {values.shape}."
        raise ValueError(msg)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = (
            f"`{argument}` must be numbers from 0 on, got {values[row]:g} in row "
            f"{row + 1}. Drop such rows, or give them weight 0."
        )
        raise ValueError(msg)
    if len(values) and not values.any():
        msg = f"`{argument}` must have a number above 0, got zeros only."
        raise ValueError(msg)
    return values


def spaced(*parts: tf.Tensor | None) -> list[tf.Tensor | None]:
    """Return at most `ENOUGH` rows, evenly spaced: the same ones of all parts.

    Args:
        *parts: Each `[N, ...]`, `[1, ...]`, or `None`, which stay as they are.
    """
    rows = max(len(part) for part in parts if part is not None)
    step = max(1, -(-rows // ENOUGH))
    return [part if part is None or len(part) == 1 else part[::step] for part in parts]


def _is_plain(value: np.ndarray) -> bool:
    """Return whether an array is of real numbers that TensorFlow knows."""
    return value.dtype.kind in "fiub" and value.dtype.itemsize <= 8


def _rounded(value: np.ndarray, dtype: Any) -> np.ndarray:
    """Return numbers as those of a dtype, infinite ones where they exceed it."""
    if value.dtype == dtype:
        return value
    with np.errstate(over="ignore"):
        return value.astype(dtype)


def require_real(value: Any, argument: str) -> None:
    """Raise unless an array or a tensor is dense, and of real numbers.

    Args:
        value: Array, tensor or variable; anything else is not looked at.
        argument: What to call it in the error.

    Raises:
        TypeError: If it is text, complex numbers, dates, ragged or sparse.
    """
    if not hasattr(value, "dtype"):
        return
    if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
        msg = (
            f"`{argument}` must be a dense tensor, got a `{type(value).__name__}`. "
            "Convert it by to_tensor() or tf.sparse.to_dense, if that is what is meant."
        )
        raise TypeError(msg)
    kind = value.dtype
    if isinstance(kind, np.dtype):
        is_text, is_complex = kind.kind in "SU", kind.kind == "c"
        if kind.kind in "mM":
            msg = (
                f"`{argument}` must be numbers, got dates or lengths of time, {kind}. "
                "Pass them in a data frame with the flow's columns, or as numbers of a "
                "unit of your choice."
            )
            raise TypeError(msg)
    else:  # of a variable of Keras, the name
        is_text, is_complex = kind == tf.string, tf.as_dtype(kind).is_complex
    if is_text:
        msg = (
            f"`{argument}` must be numbers, got text. Convert it by astype(float), or "
            "read a file by tfp_flows.datasets.read_table."
        )
        raise TypeError(msg)
    if is_complex:
        msg = (
            f"`{argument}` must be real numbers, got {kind.name}. Pass real and "
            "imaginary parts as two coordinates."
        )
        raise TypeError(msg)


def _shown(value: Any) -> str:
    """Return a value for an error, if it is short."""
    text = repr(value)
    return text if len(text) <= 40 else f"a `{type(value).__name__}`"
