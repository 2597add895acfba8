"""Quantiles of targets given features by a random forest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows.estimators import base, checks, predictions

__all__ = ["QuantileForest"]

# Weights of one call: bounds the memory.
WEIGHTS = 2**22
# Below any weight: the quantile of 0 is the lowest target of some weight.
LEAST = 1e-300


class QuantileForest(predictions.Predictions, RegressorMixin, BaseEstimator):
    """Distribution of targets given features: those of rows in the same leaves.

    Each row of the fit weighs as often as it shares a leaf of a random forest with the
    row that is asked for. Means, quantiles, intervals, moments, risks and scores are
    those of `ConditionalFlowDensity`, and exact; there is no density, so that `score`
    is minus the mean CRPS, and no value beyond those of the fit has a probability.

    Args:
        n_estimators: Number of trees.
        min_samples_leaf: Fewest rows in a leaf.
        max_features: Share or number of features that a split looks at.
        n_jobs: Trees that are fitted at once, as in scikit-learn.
        random_state: Int, `RandomState`, or `None` for NumPy's global one.

    Attributes:
        forest_: The fitted `sklearn.ensemble.RandomForestRegressor`.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.
        n_outputs_: Number of targets.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] * rng.normal(size=200)
        >>> model = tfpf.estimators.QuantileForest(20, random_state=0).fit(X, y)
        >>> model.predict_interval(X[:4], 0.9).shape
        (4, 2)

    References:
        Meinshausen (2006). Quantile Regression Forests.
        https://www.jmlr.org/papers/v7/meinshausen06a.html
    """

    def __init__(
        self,
        n_estimators: int = 200,
        *,
        min_samples_leaf: int = 3,
        max_features: Any = 1.0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Say that `score` is no r2, and that there may be several targets."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the forest, and keep the targets of its leaves.

        Args:
            X: Features, `[n, d]`: array or data frame, whose text and categories are
                read as labels.
            y: Targets, `[n]` or `[n, e]`.
            sample_weight: Weights of the rows, `[n]`.

        Returns:
            The estimator.
        """
        X, self._labels = checks.coded(X)
        reading: dict[str, Any] = {"multi_output": True, "y_numeric": True}
        x, y = checks.validated(self, X, y, dtype=checks.FLOATS, **reading)
        y = np.asarray(y, np.float64)
        weights = np.ones(len(x))
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float64)
            check_consistent_length(x, weights)
        self._target_shape = y.shape[1:]
        self._y = y.reshape(len(y), -1)
        self.n_outputs_ = self._y.shape[1]
        self.forest_ = RandomForestRegressor(
            self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            random_state=check_random_state(self.random_state),
        ).fit(x, y, sample_weight=sample_weight)
        self._offsets = np.cumsum(
            [0, *(tree.tree_.node_count for tree in self.forest_.estimators_)]
        )
        own = self._in_leaves(x).multiply(weights[:, None]).tocsr()
        total = np.asarray(own.sum(axis=0)).ravel()
        share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0.0)
        # `share` by leaf; each row of the product sums to 1.
        self._leaves = (own @ sparse.diags(share / self.n_estimators)).T.tocsr()
        return self

    def predict_dist(self, X: Any) -> tfd.Distribution:
        """Return the distributions of the target, one for each row of features.

        Returns:
            A `tfd.FiniteDiscrete` of batch shape `[n]` over the targets of the fit.

        Raises:
            NotImplementedError: If there are several targets.
        """
        x = self._condition(X)
        if self.n_outputs_ != 1:
            msg = (
                f"`predict_dist` needs one target, got {self.n_outputs_}. Use "
                "`predict(X, quantiles=...)` or `sample`."
            )
            raise NotImplementedError(msg)
        values, place = np.unique(self._y[:, 0], return_inverse=True)
        count = len(place)
        which = sparse.csr_matrix((np.ones(count), (np.arange(count), place)))
        probs = self._in_blocks(lambda weights: weights @ which, x)
        return tfd.FiniteDiscrete(values, probs=probs)

    def predict(
        self, X: Any, quantiles: Any = None, *, return_std: bool = False
    ) -> Any:
        """Return the means of targets, or quantiles, see `ConditionalFlowDensity`.

        Args:
            X: Features, `[n, d]`.
            quantiles: Probabilities, a number or a list of `k`; `None` for the mean.
            return_std: Whether to return the standard deviations, too.
        """
        if quantiles is not None and not return_std:
            return super().predict(X, quantiles)
        self._require_moments(quantiles)
        found = self._in_blocks(lambda weights: weights @ self._y, self._condition(X))
        mean = found.reshape(len(found), *self._target_shape)
        return (mean, self.predict_std(X)) if return_std else mean

    def cdf(self, X: Any, y: Any) -> np.ndarray:
        """Return the probability of each target to be no higher, `[n]` or `[n, e]`.

        Args:
            X: Features, `[n, d]`.
            y: Targets.
        """
        x, y = self._condition(X), self._targets(X, y)

        def below(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
            weights = self._weights(rows)
            each = [weights * (own <= y[:, i, None]) for i, own in enumerate(self._y.T)]
            return np.stack([one.sum(axis=1) for one in each], axis=1)

        flat = y.reshape(len(y), -1)
        return base.in_blocks(below, x, flat, size=self._block()).reshape(y.shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return minus the mean CRPS, over several targets their mean.

        Args:
            X: Features, `[n, d]`.
            y: Targets.
            sample_weight: Weights of the rows in the mean, `[n]`.
        """
        found = self.crps(X, y).reshape(len(X), -1).mean(axis=1)
        return -float(np.average(found, weights=sample_weight))

    def sample(
        self, X: Any, n_samples: int = 1, random_state: Any = None
    ) -> np.ndarray:
        """Draw targets of the fit for each row of features.

        Args:
            X: Features, `[n, d]`.
            n_samples: Draws for each row.
            random_state: Int or `RandomState`; by default the estimator's.

        Returns:
            `[n, n_samples]`, or `[n, e, n_samples]`.
        """
        _checks.count(n_samples, 0, "n_samples")
        x, own = self._condition(X), self.random_state
        rng = check_random_state(own if random_state is None else random_state)
        u = rng.uniform(size=(len(x), int(n_samples)))

        def drawn(rows: np.ndarray, u: np.ndarray) -> np.ndarray:
            at = _places(np.cumsum(self._weights(rows), axis=1), u)
            return np.moveaxis(self._y[at], -1, 1)

        found = base.in_blocks(drawn, x, u, size=self._block())
        return found.reshape(len(x), *self._target_shape, int(n_samples))

    def calibrate(self, X: Any, y: Any) -> Any:
        """Raise, as there is no density to calibrate.

        Raises:
            NotImplementedError: Always.
        """
        msg = (
            "`calibrate` needs a density, of which a forest has none. Calibrate a "
            "ConditionalFlowDensity, or widen intervals by rows held out."
        )
        raise NotImplementedError(msg)

    def _condition(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "forest_")
        X, _ = checks.coded(X, self._labels)
        return checks.validated(self, X, reset=False, dtype=checks.FLOATS)

    def _in_leaves(self, x: np.ndarray) -> sparse.csr_matrix:
        """Return which leaves rows are in, `[n, L]`, one of each tree."""
        leaves = self.forest_.apply(x) + self._offsets[:-1]
        starts = np.arange(0, leaves.size + 1, leaves.shape[1])
        shape = (len(x), int(self._offsets[-1]))
        return sparse.csr_matrix((np.ones(leaves.size), leaves.ravel(), starts), shape)

    def _weights(self, x: np.ndarray) -> np.ndarray:
        """Return the weights of the rows of the fit, `[n, N]`."""
        found = (self._in_leaves(x) @ self._leaves).toarray()
        # Leaves of rows without a weight hold nothing.
        return found / found.sum(axis=1, keepdims=True)

    def _block(self) -> int:
        return max(1, WEIGHTS // len(self._y))

    def _in_blocks(
        self, function: Callable[[np.ndarray], np.ndarray], x: np.ndarray
    ) -> np.ndarray:
        return base.in_blocks(
            lambda rows: function(self._weights(rows)), x, size=self._block()
        )

    def _quantiles(
        self,
        condition: np.ndarray,
        levels: np.ndarray,
        function: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return a function of the quantiles of each row, `[n, k]` or `[n, e, k]`."""
        orders = np.argsort(self._y, axis=0, kind="stable")

        def of_weights(weights: np.ndarray) -> np.ndarray:
            at = np.tile(levels, (len(weights), 1))
            found = []
            for order, own in zip(orders.T, self._y.T, strict=True):
                places = _places(np.cumsum(weights[:, order], axis=1), at)
                found.append(own[order][places])
            shape = (len(weights), *self._target_shape, len(levels))
            return function(np.stack(found, axis=1).reshape(shape))

        return self._in_blocks(of_weights, condition)


def _places(sums: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return where sums of weights, `[n, N]`, first reach levels, `[n, k]`."""
    # Sums end near 1, and one of equal weights may fall short of a level by rounding.
    levels = np.maximum(levels * sums[:, -1:] * (1.0 - 1e-12), LEAST)
    found = [np.searchsorted(row, at) for row, at in zip(sums, levels, strict=True)]
    return np.minimum(np.array(found, int), sums.shape[1] - 1)
