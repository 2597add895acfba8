"""Estimators with default settings on tables of scikit-learn, beside its own.

Density: mean log-density of held-out rows of `breast_cancer` and `wine` in nats, of
columns in their own units; beside a Gaussian mixture of standardised rows, whose number
of components and regularisation are chosen by the likelihood of rows held out of the
training part. The lead is of the same rows, with its standard error.

Detection: AUROC of malignant cells of `breast_cancer` among benign ones that the fit
has not seen; fitted to benign cells, beside `IsolationForest`.

Regression: share of held-out targets of `diabetes` inside intervals of 90 %, mean width
of these, and the mean log-density of targets; beside `BayesianRidge`, whose predictive
distribution is a Gaussian.

Run `python benchmarks/estimators.py`, or with `--folds 1` the first of five folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import _report
import numpy as np
from scipy import stats
from sklearn import datasets
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import BayesianRidge
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler

from tfp_flows import estimators

SPLITS = 5
COMPONENTS, REGULARISATION = [1, 2, 3, 5, 8], [1e-6, 1e-3, 1e-2, 1e-1]


def folds(count: int, args: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go through training and test rows of the first folds."""
    splits = KFold(SPLITS, shuffle=True, random_state=0).split(np.arange(count))
    for _, split in zip(range(args.folds), splits, strict=False):
        yield split


def mixture(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return log-densities of test rows by a mixture that was chosen well."""
    scaler = StandardScaler().fit(train)
    grid = {"n_components": COMPONENTS, "reg_covar": REGULARISATION}
    search = GridSearchCV(GaussianMixture(random_state=0), grid, cv=3)
    search.fit(scaler.transform(train))
    found = search.best_estimator_.score_samples(scaler.transform(test))
    return found - np.log(scaler.scale_).sum()


def mean(values: np.ndarray) -> str:
    """Return a mean with its standard error."""
    return f"{values.mean():8.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def density(name: str, given: dict[str, Any], args: Any) -> None:
    """Print the likelihood of held-out rows."""
    x = getattr(datasets, f"load_{name}")().data
    flow, rival = [], []
    for train, test in folds(len(x), args):
        model = estimators.FlowDensity(random_state=0, **given).fit(x[train])
        flow.append(model.score_samples(x[test]))
        rival.append(mixture(x[train], x[test]))
    ours, theirs = np.concatenate(flow), np.concatenate(rival)
    print(f"density    {name:14} FlowDensity     {mean(ours)} nats")
    print(f"density    {name:14} GaussianMixture {mean(theirs)} nats")
    print(f"density    {name:14} lead            {mean(ours - theirs)}", flush=True)


def detection(given: dict[str, Any], args: Any) -> None:
    """Print how well malignant cells are told from benign ones."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    usual, strange = x[y == 1], x[y == 0]
    models = {
        "FlowAnomalyDetector": estimators.FlowAnomalyDetector(random_state=0, **given),
        "IsolationForest": IsolationForest(random_state=0),
    }
    for name, model in models.items():
        found = []
        for train, test in folds(len(usual), args):
            rows = np.concatenate([usual[test], strange])
            scores = -model.fit(usual[train]).score_samples(rows)
            found.append(roc_auc_score(np.arange(len(rows)) >= len(test), scores))
        print(
            f"detection  breast_cancer  {name:19} AUROC {np.mean(found):.4f}",
            flush=True,
        )


def regression(given: dict[str, Any], args: Any) -> None:
    """Print how intervals and densities of targets do."""
    x, y = datasets.load_diabetes(return_X_y=True)
    rows: dict[str, list[np.ndarray]] = {
        "ConditionalFlowDensity": [],
        "BayesianRidge": [],
    }
    for train, test in folds(len(x), args):
        flow = estimators.ConditionalFlowDensity(random_state=0, **given)
        flow.fit(x[train], y[train])
        low, high = flow.predict_interval(x[test], 0.9).T
        parts = low, high, flow.log_prob(x[test], y[test]), y[test]
        rows["ConditionalFlowDensity"].append(np.stack(parts))
        loc, scale = (
            BayesianRidge().fit(x[train], y[train]).predict(x[test], return_std=True)
        )
        predicted = stats.norm(loc, scale)
        parts = (
            predicted.ppf(0.05),
            predicted.ppf(0.95),
            predicted.logpdf(y[test]),
            y[test],
        )
        rows["BayesianRidge"].append(np.stack(parts))
    for name, found in rows.items():
        low, high, log_prob, target = np.concatenate(found, axis=1)
        inside = np.mean((low <= target) & (target <= high))
        print(
            f"regression diabetes       {name:22} coverage {inside:.3f}, width "
            f"{np.mean(high - low):.0f}, {mean(log_prob)} nats",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--folds", type=int, default=SPLITS, help="of five")
    args = parser.parse_args(arguments)
    given: dict[str, Any] = {}
    names = ["breast_cancer", "wine"]
    if args.smoke:
        args.folds, names = 1, ["wine"]
        given = {"flow": "linear", "epochs": 2, "fit_arguments": {"jit_compile": False}}
    _report.header("estimators with default settings", "scikit-learn")
    for name in names:
        density(name, given, args)
    detection(given, args)
    regression(given, args)


if __name__ == "__main__":
    main()
