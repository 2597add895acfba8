"""Mutual information of each feature with a target, to select features by."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from scipy import special
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from tfp_flows import information
from tfp_flows.estimators import base
from tfp_flows.information import crossfit, samples

__all__ = ["MutualInfo", "mutual_info", "mutual_info_flow"]

# A class with fewer rows has no density worth the name.
FEWEST = 10


@dataclasses.dataclass(frozen=True)
class MutualInfo:
    """Mutual information of features with a target, and how well it is known.

    Attributes:
        values: Estimates in nats, `[d]`. They are free of bias to first order, so those
            of useless features scatter around 0, below it as well.
        stderr: Their standard errors, `[d]`.
        features: Names of the features, if they had names.
    """

    values: np.ndarray
    stderr: np.ndarray
    features: tuple[str, ...] | None = None

    @property
    def pvalues(self) -> np.ndarray:
        """Probability that a useless feature gets such a value or more, `[d]`."""
        sure = np.where(self.values > 0, math.inf, -math.inf)
        known = self.stderr > 0
        score = np.divide(self.values, self.stderr, out=sure, where=known)
        return special.ndtr(-score)

    def __repr__(self) -> str:
        names = self.features or [f"x{i}" for i in range(len(self.values))]
        width = max(map(len, names))
        rows = zip(names, self.values, self.stderr, strict=True)
        lines = [f"{n:>{width}} {v:7.4f} +- {e:.4f} nats" for n, v, e in rows]
        return "\n".join(lines)


def mutual_info(
    X: Any,
    y: Any,
    *,
    target: Literal["auto", "classes", "numbers"] = "auto",
    random_state: int | np.random.RandomState | None = None,
    **options: Any,
) -> MutualInfo:
    """Estimate the mutual information of each feature with a target.

    What a feature tells about the target by itself, whatever the form of the
    dependence: 0 if they are independent, and the same after any increasing map of
    either. Rows are scored by densities that have not seen them, which gives the
    standard error.

    Classes need the density of a feature in each class, which takes milliseconds for a
    feature. A numeric target needs the joint density, some two seconds for a feature.

    Args:
        X: Features, `[n, d]`: array or data frame.
        y: Target, `[n]`: numbers, or labels of classes.
        target: What the target is; by default classes if these are texts or truth
            values, or numbers of which each is there ten times or more.
        random_state: Int, `RandomState`, or `None` for NumPy's global one.
        **options: For a numeric target, see `tfp_flows.information.Options`.

    Returns:
        Estimates and standard errors in nats.

    Raises:
        ValueError: If values are missing, rows are fewer than 40, or a class has fewer
            than 10.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import estimators
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(2, size=1000)
        >>> X = np.stack([y + rng.normal(size=1000), rng.normal(size=1000)], axis=1)
        >>> found = estimators.mutual_info(X, y, random_state=0)
        >>> bool(abs(found.values[0] - 0.11) < 3 * found.stderr[0])
        True
    """
    names = getattr(X, "columns", None)
    names = None if names is None else tuple(str(name) for name in names)
    X, y = check_X_y(X, y, ensure_min_samples=samples.MIN_ROWS, dtype=np.float64)
    seed = base.seed_of(random_state)
    known = ("auto", "classes", "numbers")
    if target not in known:
        msg = f"`target` must be one of {', '.join(known)}, got {target!r}."
        raise ValueError(msg)
    by_class = target == "classes" or (target == "auto" and _are_classes(y))
    found = np.zeros([X.shape[1], 2])
    varying = np.ptp(X, axis=0) > 0  # constant features tell nothing
    columns = [
        samples.read(X[:, i], f"x{i}", seed=seed) for i in np.flatnonzero(varying)
    ]
    if by_class and columns:
        x = np.concatenate([column.x for column in columns], axis=1)
        found[varying] = _with_classes(x, y, seed)
    elif columns:
        y = np.asarray(y, np.float64)
        found[varying] = [_with_numbers(c.raw, y, seed, options) for c in columns]
    return MutualInfo(found[:, 0], found[:, 1], names)


def mutual_info_flow(
    X: Any, y: Any, *, random_state: int = 0, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Score features by mutual information, for `SelectKBest`, `SelectFdr` and others.

    Args:
        X: Features, `[n, d]`.
        y: Target, `[n]`: numbers, or labels of classes.
        random_state: Int that fixes folds and fits.
        **options: As of `mutual_info`; hand them over by `functools.partial`.

    Returns:
        Estimates in nats, and p-values against no dependence, `[d]` each.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.feature_selection import SelectKBest
        >>> from tfp_flows import estimators
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> select = SelectKBest(estimators.mutual_info_flow, k=2).fit(X, y)
        >>> [str(name) for name in select.get_feature_names_out()]
        ['flavanoids', 'proline']
    """
    found = mutual_info(X, y, random_state=random_state, **options)
    return found.values, found.pvalues


def _are_classes(y: np.ndarray) -> bool:
    """Whether a target is one of labels, or of numbers that come back often."""
    if y.dtype.kind not in "iuf":
        return True
    return bool(np.unique(y, return_counts=True)[1].min() >= FEWEST)


def _with_classes(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return estimates and standard errors for classes, `[d, 2]`.

    `I(X; C)` is the mean of `log p(x | c) - log p(x)` over rows.
    """
    check_classification_targets(y)
    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < FEWEST:
        msg = (
            f"each class of `y` must have at least {FEWEST} rows, got "
            f"{counts.min()} of {unique_labels(y)[counts.argmin()]!r}. Drop or join "
            "such classes."
        )
        raise ValueError(msg)
    rows, gap = _log_densities(x, seed)
    gain, variance = -rows, np.square(gap)
    for label, count in zip(labels, counts, strict=True):
        of_class = y == label
        rows, gap = _log_densities(x[of_class], seed)
        gain[of_class] += rows
        variance += np.square(gap * count / len(x))
    variance += gain.var(axis=0, ddof=1) / len(x)
    return np.stack([gain.mean(axis=0), np.sqrt(variance)], axis=1)


def _log_densities(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log-densities of each column by itself, `[n, d]`, and their doubt, `[d]`.

    Each is the mean over a fit that saw the row and one that did not, which is free of
    over-fit to first order; the doubt is half of their difference.
    """
    scale = x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x = (x - x.mean(axis=0)) / scale
    folds = crossfit.CrossFit(len(x), folds=2, flow="rbig", validation=None, seed=seed)
    found = np.stack([fit.log_prob for fit in folds.columns(x)], axis=-1)
    found = found - np.log(scale)
    own, other = np.arange(len(x)), folds.fold
    held_out, seen = found[other, own], found[1 - other, own]
    gap = 0.5 * np.abs((seen - held_out).mean(axis=0))
    return 0.5 * (held_out + seen), gap


def _with_numbers(
    x: np.ndarray, y: np.ndarray, seed: int, options: dict[str, Any]
) -> tuple[float, float]:
    """Return the estimate for one feature and a numeric target, and its error."""
    if 1.0 - abs(np.corrcoef(x[:, 0], y)[0, 1]) <= samples.SMALLEST_EIGENVALUE:
        return math.inf, 0.0  # a copy of the target tells all about it
    found = information.mutual_information(x, y, seed=seed, **options)
    return found.value, found.stderr
