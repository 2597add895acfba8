"""What scikit-learn does not check of rows whose density is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["FLOATS", "require_varying"]

# Types that stay as they are; others become the first one.
FLOATS = (np.float64, np.float32)


def require_varying(x: np.ndarray, names: Sequence[str] | None, argument: str) -> None:
    """Raise if a column has one value only, along which a density has no width.

    Args:
        x: Rows, `[n]` or `[n, d]`; missing cells do not count.
        names: Names of the columns, if there are.
        argument: Name of the argument for the message.
    """
    columns = x.reshape(len(x), -1)
    low, high = np.fmin.reduce(columns), np.fmax.reduce(columns)
    still = np.flatnonzero(~(high > low))
    if still.size:
        which = ", ".join(repr(names[int(i)]) if names else f"{i}" for i in still)
        msg = (
            f"{argument} must have columns that vary, got constant column(s) {which}: "
            "a density has no width along them. Drop them, for instance by "
            "sklearn.feature_selection.VarianceThreshold in a pipeline."
        )
        raise ValueError(msg)
