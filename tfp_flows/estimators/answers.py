"""What a classifier with a density says of rows: classes, densities, rejections."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tfp_flows import _checks
from tfp_flows.estimators import base, checks, hybrid

__all__ = ["UNKNOWN", "Answers", "JointLogProb", "RiskCoverage"]

# scikit-learn's label of rows whose class is not known, and ours of rejected rows.
UNKNOWN = -1
By = Literal["probability", "density", "joint"]
_BY = ("probability", "density", "joint")


@dataclasses.dataclass(frozen=True)
class JointLogProb:
    """Log-densities of rows and of their classes, from one pass.

    Attributes:
        x: `log p(x)` in nats, `[n]`.
        y_given_x: `log p(y|x)`, `[n, K]`.
    """

    x: np.ndarray
    y_given_x: np.ndarray

    @property
    def x_and_y(self) -> np.ndarray:
        """`log p(x, y)` in nats, `[n, K]`."""
        return self.x[:, np.newaxis] + self.y_given_x


@dataclasses.dataclass(frozen=True)
class RiskCoverage:
    """Error of the rows that a classifier is surest of, against their share.

    Attributes:
        coverage: Shares of rows, from one row to all, `[n]`.
        risk: Share of errors among them, `[n]`.
    """

    coverage: np.ndarray
    risk: np.ndarray

    @property
    def area(self) -> float:
        """Mean risk over all shares: the area under the curve."""
        return float(self.risk.mean())

    def at(self, coverage: float) -> float:
        """Return the risk at a share of rows, above 0 and at most 1."""
        require_share(coverage)
        count = math.ceil(coverage * len(self.risk) - 1e-9)
        return float(self.risk[count - 1])


def require_share(coverage: float) -> None:
    """Raise unless a coverage is above 0 and at most 1."""
    _checks.plain_number(coverage, "coverage")
    if not 0.0 < coverage <= 1.0:
        msg = (
            f"`coverage` must be above 0 and at most 1, got {coverage!r}. Give the "
            "share of rows to answer, such as 0.8."
        )
        raise ValueError(msg)


class Answers:
    """Predictions of a flow with classes; `FlowClassifier` has them."""

    flow_: Any
    classes_: np.ndarray
    coef_: np.ndarray | None
    intercept_: np.ndarray | None

    def predict_joint(self, X: Any) -> JointLogProb:
        """Return log-densities of rows and of classes, from one pass of the flow."""
        check_is_fitted(self, "flow_")
        x = checks.validated(self, X, reset=False, dtype=checks.FLOATS)
        x = x.astype(self.flow_.variable_dtype)
        kernel = None if self.coef_ is None else self.coef_.T

        def both(rows: np.ndarray) -> np.ndarray:
            found = hybrid.log_joint(self.flow_, rows, kernel, self.intercept_)
            return np.column_stack([part.numpy() for part in found])

        found = base.in_blocks(both, x)
        return JointLogProb(found[:, 0], found[:, 1:])

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return `log p(y|x)`, `[n, K]`, in the order of `classes_`."""
        return self.predict_joint(X).y_given_x

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return `p(y|x)`, `[n, K]`, in the order of `classes_`."""
        found = np.exp(self.predict_log_proba(X))
        return found / found.sum(axis=1, keepdims=True)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return `log p(x)` in nats, `[n]`: low for rows unlike those of the fit."""
        return self.predict_joint(X).x

    def confidence(self, X: Any, by: By = "probability") -> np.ndarray:
        """Return how sure of each row the classifier is, `[n]`.

        Args:
            X: Rows, `[n, d]`.
            by: `"probability"`: the log-probability of the likeliest class;
                `"density"`: `log p(x)`; `"joint"`: their sum.
        """
        return self._sure(self.predict_joint(X), by)

    def predict(
        self, X: Any, coverage: float = 1.0, by: By = "probability"
    ) -> np.ndarray:
        """Return the likeliest class of each row, `[n]`.

        Args:
            X: Rows, `[n, d]`.
            coverage: Share of these rows to answer: those that the classifier is surest
                of. The others are -1, or `None` where classes are no numbers.
            by: What being sure is, see `confidence`.
        """
        require_share(coverage)
        found = self.predict_joint(X)
        answers = self.classes_[found.y_given_x.argmax(axis=1)]
        if coverage == 1.0:
            return answers
        count = math.ceil(coverage * len(answers) - 1e-9)
        rejected = np.argsort(-self._sure(found, by), kind="stable")[count:]
        if np.issubdtype(answers.dtype, np.number):
            answers = answers.astype(np.result_type(answers.dtype, np.int8))
            answers[rejected] = UNKNOWN
        else:
            answers = answers.astype(object)
            answers[rejected] = None
        return answers

    def risk_coverage(self, X: Any, y: Any, by: By = "probability") -> RiskCoverage:
        """Return the error of the surest rows against their share.

        `plots.risk_coverage(model.confidence(X), model.predict(X) != y)` draws it.

        Args:
            X: Rows, `[n, d]`.
            y: Their classes, `[n]`.
            by: What being sure is, see `confidence`.
        """
        y = self._seen(y)
        found = self.predict_joint(X)
        wrong = self.classes_[found.y_given_x.argmax(axis=1)] != y
        order = np.argsort(-self._sure(found, by), kind="stable")
        counts = np.arange(1, len(wrong) + 1)
        return RiskCoverage(counts / len(wrong), np.cumsum(wrong[order]) / counts)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose class is predicted.

        Args:
            X: Rows, `[n, d]`.
            y: Their classes, `[n]`.
            sample_weight: Weights of the rows, `[n]`.
        """
        right = self.predict(X) == self._seen(y)
        return float(np.average(right, weights=sample_weight))

    def _sure(self, found: JointLogProb, by: By) -> np.ndarray:
        if by not in _BY:
            msg = f"`by` must be one of {', '.join(_BY)}, got {by!r}."
            raise ValueError(msg)
        likeliest = found.y_given_x.max(axis=1)
        return {
            "probability": likeliest,
            "density": found.x,
            "joint": found.x + likeliest,
        }[by]

    def _seen(self, y: Any) -> np.ndarray:
        """Return labels, all of them classes of the fit."""
        check_is_fitted(self, "flow_")
        y = np.asarray(y).reshape(-1)
        new = sorted(set(y.tolist()) - set(self.classes_.tolist()), key=str)
        if new:
            msg = (
                f"`y` must have classes of the fit, {self.classes_.tolist()}, got "
                f"{new}. Leave such rows out, or fit with some of them."
            )
            raise ValueError(msg)
        return y
