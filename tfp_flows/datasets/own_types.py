"""Types that columns of a table had before they became floats, and the way back."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

__all__ = ["BOOLEAN", "CATEGORY", "INTEGER", "of_series", "restored"]

INTEGER, BOOLEAN, CATEGORY = "integer", "boolean", "category"
# Beyond, floats skip integers.
_EXACT = 2.0**53


def of_series(series: Any) -> str | None:
    """Return the type of a column, `None` for floats, text and dates.

    Args:
        series: A series of narwhals.
    """
    kind = series.dtype
    if isinstance(kind, nw.Boolean):
        return BOOLEAN
    if isinstance(kind, (nw.Categorical, nw.Enum)):
        return CATEGORY
    return INTEGER if kind.is_integer() else None


def restored(values: np.ndarray, kind: str | None) -> np.ndarray:
    """Return numbers in the type that their column had, as they are if it has no room.

    Args:
        values: Numbers, `[N]`; those of integers are rounded to these.
        kind: `INTEGER` or `BOOLEAN`; others stay as they are.
    """
    if kind == BOOLEAN and np.isin(values, (0.0, 1.0)).all():
        return values.astype(bool)
    if kind == INTEGER and (np.abs(values) < _EXACT).all():  # NaN is not
        return np.rint(values).astype(np.int64)
    return values
