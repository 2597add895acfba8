"""AUROC of anomaly detectors on the tables of ADBench, one default for all tables.

    python benchmarks/learning/anomalies.py [FOLDER] [--sets 40_vowels] [--seeds 5]

Training rows are the first half of the normal ones, test rows all others (the protocol
of Livernoche et al., 2023, whose published figures stand beside). Sets of fewer than
1,000 rows are printed, but are not in the mean: there the published figures are of rows
that were drawn twice.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from tfp_flows.estimators import FlowAnomalyDetector

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "adbench"
LARGE = 1_000
NEIGHBOURS = 5
PUBLISHED = ("DTE-C", "KNN", "PlanarFlow")


def flow_scores(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Return scores of the default detector, in the table's own units."""
    detector = FlowAnomalyDetector(random_state=seed).fit(train)
    return -detector.score_samples(test)


def neighbour_scores(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Return distances to the fifth neighbour, of standardised columns."""
    del seed
    scaler = StandardScaler().fit(train)
    found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(scaler.transform(train))
    return found.kneighbors(scaler.transform(test))[0][:, -1]


def forest_scores(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Return scores of an isolation forest."""
    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "flow": flow_scores,
    "neighbours": neighbour_scores,
    "forest": forest_scores,
}


def auroc(odd: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUROC in per cent; rows without density have infinite scores.

    Args:
        odd: Which rows are anomalies, 0 or 1.
        scores: How odd the rows are; only their order counts.
    """
    if np.isnan(scores).any():
        msg = f"`scores` must be numbers, got NaN in {np.isnan(scores).sum()} rows."
        raise ValueError(msg)
    return 100.0 * float(roc_auc_score(odd, rankdata(scores)))


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training rows, test rows, and which of these are anomalies."""
    with np.load(path, allow_pickle=False) as found:
        x, y = found["X"].astype(np.float64), found["y"]
    normal, odd = x[y == 0], x[y == 1]
    half = round(len(normal) / 2)
    train = normal[:half]
    # Nothing has a density along a column that the training rows have not varied.
    varying = np.ptp(train, axis=0) > 0
    test = np.concatenate([normal[half:], odd])[:, varying]
    return train[:, varying], test, np.repeat([0, 1], [len(normal) - half, len(odd)])


def published(folder: Path) -> dict[tuple[str, str], float]:
    """Return published figures by set and method."""
    with (folder / "published_aucroc.csv").open() as file:
        return {
            (row["dataset"], row["method"]): float(row["mean"])
            for row in csv.DictReader(file)
        }


def smoke(seed: int) -> None:
    """Print the row of a small Gaussian table with anomalies at integers' ends."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=150), rng.integers(1, 6, size=150)])
    x[100:] += 5.0
    quick = {"epochs": 1, "fit_arguments": {"jit_compile": False}}
    detector = FlowAnomalyDetector("linear", random_state=seed, **quick).fit(x[:80])
    found = [
        -detector.score_samples(x[80:]),
        neighbour_scores(x[:80], x[80:], seed),
        forest_scores(x[:80], x[80:], seed),
    ]
    odd = np.repeat([0, 1], [20, 50])
    texts = [f"{auroc(odd, scores):.1f}" for scores in found]
    print("smoke", len(x), *texts, sep="\t", flush=True)


def row(path: Path, seeds: int) -> tuple[int, list[float], list[str]]:
    """Return how many rows a set has, and means and texts of the methods."""
    train, test, odd = read(path)
    means, texts = [], []
    for name, method in METHODS.items():
        count = 1 if name == "neighbours" else seeds
        found = [auroc(odd, method(train, test, seed)) for seed in range(count)]
        error = np.std(found, ddof=1) / np.sqrt(count) if count > 1 else np.nan
        means.append(float(np.mean(found)))
        texts.append(f"{means[-1]:.1f}" + (f"±{error:.1f}" if count > 1 else ""))
    return len(train) + len(test), means, texts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each set, and the means over the large ones."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--sets", help="names, comma-separated; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    given: argparse.Namespace = parser.parse_args(arguments)
    _report.header("Anomalies: AUROC in per cent", "scikit-learn")
    print("set", "rows", *METHODS, *PUBLISHED, "seconds", sep="\t", flush=True)
    if given.smoke:
        smoke(0)
        return
    known = published(given.folder)
    paths = sorted(given.folder.glob("*.npz"), key=lambda path: path.stat().st_size)
    chosen = given.sets.split(",") if given.sets else [path.stem for path in paths]
    large = []
    for path in (path for path in paths if path.stem in chosen):
        start = time.process_time()
        rows, means, texts = row(path, given.seeds)
        if rows >= LARGE:
            large.append(means)
        name = path.stem.split("_")[1]
        beside = [known.get((name, method), "-") for method in PUBLISHED]
        seconds = f"{time.process_time() - start:.0f}"
        print(path.stem, rows, *texts, *beside, seconds, sep="\t", flush=True)
    if large:
        total = [f"{value:.1f}" for value in np.mean(large, axis=0)]
        print(f"mean of {len(large)} large sets", "", *total, sep="\t")


if __name__ == "__main__":
    main()
