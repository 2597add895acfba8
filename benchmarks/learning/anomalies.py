"""AUROC of anomaly detectors on the tables of ADBench, one default for all tables.

    python benchmarks/learning/anomalies.py FOLDER [--sets 40_vowels] [--seeds 5]

Training rows are the first half of the normal ones, test rows all others (the protocol
of Livernoche et al., 2023, whose published figures stand beside). Sets of fewer than
1,000 rows are printed, but are not in the mean: there the published figures are of rows
that were drawn twice.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from tfp_flows.estimators import FlowAnomalyDetector

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


def main() -> None:
    """Print a row for each set, and the means over the large ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", help="names, comma-separated; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    known = published(given.folder)
    paths = sorted(given.folder.glob("*.npz"), key=lambda path: path.stat().st_size)
    chosen = given.sets.split(",") if given.sets else [path.stem for path in paths]
    print("set", "rows", *METHODS, *PUBLISHED, "seconds", sep="\t", flush=True)
    means = []
    for path in (path for path in paths if path.stem in chosen):
        train, test, odd = read(path)
        start, line = time.process_time(), []
        for name, method in METHODS.items():
            seeds = 1 if name == "neighbours" else given.seeds
            found = [
                100 * roc_auc_score(odd, method(train, test, s)) for s in range(seeds)
            ]
            error = np.std(found) / np.sqrt(seeds)
            line.append((np.mean(found), f"{np.mean(found):.1f}±{error:.1f}"))
        beside = [known.get((path.stem.split("_")[1], name)) for name in PUBLISHED]
        rows, texts = len(train) + len(test), [text for _, text in line]
        if rows >= LARGE:
            means.append([value for value, _ in line])
        seconds = f"{time.process_time() - start:.0f}"
        print(path.stem, rows, *texts, *beside, seconds, sep="\t", flush=True)
    if means:
        total = [f"{value:.1f}" for value in np.mean(means, axis=0)]
        print(f"mean of {len(means)} large sets", "", *total, sep="\t")


if __name__ == "__main__":
    main()
