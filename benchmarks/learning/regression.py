"""Likelihood, CRPS and coverage of predicted distributions on UCI tables.

    python benchmarks/learning/regression.py [FOLDER] [--sets yacht] [--splits 20]
    python benchmarks/learning/regression.py --flows nsf-ar,maf-mol,maf-mol:5,both

One default for all tables. A fifth of the training rows, at least 50, calibrate the fit
to the others. Beside it stand, fitted to all training rows, a network with dropout
("MC dropout"), an ensemble of five networks ("ensemble", see `_networks.py`), and a
quantile forest (leaves of a random forest). A target of integers is scored by the mass
of the integer, of every model that has densities.

Last are shares of test targets in 90 % intervals: those of the fit, those of its
calibrated density, and conformal ones; pooled, with two standard errors.

With `--flows` only flows stand beside each other, fitted to all training rows but a
tenth, the same for all, which stop them: `NAME` or, for an ensemble, `NAME:MEMBERS`;
`both` is the mixture of the first two, whose weights make that tenth most likely;
`gaussian`, `mdn` and `kmn` are networks of before flows, `mdn:5` an ensemble. A
line for each set: nats of test rows, the lead over the first flow, and CPU seconds of a
fit, each with its standard error over splits.
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

from tfp_flows import estimators
from tfp_flows.distributions.members import likely_weights
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
# Densities of before flows, as `--flows` calls them.
NETWORKS = {
    "gaussian": estimators.ConditionalGaussian,
    "mdn": estimators.MixtureDensityNetwork,
    "kmn": estimators.KernelMixtureNetwork,
}
# Draws of networks that CRPS are of.
DRAWS = 200


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
    forest = estimators.QuantileForest(random_state=seed).fit(x[train], y[train])
    nets = [rival(x[train], y[train], x[test], seed) for rival in RIVALS]
    step = 1.0 if np.all(y == np.round(y)) else 0.0
    figures = [
        model.score(x[test], y[test]),
        float(better.log_prob(y[test], x[test]).mean()),
        *(float(net.log_prob(y[test], step).mean()) for net in nets),
        float(model.crps(x[test], y[test]).mean()),
        *(crps(net.draws(DRAWS, seed), y[test]) for net in nets),
        float(forest.crps(x[test], y[test]).mean()),
    ]
    return figures, held


def flows_of_split(
    x: np.ndarray,
    y: np.ndarray,
    is_test: np.ndarray,
    seed: int,
    flows: Sequence[str],
    options: Any,
) -> np.ndarray:
    """Return nats of test rows and CPU seconds of each flow, `[2, F]`."""
    test, train = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    train = np.random.default_rng(seed).permutation(train)
    count = max(10, len(train) // 10)
    own, held_out = train[count:], train[:count]
    scores, seconds = [], []
    validated: list[np.ndarray] = []
    tested: list[np.ndarray] = []
    for flow in flows:
        start = time.process_time()
        if flow == "both":
            weights = np.log(likely_weights(np.stack(validated[:2])))[:, None]
            scores.append(np.logaddexp.reduce(np.stack(tested[:2]) + weights).mean())
            seconds.append(sum(seconds[:2]))
            continue
        name, _, members = flow.partition(":")
        kind = NETWORKS.get(name, ConditionalFlowDensity)
        given = {"random_state": seed, **options}
        if name not in NETWORKS:
            given["flow"] = name
        if members:
            given["options"] = {"members": int(members)}
        given["validation"] = (y[held_out], x[held_out])
        model = kind(**given).fit(x[own], y[own])
        seconds.append(time.process_time() - start)
        validated.append(model.log_prob(x[held_out], y[held_out]))
        tested.append(model.log_prob(x[test], y[test]))
        scores.append(tested[-1].mean())
    return np.array([scores, seconds])


def compare_flows(given: argparse.Namespace) -> None:
    """Print a line for each set and flow."""
    flows = given.flows.split(",")
    options = {k: v for k, v in QUICK.items() if k != "flow"} if given.smoke else {}
    print("set", "splits", "flow", "log_prob", "lead", "seconds", sep="\t", flush=True)
    for name, x, y, masks in tables(given):
        found = np.array(
            [
                flows_of_split(x, y, mask, seed, flows, options)
                for seed, mask in enumerate(masks)
            ]
        )
        scores, seconds = found[:, 0], found[:, 1]
        for i, flow in enumerate(flows):
            texts = [
                mean_and_error(one)
                for one in (scores[:, i], scores[:, i] - scores[:, 0], seconds[:, i])
            ]
            print(name, len(masks), flow, *texts, sep="\t", flush=True)


def mean_and_error(values: np.ndarray) -> str:
    """Return a mean with its standard error, where there is one."""
    if len(values) < 2:
        return f"{values.mean():.3f}"
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3f}±{error:.3f}"


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
    parser.add_argument("--flows", help="compare flows only, such as nsf-ar,maf-mol")
    given = parser.parse_args(arguments)
    _report.header("Regression: nats, CRPS, coverage of 90 % intervals", "scikit-learn")
    if given.flows:
        compare_flows(given)
        return
    print("set", "splits", *HEADS, "seconds", sep="\t", flush=True)
    options, pooled = (QUICK if given.smoke else {}), []
    for name, x, y, masks in tables(given):
        start = time.process_time()
        found = [split(x, y, mask, seed, options) for seed, mask in enumerate(masks)]
        figures = np.array([one for one, _ in found])
        held = np.concatenate([one for _, one in found], axis=1)
        pooled.append(held)
        texts = [mean_and_error(column) for column in figures.T]
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
