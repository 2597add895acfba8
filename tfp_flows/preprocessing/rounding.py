"""The steps to which the values of a table are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfp_flows.preprocessing.detection import detect_column

__all__ = ["rounding_steps"]

# Digits that float32 holds: differences beyond are rounding errors.
_DIGITS = 6
# With fewer rows for each value, equal values are chance.
_ROWS_PER_VALUE = 2


def rounding_steps(x: Any) -> np.ndarray:
    """Return the step to which each column is rounded, `[D]`, 0 where there is none.

    Uniform noise of one step spreads equal values evenly, so that a density is not
    rewarded for spikes on the grid. Labels that are numbers have the step between them.
    A column with an atom, a value that many rows share beside any number, has none:
    see `detect`.

    Args:
        x: Numbers, `[N, D]`.

    Example:
        >>> import numpy as np
        >>> from tfp_flows.preprocessing import rounding_steps
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> x[:, 0] = np.round(x[:, 0], 1)
        >>> rounding_steps(x)
        array([0.1, 0. ])
    """
    return np.array([_step(column) for column in np.asarray(x).T])


def _step(values: np.ndarray) -> float:
    kind = detect_column(values)
    if kind.step is not None:
        return kind.step
    if kind.atoms:
        return 0.0
    values = values[np.isfinite(values)].astype(np.float64)
    unit = 10.0 ** (np.floor(np.log10(np.abs(values).max(initial=1e-300))) - _DIGITS)
    levels = np.unique(np.round(values / unit))
    if len(levels) < 2 or len(levels) * _ROWS_PER_VALUE > len(values):
        return 0.0
    gaps, counts = np.unique(np.diff(levels), return_counts=True)
    return float(gaps[np.argmax(counts)] * unit)
