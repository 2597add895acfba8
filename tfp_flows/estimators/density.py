"""The density of a table, with the methods of scikit-learn's density estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from tfp_flows import _checks
from tfp_flows.estimators import base, checks

__all__ = ["FlowDensity"]


class FlowDensity(DensityMixin, base.FlowEstimator):
    """Density of the rows of a table by a normalizing flow.

    It stands where `KernelDensity` or `GaussianMixture` stands. Log-densities are in
    nats, of columns in their own units.

    Missing values are an error, as in most estimators, unless `missing="impute"`. An
    imputer before it in a pipeline fills rows to score as well.

    Args:
        flow: Name of a flow, see `tfp_flows.flows.names()`; or a class of flows, or a
            function, that takes `(event_shape, condition_shape, seed=...)`; or a flow,
            which is copied and whose weights are the start.
        options: Options of the flow, such as `{"num_layers": 3}`. Flows compute in
            float64 as scikit-learn does, unless `dtype` is among them.
        epochs: Most passes over the data; by default enough for 8,000 updates. Early
            stopping ends most fits sooner. For `rbig`, most layers.
        random_state: Int, `RandomState`, or `None` for NumPy's global one; fixes the
            rows held out, initial weights, batches, and draws.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow`.
        history_: Losses of each epoch, nats per row, by name.
        report_: What the fit has come to, beside a full Gaussian; printable.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 500, seed=0)
        >>> density = tfpf.estimators.FlowDensity("maf", epochs=3, random_state=0)
        >>> density.fit(x).score_samples(x[:5]).shape
        (5,)
        >>> density.sample(3).shape
        (3, 2)
    """

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, groups: Any = None
    ) -> Any:
        """Fit the flow to rows.

        Args:
            X: Rows, `[n, d]`: array or data frame.
            y: Not used.
            sample_weight: Weights of the rows, `[n]`.
            groups: Group of each row, `[n]`: early stopping holds out whole groups.

        Returns:
            The estimator.

        Raises:
            ValueError: If values are missing or infinite, a column is constant, or
                there are fewer than ten rows.
        """
        x = checks.validated(self, X, **self._reading())
        self._fit_flow(
            x,
            columns={"columns": self._names},
            sample_weight=sample_weight,
            groups=groups,
        )
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-density of each row in nats, `[n]`."""
        check_is_fitted(self, "flow_")
        x = checks.validated(self, X, reset=False, dtype=checks.FLOATS)
        return base.in_blocks(self.flow_.log_prob, x)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log-density of rows in nats.

        `KernelDensity.score` is a sum, `GaussianMixture.score` a mean as this one.

        Args:
            X: Rows, `[n, d]`.
            y: Not used.
            sample_weight: Weights of the rows in the mean, `[n]`.
        """
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        as_frame: bool = False,
    ) -> Any:
        """Draw rows.

        Args:
            n_samples: Number of rows.
            random_state: Int or `RandomState`; by default the estimator's, so that an
                estimator with an int draws the same rows in each call.
            as_frame: Whether to return a pandas data frame with the columns' names.

        Returns:
            `[n_samples, d]`.
        """
        _checks.count(n_samples, 0, "n_samples")
        seed = self._seed(random_state)
        x = self.flow_.sample(n_samples, seed=seed, as_frame=as_frame)
        return x if as_frame else np.asarray(x, np.float64)
