"""The wine tables that come with the package.

The values are those of the UCI Machine Learning Repository's "Wine Quality" by Cortez,
Cerdeira, Almeida, Matos and Reis (CC BY 4.0), with changes that `WINE.md` beside the
files states.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import numpy as np

from tfp_flows import _checks
from tfp_flows.datasets.table import Table

__all__ = ["wine", "wine_folds"]

_COLORS = ("white", "red")


def wine(color: str = "white") -> Table:
    """Load eleven measurements of Portuguese Vinho Verde wines.

    Args:
        color: `"white"` (4898 wines) or `"red"` (1599 wines).

    Returns:
        Table with float32 `x` of shape `[n, 11]` in the original units, and the number
        of one of ten folds for each row, drawn at random as in the literature.

    Raises:
        ValueError: If `color` is neither.

    Example:
        >>> from tfp_flows import datasets
        >>> table = datasets.wine("red")
        >>> table.x.shape, table.columns[-1]
        ((1599, 11), 'alcohol')

    References:
        Cortez et al., 2009, "Modeling wine preferences by data mining from
        physicochemical properties", Decision Support Systems 47(4), 547-553,
        https://doi.org/10.24432/C56S3T (CC BY 4.0).
    """
    _checks.one_of(color, _COLORS, "color")
    file = resources.files("tfp_flows.datasets").joinpath(f"wine_{color}.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        columns = tuple(str(name) for name in arrays["columns"])
        return Table(arrays["x"], columns, arrays["fold"])


def wine_folds(
    color: str = "white", *, standardize: bool = True, distinct: bool = True
) -> Iterator[tuple[Table, Table]]:
    """Go through the ten training and test parts of a wine table.

    The usual figure for these tables is the mean over the folds of the mean test
    log-likelihood in nats, of values standardised with each fold's training rows. The
    literature divides the rows at random; but of the 4898 white wines only 3961 differ
    (1359 of the red ones), and a third of its test rows (a quarter of the red ones) are
    copies of training rows. Here all copies of a wine go into one fold.

    Args:
        color: `"white"` or `"red"`.
        standardize: Whether to standardise with the training rows, as in the protocol.
        distinct: Whether copies of a wine go into one fold, that of the first of them.
            `False` gives the folds of the literature.

    Returns:
        Iterator over ten pairs `(train, test)`.

    Raises:
        ValueError: If `color` is neither.

    Example:
        >>> from tfp_flows import datasets
        >>> train, test = next(datasets.wine_folds("white"))
        >>> len(train), len(test)
        (4432, 466)

    References:
        Uria, Murray and Larochelle, 2013, "RNADE: the real-valued neural
        autoregressive density-estimator", https://arxiv.org/abs/1306.0186
    """
    table = wine(color)
    return (
        table.split(fold, standardize=standardize, distinct=distinct)
        for fold in range(10)
    )
