"""Anomalies as rows of low density."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tfp_flows import flows
from tfp_flows.estimators import checks, reasons
from tfp_flows.estimators.density import FlowDensity

__all__ = ["FlowAnomalyDetector"]


class FlowAnomalyDetector(reasons.Reasons, OutlierMixin, FlowDensity):
    """Detect anomalies as the rows of lowest density under a flow.

    Methods have scikit-learn's signs, as `IsolationForest` has: `score_samples` is the
    log-density, high for usual rows; `decision_function` is that less `offset_`; and
    `predict` says 1 for usual rows and -1 for anomalies. Attributes have the meaning
    that they have in PyOD: `decision_scores_` and `threshold_` are high for anomalies,
    and `labels_` has 1 for them and 0 for others.

    Rows are assumed to be mostly usual ones. A fit to usual rows alone, if there are,
    finds more. `attributions` says which columns of a row are odd, `p_values` how sure
    it is. Rows to score may have missing cells with `missing="impute"`: the density is
    then that of the cells that are known, and the others count as usual.

    Args:
        flow: Name of a flow, a class or function that makes one, or a flow; see
            `FlowDensity`.
        contamination: Share of anomalies among the training rows, above 0 and at most
            0.5: it sets the threshold, and no ranking depends on it.
        options: Options of the flow, such as `{"num_layers": 3}`.
        epochs: Most passes over the data; by default enough for 8,000 updates.
        batch_size: Rows per update.
        learning_rate: Highest learning rate.
        validation: Share of rows held out for early stopping, or `None`.
        patience: Epochs without improvement before training stops.
        missing: `"error"`, or `"impute"`: missing cells of the rows to fit are filled
            from similar rows, and those of rows to score are integrated out.
        fit_arguments: Further arguments of `tfp_flows.fit`, such as `{"noise": 0.05}`.
        random_state: Int, `RandomState`, or `None` for NumPy's global one.
        verbose: As in `keras.Model.fit`; 0 is silent.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow`.
        offset_: Log-density below which a row is an anomaly.
        decision_scores_: Minus the log-densities of the training rows, `[n]`.
        threshold_: Score above which a row is an anomaly, `-offset_`.
        labels_: 1 for anomalies among the training rows and 0 for others, `[n]`.
        history_: Losses of each epoch, nats per row, by name.
        report_: What the fit has come to, beside a full Gaussian; printable.
        n_features_in_: Number of columns of `X`.
        feature_names_in_: Their names, if `X` was a data frame.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> x = np.random.default_rng(0).normal(size=(300, 2))
        >>> detector = tfpf.estimators.FlowAnomalyDetector("linear", random_state=0)
        >>> detector.fit(x).predict([[0.0, 0.0], [9.0, -9.0]])
        array([ 1, -1])
    """

    def __init__(
        self,
        flow: Any = flows.DEFAULT,
        *,
        contamination: float = 0.1,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation: float | Literal["auto"] | None = "auto",
        patience: int | None = None,
        missing: Literal["error", "impute"] = "error",
        fit_arguments: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        super().__init__(
            flow,
            options=options,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation=validation,
            patience=patience,
            missing=missing,
            fit_arguments=fit_arguments,
            random_state=random_state,
            verbose=verbose,
        )
        self.contamination = contamination

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, groups: Any = None
    ) -> Any:
        """Fit the flow to rows, and set the threshold.

        Args:
            X: Rows, `[n, d]`: array or data frame.
            y: Not used.
            sample_weight: Weights of the rows, `[n]`; of the threshold as well.
            groups: Group of each row, `[n]`: early stopping holds out whole groups.

        Returns:
            The estimator.

        Raises:
            ValueError: If `contamination` is not in `(0, 0.5]`, or as in `FlowDensity`.
        """
        share = self.contamination
        if not isinstance(share, numbers.Real) or not 0 < share <= 0.5:
            msg = (
                f"`contamination` must be in (0, 0.5], got {share!r}. Give the share "
                "of anomalies to expect, such as 0.1."
            )
            raise ValueError(msg)
        super().fit(X, sample_weight=sample_weight, groups=groups)
        found = self.score_samples(X)
        weights = None if sample_weight is None else np.asarray(sample_weight, float)
        self.offset_: float = _quantile(found, float(share), weights)
        self.decision_scores_ = -found
        self.threshold_ = -self.offset_
        self.labels_ = (found < self.offset_).astype(int)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-density of each row in nats, `[n]`, missing cells as usual."""
        if self.missing != "impute":
            return super().score_samples(X)
        check_is_fitted(self, "flow_")
        x = validate_data(
            self, X, reset=False, dtype=checks.FLOATS, ensure_all_finite="allow-nan"
        )
        return self._with_missing(x)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return log-densities less `offset_`, `[n]`: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for usual rows and -1 for anomalies, `[n]`."""
        return np.where(self.decision_function(X) < 0, -1, 1)


def _quantile(values: np.ndarray, share: float, weights: np.ndarray | None) -> float:
    """Return the value below which a share of rows, or of their weight, lies."""
    if weights is None:
        return float(np.quantile(values, share))
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, share)])
