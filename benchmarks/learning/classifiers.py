"""Classifiers with a density: accuracy, rejection, few labels, and one pass for both.

    python benchmarks/learning/classifiers.py [--parts digits,moons] [--seeds 5]

`digits`: scikit-learn's digits, three quarters to fit, other ones for each seed. The
twin is the same flow trained as a classifier alone (`density_weight=0`), the residual
model has contractive blocks in place of coupling layers. Noise is uniform in the range
of each column. Errors of the 80 % of rows that the classifier is surest of stand beside
those of all, by class probability and by `log p(x)`, with the area under each curve.
`odd`: digits 0 to 7 to fit, 8 and 9 among the test rows. `cost`: one pass for both
answers beside a flow and a network apart. `moons`: 10 labels among 1,000 rows, with
noise 0.2. `labels`: digits with 100 labels, beside the same model without the other
rows and a logistic regression.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from sklearn.datasets import load_digits, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfp_flows.estimators import FlowClassifier, FlowDensity

COVERAGE = 0.8
FEW = 100


def digits(seed: int) -> tuple[np.ndarray, ...]:
    """Return rows and classes to fit, and those to test; pixels that vary."""
    x, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(
        x, y, test_size=0.25, random_state=seed, stratify=y
    )
    varying = np.ptp(train, axis=0) > 0
    return train[:, varying], y_train, test[:, varying], y_test


def of_noise(model: FlowClassifier, test: np.ndarray, seed: int) -> float:
    """Return the AUROC of `log p(x)` between test rows and uniform noise."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(test.min(axis=0), test.max(axis=0), size=test.shape)
    scores = [-model.score_samples(rows) for rows in (test, noise)]
    return roc_auc_score(np.repeat([0, 1], len(test)), np.concatenate(scores))


def on_digits(seed: int, quick: dict[str, Any]) -> dict[str, float]:
    """Return what the three models come to on the digits."""
    train, y, test, y_test = digits(seed)
    found = {}
    kinds: dict[str, dict[str, Any]] = {
        "hybrid": {},
        "twin": {"density_weight": 0.0},
        "residual": {"flow": "residual", "options": {"num_layers": 4, "exact": False}},
    }
    for name, options in kinds.items():
        model = FlowClassifier(random_state=seed, **{**quick, **options}).fit(train, y)
        found[name] = 100.0 * model.score(test, y_test)
        if name == "hybrid":
            found["noise AUROC"] = of_noise(model, test, seed)
            for by in ("probability", "density"):
                curve = model.risk_coverage(test, y_test, by=by)
                found[f"error of {COVERAGE:.0%} by {by}"] = 100.0 * curve.at(COVERAGE)
                found[f"area by {by}"] = 100.0 * curve.area
            found["error of all"] = 100.0 - found[name]
    return found


def on_odd(seed: int, quick: dict[str, Any]) -> dict[str, float]:
    """Return how far digits of unseen classes have a lower density."""
    train, y, test, y_test = digits(seed)
    seen = y < 8
    varying = np.ptp(train[seen], axis=0) > 0
    model = FlowClassifier(random_state=seed, **quick)
    model.fit(train[seen][:, varying], y[seen])
    test = test[:, varying]
    found = {}
    for by in ("density", "probability", "joint"):
        scores = -model.confidence(test, by=by)
        found[f"8, 9: AUROC by {by}"] = roc_auc_score(y_test >= 8, scores)
    return found


def on_cost(seed: int, quick: dict[str, Any]) -> dict[str, float]:
    """Return the time of both answers by one model over that of two models."""
    train, y, test, _ = digits(seed)
    rows = np.tile(test, (20, 1))
    model = FlowClassifier(random_state=seed, **quick).fit(train, y)
    epochs = quick.get("epochs", 5)
    few = {"epochs": epochs, "fit_arguments": {"columns": "continuous", "noise": 0.1}}
    density = FlowDensity("realnvp", random_state=seed, **few).fit(train)
    twin = FlowClassifier(density_weight=0.0, random_state=seed, **quick)
    twin.fit(train, y)
    seconds = []
    for answers in (
        lambda: model.predict_joint(rows),
        lambda: (twin.predict_proba(rows), density.flow_.bijector().inverse(rows)),
    ):
        answers()
        start = time.process_time()
        answers()
        seconds.append(time.process_time() - start)
    return {"time of two models over one": seconds[1] / seconds[0]}


def on_moons(seed: int, quick: dict[str, Any]) -> dict[str, float]:
    """Return the accuracy with ten labels, and of a classifier of these alone."""
    x, y = make_moons(1_000, noise=0.1, random_state=seed)
    test, y_test = make_moons(2_000, noise=0.1, random_state=1_000 + seed)
    known = _some(y, 10, seed)
    model = FlowClassifier(head="mixture", noise=0.2, random_state=seed, **quick)
    model.fit(x, np.where(known, y, -1))
    alone = LogisticRegression().fit(x[known], y[known])
    return {
        "moons, 10 labels": 100.0 * model.score(test, y_test),
        "logistic, 10 labels": 100.0 * alone.score(test, y_test),
    }


def on_labels(seed: int, quick: dict[str, Any]) -> dict[str, float]:
    """Return the accuracy with 100 labels, with and without the other rows."""
    train, y, test, y_test = digits(seed)
    known = _some(y, FEW, seed)
    kinds = {"head": "mixture", "random_state": seed, **quick}
    both = FlowClassifier(**kinds).fit(train, np.where(known, y, -1))
    # The same scales of columns: some pixels vary in rows without labels only.
    kept = np.ptp(train[known], axis=0) > 0
    alone = FlowClassifier(**kinds).fit(train[known][:, kept], y[known])
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    logistic.fit(train[known], y[known])
    return {
        "digits, 100 labels": 100.0 * both.score(test, y_test),
        "labelled rows only": 100.0 * alone.score(test[:, kept], y_test),
        "logistic, labelled rows": 100.0 * logistic.score(test, y_test),
    }


PARTS: dict[str, Callable[[int, dict[str, Any]], dict[str, float]]] = {
    "digits": on_digits,
    "odd": on_odd,
    "cost": on_cost,
    "moons": on_moons,
    "labels": on_labels,
}


def _some(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return which rows have labels: the same number of each class."""
    rng = np.random.default_rng(seed)
    classes = np.unique(y)
    known = np.zeros(len(y), bool)
    for k in classes:
        rows = np.flatnonzero(y == k)
        known[rng.choice(rows, count // len(classes), replace=False)] = True
    return known


def main(arguments: Sequence[str] | None = None) -> None:
    """Print means over seeds with standard errors."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--parts", help="names, comma-separated; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    given: argparse.Namespace = parser.parse_args(arguments)
    _report.header("Classifiers with a density", "scikit-learn")
    chosen = given.parts.split(",") if given.parts else list(PARTS)
    quick: dict[str, Any] = {}
    if given.smoke:
        chosen, quick = ["moons"], {"epochs": 1, "options": {"num_layers": 2}}
    seeds = range(1 if given.smoke else given.seeds)
    for part in chosen:
        start = time.process_time()
        rows = [PARTS[part](seed, quick) for seed in seeds]
        for name in rows[0]:
            values = np.array([row[name] for row in rows])
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
            worst = f"{values.min():.3f} to {values.max():.3f}"
            print(f"{part}\t{name}\t{values.mean():.3f} +- {error:.3f}\t{worst}")
        seconds = time.process_time() - start
        print(f"{part}\t{len(rows)} seeds\t{seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
