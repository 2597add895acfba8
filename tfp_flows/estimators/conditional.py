"""The density of targets given features, as a regressor with whole distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.base import RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
)
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, flows
from tfp_flows.estimators import base, checks, predictions

__all__ = ["ConditionalFlowDensity"]

# Where quantiles have no closed form they are those of so many draws.
NUM_DRAWS = 2_048
# Numbers of one call: bounds the memory.
POINTS = 2**17


class ConditionalFlowDensity(
    predictions.Predictions, RegressorMixin, base.FlowEstimator
):
    """Density of targets given features: a regressor that predicts distributions.

    `predict` gives means, quantiles or, by `predict_interval`, intervals;
    `predict_dist` the whole density of each row as a `tfd.Distribution`; moments, risks
    and scores such as `crps` have methods of their own, and `calibrate` makes intervals
    that hold what they say, from rows that the fit has not seen. `score` is the
    mean log-density of targets in nats, by which searches and cross-validation then
    choose; `scoring="r2"` gives the usual one.

    One target has exact quantiles; several have those of draws, the same draws for all
    rows. For missing values see `FlowDensity`.

    Args:
        flow: Name of a flow, a class or function that makes one, or a flow; see
            `FlowDensity`. `rbig` has no conditional form.
        epochs: Most passes over the data; by default enough for 8,000 updates.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow`; features are its condition.
        history_: Losses of each epoch, nats per row, by name.
        report_: What the fit has come to, beside a full Gaussian; printable.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.
        n_outputs_: Number of targets.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(500, 1))
        >>> y = X[:, 0] * rng.normal(size=500)
        >>> model = tfpf.estimators.ConditionalFlowDensity("maf", epochs=3)
        >>> model.fit(X, y).predict(X[:4], quantiles=[0.05, 0.5, 0.95]).shape
        (4, 3)
        >>> model.predict_dist(X[:4]).log_prob(y[:4]).shape.as_list()
        [4]
    """

    _argument = "y"

    def __sklearn_tags__(self) -> Any:
        """Say that `score` is a log-density, and that there may be several targets."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # nats, which have no scale
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None
    ) -> Any:
        """Fit the flow of targets, with features as its condition.

        Args:
            X: Features, `[n, d]`: array or data frame, whose text and categories are
                read as labels: networks see zeros and a one.
            y: Targets, `[n]` or `[n, e]`: array, series or data frame.
            sample_weight: Weights of the rows, `[n]`.
            groups: Group of each row, `[n]`: early stopping holds out whole groups.

        Returns:
            The estimator.

        Raises:
            ValueError: If values are missing or infinite, a target is constant, or
                there are fewer than ten rows.
        """
        names = getattr(y, "columns", None)
        X, self._labels = self._coded(X)
        condition, y = checks.validated(
            self,
            X,
            y,
            **self._reading(),
            multi_output=True,
            y_numeric=True,
        )
        y = np.asarray(y, condition.dtype)
        names = None if names is None else [str(name) for name in names]
        self._target_shape = y.shape[1:]
        self.n_outputs_ = math.prod(self._target_shape)
        if isinstance(self.flow, flows.Flow):
            y = y.reshape(len(y), *self.flow.event_shape)
        elif self.n_outputs_ == 1:
            y, names = y.reshape(-1), None  # numbers, which have quantiles
        kinds: Any = self._names
        if self._labels and not isinstance(self.flow, flows.Flow):
            labels = self._labels
            kinds = {
                name: ("category", labels[name]) if name in labels else "continuous"
                for name in self._names or ()
            }
        columns = {"columns": names, "condition_columns": kinds}
        self._fit_flow(
            y,
            condition,
            columns=columns,
            sample_weight=sample_weight,
            groups=groups,
        )
        return self

    def predict_dist(self, X: Any) -> tfd.Distribution:
        """Return the densities of targets, one for each row of features.

        Returns:
            A `tfd.Distribution` of batch shape `[n]`, and of event shape `[]` for one
            target, `[e]` for several.
        """
        return self.flow_.distribution(self._condition(X))

    def log_prob(self, X: Any, y: Any) -> np.ndarray:
        """Return the log-density of each target given its features in nats, `[n]`."""
        condition = self._condition(X)
        y = check_array(y, ensure_2d=False, dtype=checks.FLOATS, input_name="y")
        check_consistent_length(condition, y)
        y = y.reshape(len(y), *self.flow_.event_shape)
        return base.in_blocks(self.flow_.log_prob, y, condition)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean log-density of targets given features in nats.

        Args:
            X: Features, `[n, d]`.
            y: Targets.
            sample_weight: Weights of the rows in the mean, `[n]`.
        """
        return float(np.average(self.log_prob(X, y), weights=sample_weight))

    def sample(
        self, X: Any, n_samples: int = 1, random_state: Any = None
    ) -> np.ndarray:
        """Draw targets for each row of features.

        Args:
            X: Features, `[n, d]`.
            n_samples: Draws for each row.
            random_state: Int or `RandomState`; by default the estimator's.

        Returns:
            `[n, n_samples]`, or `[n, e, n_samples]`, as
            `GaussianProcessRegressor.sample_y` does.
        """
        _checks.count(n_samples, 0, "n_samples")
        condition = self._condition(X)
        seed = self._seed(random_state)
        draws = self.flow_.sample(n_samples, condition, seed=seed)
        draws = np.moveaxis(np.asarray(draws, np.float64), 0, -1)
        return draws.reshape(len(condition), *self._target_shape, int(n_samples))

    def _coded(self, X: Any) -> tuple[Any, dict[str, Any]]:
        """Return features to fit with labels as numbers, and the labels by column."""
        known = None
        if isinstance(self.flow, flows.Flow):
            known = dict(self.flow.condition_labels())
            new = sorted(set(checks.coded(X)[1]) - set(known))
            if new:
                msg = (
                    f"`X` must hold numbers in {new[0]!r}, got labels, of which the "
                    "flow knows none. Build it with condition_columns={"
                    f'{new[0]!r}: ("category", labels), ...}}.'
                )
                raise ValueError(msg)
        return checks.coded(X, known)

    def _condition(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "flow_")
        X, _ = checks.coded(X, self._labels)
        return checks.validated(self, X, reset=False, dtype=checks.FLOATS)

    def _quantiles(
        self,
        condition: np.ndarray,
        levels: np.ndarray,
        function: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return a function of the quantiles of each row, `[n, k]` or `[n, e, k]`."""
        shape = self._target_shape

        def of_rows(rows: np.ndarray) -> np.ndarray:
            found = np.moveaxis(self._quantiles_of_rows(rows, levels), 0, -1)
            return function(found.reshape(len(rows), *shape, len(levels)))

        size = max(
            1, POINTS // (max(len(levels), predictions.NUM_LEVELS) * self.n_outputs_)
        )
        return base.in_blocks(of_rows, condition, size=size)

    def _quantiles_of_rows(self, rows: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return quantiles of each target, `[k, n, ...]`."""
        flow = self.flow_
        if flow.event_shape == ():
            try:
                return flow.quantiles_of_numbers(levels, rows).numpy()
            except NotImplementedError:  # the base density has none
                pass
        z = flow.base.distribution().sample(NUM_DRAWS, seed=(0, 0))
        shape = [NUM_DRAWS, len(rows), *flow.event_shape]
        z = tf.broadcast_to(z[:, tf.newaxis], shape)
        draws = flow.bijector(rows).forward(z).numpy()
        return np.quantile(draws, levels, axis=0)
