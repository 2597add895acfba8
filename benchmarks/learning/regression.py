"""Likelihood, CRPS and coverage of predicted distributions on UCI tables.

    python benchmarks/learning/regression.py [FOLDER] [--sets yacht] [--splits 20]

One default for all tables. A fifth of the training rows, at least 50, calibrate the fit
to the others. Beside it stand, fitted to all training rows, a network with dropout
("MC dropout"), an ensemble of five networks ("ensemble", see `_networks.py`), and a
quantile forest (leaves of a random forest). A target of integers is scored by the mass
of the integer, of every model that has densities.

Last are shares of test targets in 90 % intervals: those of the fit, those of its
calibrated density, and conformal ones; pooled, with two standard errors.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _networks
import _report
import numpy as np
from sklearn.ensemble import RandomForestRegressor

from tfp_flows.estimators import ConditionalFlowDensity

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_regression"
COVERAGE = 0.9
QUICK = {"flow": "linear", "epochs": 1, "fit_arguments": {"jit_compile": False}}
HEADS = (
    *("log_prob", "calibrated", "MC dropout", "ensemble"),
    *("CRPS", "CRPS dropout", "CRPS ensemble", "CRPS forest"),
    *("held", "calibrated", "conformal"),
)
RIVALS = (_networks.dropout, _networks.ensemble)
# Draws of networks that CRPS are of, as many as there are quantiles of the forest.
DRAWS = 200


def forest_quantiles(
    x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    """Return 99 quantiles of each test row, `[n, 99]`."""
    forest = RandomForestRegressor(200, min_samples_leaf=3, random_state=seed)
    forest.fit(x, y)
    own, new = forest.apply(x), forest.apply(test)
    levels = np.arange(1, 100) / 100
    order = np.argsort(y)
    found = np.empty([len(test), len(levels)])
    for i, leaves in enumerate(new):
        same = own == leaves
        weights = (same / same.sum(axis=0)).mean(axis=1)[order]
        places = np.searchsorted(np.cumsum(weights), levels)
        found[i] = y[order][np.minimum(places, len(y) - 1)]
    return found


def crps(quantiles: np.ndarray, y: np.ndarray) -> float:
    """Return the mean score of sorted quantiles in equal steps."""
    count = quantiles.shape[1]
    weights = (2.0 * np.arange(count) + 1.0 - count) / count**2
    apart = np.abs(quantiles - y[:, None]).mean(axis=1)
    return float((apart - quantiles @ weights).mean())


def split(
    x: np.ndarray, y: np.ndarray, is_test: np.ndarray, seed: int, options: Any
) -> tuple[list[float], np.ndarray]:
    """Return the figures of one split, and which test rows intervals held, `[3, n]`."""
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    train = np.random.default_rng(seed).permutation(train)
    count = max(50, len(train) // 5)
    own, held_out = train[count:], train[:count]
    model = ConditionalFlowDensity(random_state=seed, **options)
    model.fit(x[own], y[own])
    better = model.calibrate(x[held_out], y[held_out])
    ends = model.predict_interval(x[test], COVERAGE)
    conformal = better.interval(x[test], COVERAGE)
    level = np.abs(better.cdf(y[test], x[test]) - 0.5)
    held = np.stack(
        [
            (y[test] >= ends[:, 0]) & (y[test] <= ends[:, 1]),
            level <= 0.5 * COVERAGE,
            (y[test] >= conformal[:, 0]) & (y[test] <= conformal[:, 1]),
        ]
    )
    forest = forest_quantiles(x[train], y[train], x[test], seed)
    nets = [rival(x[train], y[train], x[test], seed) for rival in RIVALS]
    step = 1.0 if np.all(y == np.round(y)) else 0.0
    figures = [
        model.score(x[test], y[test]),
        float(better.log_prob(y[test], x[test]).mean()),
        *(float(net.log_prob(y[test], step).mean()) for net in nets),
        float(model.crps(x[test], y[test]).mean()),
        *(crps(net.draws(DRAWS, seed), y[test]) for net in nets),
        crps(forest, y[test]),
    ]
    return figures, held


def tables(
    given: argparse.Namespace,
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Go through names, features, targets and test rows of each split."""
    if given.smoke:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(200, 2))
        y = x[:, 0] + rng.normal(size=200)
        yield "smoke", x, y, np.arange(200)[None] >= 180
        return
    for name in given.sets.split(","):
        with np.load(given.folder / f"{name}.npz", allow_pickle=False) as data:
            x, y = data["x"].astype(np.float64), data["y"].astype(np.float64)
            masks = data["test_mask"].astype(bool)[: given.splits]
        yield name, x, y, masks


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each set, and the pooled coverage."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--sets", default="yacht,energy,concrete,wine_red")
    parser.add_argument("--splits", type=int, default=20)
    given = parser.parse_args(arguments)
    _report.header("Regression: nats, CRPS, coverage of 90 % intervals", "scikit-learn")
    print("set", "splits", *HEADS, "seconds", sep="\t", flush=True)
    options, pooled = (QUICK if given.smoke else {}), []
    for name, x, y, masks in tables(given):
        start = time.process_time()
        found = [split(x, y, mask, seed, options) for seed, mask in enumerate(masks)]
        figures = np.array([one for one, _ in found])
        held = np.concatenate([one for _, one in found], axis=1)
        pooled.append(held)
        texts = [f"{mean:.3f}" for mean in figures.mean(axis=0)]
        if len(figures) > 1:
            errors = figures.std(axis=0, ddof=1) / np.sqrt(len(figures))
            texts = [f"{t}±{e:.3f}" for t, e in zip(texts, errors, strict=True)]
        shares = [f"{share:.3f}" for share in held.mean(axis=1)]
        seconds = f"{(time.process_time() - start) / len(masks):.0f}"
        print(name, len(masks), *texts, *shares, seconds, sep="\t", flush=True)
    every = np.concatenate(pooled, axis=1)
    shares = every.mean(axis=1)
    errors = 2.0 * np.sqrt(COVERAGE * (1.0 - COVERAGE) / every.shape[1])
    texts = [f"{share:.3f}±{errors:.3f}" for share in shares]
    print("pooled coverage", *[""] * (len(HEADS) - 2), *texts, sep="\t")


if __name__ == "__main__":
    main()
