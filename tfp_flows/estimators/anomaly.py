"""Anomalies as rows of low density."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from tfp_flows import flows
from tfp_flows.estimators import base, checks, reasons
from tfp_flows.estimators.density import FlowDensity
from tfp_flows.flows import nested

__all__ = ["FlowAnomalyDetector"]

# Of Scott's bandwidth, which suits a kernel on normal rows, so much blurs a flow.
BANDWIDTH = 0.5
# Share of the noise's variance that is drawn once, before the fit looks at the rows:
# columns that are sums of others have a density then, too.
FIXED = 0.1
# A blurred density is smooth, and needs fewer updates than one of every detail.
UPDATES = 1_000
# Whoever tells kinds of columns, or a noise, wants no other.
TOLD = {"columns", "preprocessing", "noise"}
BY = ("auto", "density", "distance", "mix")
# Equal scores have no spread.
TINY = 1e-9


class FlowAnomalyDetector(reasons.Reasons, OutlierMixin, FlowDensity):
    """Detect anomalies as the rows that are least usual under a flow.

    Methods have scikit-learn's signs, as `IsolationForest` has: `score_samples` is high
    for usual rows; `decision_function` is that less `offset_`; and `predict`
    says 1 for usual rows and -1 for anomalies. Attributes have the meaning that they
    have in PyOD: `decision_scores_` and `threshold_` are high for anomalies,
    and `labels_` has 1 for them and 0 for others.

    Columns are taken for numbers, and the flow is fitted to rows with normal noise of
    half of Scott's bandwidth, `0.5 * n**(-1 / (d + 4))` standard deviations of each
    column: then neither ties, integers nor columns that are sums of others make peaks
    that outdo all else. A score is the mean of two, each in units of how it varies over
    the training rows: the log-density, and minus the squared norm of the base variable
    `z`. The density alone calls usual rows odd where data are spread out, the norm
    alone is blind to gaps between usual rows. `by="density"` gives log-densities in
    nats; `noise=0` those of the table as `FlowDensity` has it, where integers, atoms
    and bounds have probabilities of their own.

    Rows are assumed to be mostly usual ones. A fit to usual rows alone, if there are,
    finds more. `attributions` says which columns of a row are odd, `p_values` how sure
    it is. Rows to score may have missing cells with `missing="impute"`: the density is
    then that of the cells that are known, and the others count as usual.

    Args:
        flow: Name of a flow, a class or function that makes one, or a flow; see
            `FlowDensity`.
        contamination: Share of anomalies among the training rows, above 0 and at most
            0.5: it sets the threshold, and no ranking depends on it.
        noise: Standard deviation of the noise, in those of the columns; `"auto"` for
            half of Scott's bandwidth. A flow that is given built, or whose columns are
            told, gets none by `"auto"`.
        by: What rows are scored by: `"density"`, `"distance"` (minus the squared norm
            of `z`), or `"mix"`; `"auto"` is the mix, and the density where there is no
            noise, where cells of rows to score may be missing, or where a flow has no
            single map.
        epochs: Most passes over the data; by default enough for 1,000 updates, and
            8,000 without noise.
        missing: `"error"`, or `"impute"`: missing cells of the rows to fit are filled
            from similar rows, and those of rows to score are integrated out.
        fit_arguments: Further arguments of `tfp_flows.fit`, such as `{"groups": ...}`.

    Attributes:
        flow_: The fitted `tfp_flows.flows.Flow`.
        noise_: The noise that the rows got, in standard deviations of the columns.
        by_: What rows are scored by: `"density"`, `"distance"` or `"mix"`.
        offset_: Score below which a row is an anomaly.
        decision_scores_: Minus the scores of the training rows, `[n]`.
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
        noise: float | Literal["auto"] = "auto",
        by: Literal["auto", "density", "distance", "mix"] = "auto",
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
        self.noise = noise
        self.by = by

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
        if self.noise != "auto" and not (
            isinstance(self.noise, numbers.Real) and 0 <= self.noise < np.inf
        ):
            msg = f"`noise` must be 'auto' or a number from 0 on, got {self.noise!r}."
            raise ValueError(msg)
        if self.by not in BY:
            msg = f"`by` must be one of {', '.join(BY)}, got {self.by!r}."
            raise ValueError(msg)
        super().fit(X, sample_weight=sample_weight, groups=groups)
        self._cells = None
        self.by_: str = self._chosen()
        self._scales: tuple[tuple[float, float], ...] = self._measure(X)
        found = self.score_samples(X)
        weights = None if sample_weight is None else np.asarray(sample_weight, float)
        self.offset_: float = _quantile(found, float(share), weights)
        self.decision_scores_ = -found
        self.threshold_ = -self.offset_
        self.labels_ = (found < self.offset_).astype(int)
        return self

    def _fit_flow(self, x: np.ndarray, *args: Any, **kwargs: Any) -> None:
        """Fit the flow to rows with noise: a part of it fixed, a part in each batch."""
        self.noise_: float = self._noise(x)
        if not self.noise_:
            super()._fit_flow(x, *args, **kwargs)
            return
        more: dict[str, Any] = {}
        fixed = self.noise_
        if not isinstance(self.flow, str) or _has_batches(self.flow):
            fixed *= np.sqrt(FIXED)
            more["noise"] = self.noise_ * np.sqrt(1.0 - FIXED)
            if self.epochs is None:
                more["steps"] = UPDATES
        if not isinstance(self.flow, flows.Flow):
            more["columns"] = "continuous"
        checks.require_varying(x, self._names, self._argument)
        rng = np.random.default_rng(base.seed_of(self.random_state))
        draws = rng.normal(size=x.shape).astype(x.dtype)
        noisy = x + np.asarray(fixed * np.nanstd(x, axis=0), x.dtype) * draws
        super()._fit_flow(noisy, *args, more=more, **kwargs)

    def _noise(self, x: np.ndarray) -> float:
        """Return the noise of rows in standard deviations of the columns."""
        if self.noise != "auto":
            return float(self.noise)
        told = {*(self.options or {}), *(self.fit_arguments or {})}
        if isinstance(self.flow, flows.Flow) or told & TOLD:
            return 0.0
        return float(BANDWIDTH * len(x) ** (-1.0 / (x.shape[1] + 4)))

    def _chosen(self) -> str:
        """Return what rows are scored by.

        Raises:
            ValueError: If the flow has no base variable of whole rows.
        """
        several = isinstance(self.flow_, (flows.Ensemble, nested.NestedFlow))
        has_norm = not several and not self.flow_.is_discrete
        has_norm = has_norm and self.missing != "impute"
        if self.by == "auto":
            return "mix" if has_norm and self.noise_ else "density"
        if self.by != "density" and not has_norm:
            msg = (
                f"`by` must be 'density' for flows of several, for columns of kinds "
                f"and with missing='impute', got {self.by!r}: there is no base "
                "variable of a whole row."
            )
            raise ValueError(msg)
        return self.by

    def _measure(self, X: Any) -> tuple[tuple[float, float], ...]:
        """Return middle and spread of both scores over the training rows."""
        if self.by_ != "mix":
            return ()
        scores = super().score_samples(X), self._distances(X)
        quarters = [np.quantile(found, (0.25, 0.5, 0.75)) for found in scores]
        return tuple((float(q[1]), float(max(q[2] - q[0], TINY))) for q in quarters)

    def _distances(self, X: Any) -> np.ndarray:
        """Return minus the squared norms of the base variables, `[n]`."""
        x = checks.validated(self, X, reset=False, dtype=checks.FLOATS)
        inverse = self.flow_.bijector().inverse
        kind = self.flow_.variable_dtype
        return -base.in_blocks(
            lambda rows: np.square(inverse(rows.astype(kind))).sum(axis=1), x
        )

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log-density of rows in nats, whatever `by` is.

        Args:
            X: Rows, `[n, d]`.
            y: Not used.
            sample_weight: Weights of the rows in the mean, `[n]`.
        """
        return float(np.average(self._log_prob(X), weights=sample_weight))

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how usual each row is, `[n]`: see `by` of the class."""
        check_is_fitted(self, "flow_")
        if self.by_ == "density":
            return self._log_prob(X)
        if self.by_ == "distance":
            return self._distances(X)
        scores = self._log_prob(X), self._distances(X)
        parts = [
            (found - middle) / spread
            for found, (middle, spread) in zip(scores, self._scales, strict=True)
        ]
        return 0.5 * (parts[0] + parts[1])

    def _log_prob(self, X: Any) -> np.ndarray:
        """Return the log-density of each row in nats, `[n]`, missing cells as usual."""
        if self.missing != "impute":
            return super().score_samples(X)
        check_is_fitted(self, "flow_")
        x = checks.validated(
            self, X, reset=False, dtype=checks.FLOATS, ensure_all_finite="allow-nan"
        )
        return self._with_missing(x)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores less `offset_`, `[n]`: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for usual rows and -1 for anomalies, `[n]`."""
        return np.where(self.decision_function(X) < 0, -1, 1)


def _has_batches(name: str) -> bool:
    """Whether a flow of this name is trained by batches, each of which gets noise."""
    if name not in flows.names():
        return False
    return flows.flow_class(name).fit_policy.method == "gradients"


def _quantile(values: np.ndarray, share: float, weights: np.ndarray | None) -> float:
    """Return the value below which a share of rows, or of their weight, lies."""
    if weights is None:
        return float(np.quantile(values, share))
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, share)])
