"""What scikit-learn does not check of rows whose density is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from tfp_flows import _optional
from tfp_flows.datasets import frames, table

__all__ = ["FLOATS", "coded", "require_varying", "validated"]

# Types that stay as they are; others become the first one.
FLOATS = (np.float64, np.float32)


def coded(
    X: Any, known: Mapping[str, Sequence[Any]] | None = None
) -> tuple[Any, dict[str, Sequence[Any]]]:
    """Return features as scikit-learn reads them: labels as numbers from 0 on.

    Args:
        X: Features; anything but a data frame with text or categories stays as it is.
        known: Labels of the fit by column; `None` in a fit, which finds them.

    Returns:
        The features, and the labels by column.

    Raises:
        ValueError: If a label is none of the fit.
    """
    if not frames.is_frame(X) or known == {}:
        return X, {}
    text = frames.text_columns(X) if known is None else list(known)
    kinds = dict(frames.take(X))
    if not text and not any(frames.is_categorical(s) for s in kinds.values()):
        return X, {}
    found = table.to_table(X, labels=known, categories=text)
    if not found.labels:
        return X, {}
    pd = _optional.require("pandas", extra="tables")
    return pd.DataFrame(found.x, columns=list(found.columns)), dict(found.labels)


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


def validated(estimator: Any, X: Any, *more: Any, **reading: Any) -> Any:
    """Return rows as scikit-learn reads them; its errors say what to do here.

    That of text names the columns, that of missing values the option that fills them.

    Args:
        estimator: The estimator.
        X: Rows.
        *more: Targets.
        **reading: Of `sklearn.utils.validation.validate_data`.
    """
    try:
        return validate_data(estimator, X, *more, **reading)
    except ValueError as error:
        first, *_ = str(error).split("\n")
        can_fill = getattr(estimator, "missing", None) == "error"
        if can_fill and first.startswith("Input X contains NaN"):
            msg = (
                f"{first} Drop such rows, or fit with missing='impute', which fills "
                "missing cells of the rows to fit."
            )
            raise ValueError(msg) from error
        text = frames.text_columns(X, labels=True) if frames.is_frame(X) else []
        if not text or "convert string to float" not in str(error):
            raise
        msg = (
            f"{error}. There is text in {', '.join(map(repr, text))}: drop or encode "
            "such columns, for instance by sklearn.preprocessing.OrdinalEncoder."
        )
        raise ValueError(msg) from error
