"""Densities and forecasts of short signals: a flow of series beside Gaussians.

    python benchmarks/learning/series.py [--seeds 3] [--rows 4000] [--epochs 20]

Signals are sums of two sines of random frequencies and phases with noise of 0.1, 64
times each (`datasets.sine_series`). Printed for 2,000 new ones are nats per signal, and
for 100 of them the CRPS of the last 16 times given the first 48, a mean over times, of
100 draws. Beside the flow `series` (affine steps, and by itself splines) stand `maf`, a
Gaussian with full covariance, and a mixture of ten; forecasts of both Gaussians are the
conditional ones. Noise alone has an entropy of -56.55 nats, which no model reaches
that has to find the frequencies first.
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
from scipy import special, stats
from sklearn.mixture import GaussianMixture

import tfp_flows as tfpf

LENGTH, PAST, DRAWS = 64, 48, 100
TEST, FORECASTS = 2_000, 100
# Gained over the Gaussian, at least.
BAR = 5.0
FLOWS: dict[str, tuple[str, dict[str, Any]]] = {
    "series, affine": ("series", {"transformer": "affine", "width": 64}),
    "series, splines": ("series", {"width": 64}),
    "maf": ("maf", {"hidden_units": (256, 256)}),
}
Model = tuple[np.ndarray, np.ndarray | None]


def of_flow(
    name: str, train: np.ndarray, test: np.ndarray, seed: int, epochs: int
) -> Model:
    """Return log-densities, and draws of the ends of the first series, of a flow."""
    kind, options = FLOWS[name]
    flow, _ = tfpf.fit(
        kind,
        train,
        epochs=epochs,
        batch_size=128,
        learning_rate=3e-3,
        seed=seed,
        verbose=0,
        **options,
    )
    draws = None
    if kind == "series":
        past = test[:FORECASTS, :PAST]
        draws = np.asarray(flow.forecast(past, DRAWS, seed=seed))
    return np.asarray(flow.log_prob(test), np.float64), draws


def of_mixture(
    components: int, train: np.ndarray, test: np.ndarray, seed: int
) -> Model:
    """Return log-densities, and draws of the ends of the first series, of Gaussians."""
    model = GaussianMixture(components, reg_covar=1e-4, random_state=seed).fit(train)
    past = test[:FORECASTS, :PAST].astype(np.float64)
    rng = np.random.default_rng(seed)
    weights, means, factors = [], [], []
    for share, mean, covariance in zip(
        model.weights_, model.means_, model.covariances_, strict=True
    ):
        own, cross = covariance[:PAST, :PAST], covariance[PAST:, :PAST]
        gain = np.linalg.solve(own, cross.T).T
        normal = stats.multivariate_normal(mean[:PAST], own)
        weights.append(np.log(share) + normal.logpdf(past))
        means.append(mean[PAST:] + (past - mean[:PAST]) @ gain.T)
        factors.append(np.linalg.cholesky(covariance[PAST:, PAST:] - gain @ cross.T))
    shares = special.softmax(np.stack(weights, axis=1), axis=1)
    levels = rng.uniform(size=(DRAWS, len(past), 1))
    chosen = np.minimum((levels > np.cumsum(shares, axis=1)).sum(-1), components - 1)
    noise = rng.normal(size=(DRAWS, len(past), LENGTH - PAST))
    each = np.stack(means)[chosen, np.arange(len(past))]
    draws = each + np.einsum("dnij,dnj->dni", np.stack(factors)[chosen], noise)
    return model.score_samples(test), draws


def crps(draws: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean score of draws `[S, N, T]` of numbers `[N, T]`."""
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    weights = (2.0 * np.arange(count) + 1.0 - count) / (count * (count - 1.0))
    spread = np.tensordot(weights, ordered, axes=1)
    return float((np.abs(draws - truth).mean(axis=0) - spread).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each model: means over seeds with standard errors."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--models", help="names, separated by semicolons; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=20)
    given: argparse.Namespace = parser.parse_args(arguments)
    _report.header("Signals: nats and forecasts", "scikit-learn")
    models: dict[str, Callable[[np.ndarray, np.ndarray, int], Model]] = {
        "Gaussian": lambda x, test, seed: of_mixture(1, x, test, seed),
        "ten Gaussians": lambda x, test, seed: of_mixture(10, x, test, seed),
    }
    epochs, rows, seeds, size = given.epochs, given.rows, given.seeds, TEST
    for name in FLOWS:
        models[name] = lambda x, test, seed, name=name: of_flow(
            name, x, test, seed, epochs
        )
    names = given.models.split(";") if given.models else [*models]
    if given.smoke:
        names, epochs, rows, seeds, size = ["series, affine"], 1, 200, 1, 20
        FLOWS["series, affine"][1]["width"] = 4
    if unknown := sorted(set(names) - set(models)):
        parser.error(f"unknown: {', '.join(unknown)}; have: {', '.join(models)}")
    names = ["Gaussian", *(name for name in names if name != "Gaussian")]
    print("model", "nats", "below the Gaussian", "CRPS", "CPU s", sep="\t")
    gaussian = np.zeros([seeds, 1])
    for name in names:
        start, found = time.process_time(), []
        for seed in range(seeds):
            train = tfpf.datasets.sine_series(rows, LENGTH, seed=seed)
            test = tfpf.datasets.sine_series(size, LENGTH, seed=1_000 + seed)
            log_probs, draws = models[name](train, test, seed)
            truth = test[:FORECASTS, PAST:]
            score = np.nan if draws is None else crps(draws, truth)
            found.append((-log_probs.mean(), score))
        figures = np.array(found)
        if name == "Gaussian":
            gaussian = figures[:, :1]
        gain = gaussian - figures[:, :1]
        cells = [cell(values) for values in (figures[:, 0], gain[:, 0], figures[:, 1])]
        print(name, *cells, f"{time.process_time() - start:.0f}", sep="\t", flush=True)
        if name.startswith("series") and not given.smoke:
            reached = _report.verdict(float(gain.mean()), BAR, at_least=True)
            print(f"  {BAR:.0f} nats below the Gaussian: {reached}", flush=True)


def cell(values: np.ndarray) -> str:
    """Return a mean with its standard error, or a dash."""
    if np.isnan(values).any():
        return "-"
    text = f"{values.mean():.3f}"
    if len(values) > 1:
        text += f" +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
    return text


if __name__ == "__main__":
    main()
