"""Pictures given their class: a masked autoregressive flow beside Gaussians.

    python benchmarks/learning/class_conditional.py [--seeds 3] [--picture rows.png]

scikit-learn's digits, three quarters to fit, others for each seed from 1 on; pixels get
uniform noise and become logits, `logit(1e-6 + (1 - 2e-6) * x)`, as in the paper.
Printed for test rows are nats of the logits given the class, bits per pixel, and how
often the class of the highest density is the true one. Beside the flow with a condition
stand the same flow without, a Gaussian for each class, and one for all, both with
covariances that are shrunk (Ledoit & Wolf). Options of the flow were chosen, among
four, by seed 0. `--picture` draws a row of samples of each class.

`--images mnist` reads `mnist/train.npz` in `--data`: the last 10,000 rows are the test,
and the published figure is -1268 for `--layers 5 --hidden 1024 --rows 50000`, hours on
a processor; fewer rows and units run in minutes.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from scipy import special, stats
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tfp_flows as tfpf

ALPHA = 1e-6
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
# Rows of which all ten densities are asked for.
CLASSIFIED = 2_000
ONE_HOT = np.eye(10, dtype=np.float32)
# From rows and classes to the log-densities of rows of each class, `[N, 10]`.
LogProb = Callable[[np.ndarray], np.ndarray]


def logits(
    x: np.ndarray, levels: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of pixels with noise, and log-dets of pixels to them."""
    scale = (1.0 - 2.0 * ALPHA) / levels
    u = ALPHA + scale * (x + rng.uniform(size=x.shape))
    log_det = -(np.log(u) + np.log1p(-u) - math.log(scale)).sum(axis=1)
    return (np.log(u) - np.log1p(-u)).astype(np.float32), log_det


def read(given: argparse.Namespace, seed: int) -> tuple[np.ndarray, ...]:
    """Return rows and classes to fit, and those to test."""
    if given.images == "digits":
        x, y = load_digits(return_X_y=True)
        train, test, y_train, y_test = train_test_split(
            x, y, test_size=0.25, random_state=seed, stratify=y
        )
    else:
        with np.load(given.data / "mnist" / "train.npz") as found:
            x, y = found["x"].reshape(60_000, -1).astype(float), found["y"]
        train, test, y_train, y_test = x[:50_000], x[50_000:], y[:50_000], y[50_000:]
    rows = np.random.default_rng(seed).permutation(len(train))[: given.rows]
    return train[rows], y_train[rows], test, y_test


def fitted(
    x: np.ndarray, y: np.ndarray | None, seed: int, given: argparse.Namespace
) -> tfpf.flows.Flow:
    """Fit a flow of rows, given classes unless there are none."""
    conditions = () if y is None else (ONE_HOT[y],)
    return tfpf.fit(
        "maf",
        x,
        *conditions,
        columns="continuous",
        noise=0.3,
        num_layers=given.layers,
        hidden_units=(given.hidden,),
        dropout=0.3,
        epochs=given.epochs,
        batch_size=100,
        learning_rate=2e-3,
        seed=seed,
        verbose=0,
    )[0]


def of_flow(
    x: np.ndarray, y: np.ndarray | None, seed: int, given: argparse.Namespace
) -> LogProb:
    """Return the log-densities of a flow."""
    flow = fitted(x, y, seed, given)

    def log_probs(rows: np.ndarray) -> np.ndarray:
        if y is None:
            return np.asarray(flow.predict(rows, verbose=0), np.float64)[:, None]
        each = [np.repeat(ONE_HOT[[k]], len(rows), axis=0) for k in range(10)]
        found = [flow.predict({"x": rows, "condition": c}, verbose=0) for c in each]
        return np.stack(found, axis=1).astype(np.float64)

    return log_probs


def gaussians(x: np.ndarray, y: np.ndarray | None) -> LogProb:
    """Fit a Gaussian to the rows of each class, or one to all."""
    parts = [x] if y is None else [x[y == k] for k in range(10)]
    fits = [LedoitWolf().fit(part.astype(np.float64)) for part in parts]
    normals = [
        stats.multivariate_normal(fit.location_, fit.covariance_, allow_singular=True)
        for fit in fits
    ]
    return lambda rows: np.stack([one.logpdf(rows) for one in normals], axis=1)


def figures(
    log_probs: LogProb, x: np.ndarray, y: np.ndarray, log_det: np.ndarray
) -> tuple[float, float, float]:
    """Return nats of logits, bits per pixel, and the share of classes that are found.

    Asked of the first rows of each class only, where there are many.
    """
    logit_nats, pixel_nats, found = [], [], []
    for k in range(10):
        own = np.flatnonzero(y == k)[: CLASSIFIED // 10]
        table = log_probs(x[own])
        is_given = table.shape[1] == 10
        logit_nats.append(table[:, k if is_given else 0])
        pixel_nats.append(logit_nats[-1] + log_det[own])
        if is_given:
            found.append(table.argmax(axis=1) == k)
    share = 100.0 * float(np.concatenate(found).mean()) if found else np.nan
    bits = -np.concatenate(pixel_nats).mean() / (x.shape[1] * math.log(2.0))
    return float(np.concatenate(logit_nats).mean()), float(bits), share


def draw(flow: tfpf.flows.Flow, levels: int, side: int, path: Path) -> None:
    """Write a picture of ten samples of each class."""
    from tfp_flows import plots

    x = np.swapaxes(np.asarray(flow.sample(10, ONE_HOT, seed=0), np.float64), 0, 1)
    pixels = np.floor(levels * special.expit(x)).reshape(10, 10, side, side, 1)
    ax = plots.image_grid(pixels, max_value=levels - 1.0)
    ax.figure.savefig(path, dpi=100, bbox_inches="tight")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each model: means over seeds with standard errors."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--images", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, help="to fit; default: all")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args(arguments)
    if given.smoke:
        given.rows, given.hidden, given.epochs, given.seeds = 200, 8, 1, 1
    _report.header("Pictures given their class", "scikit-learn")
    levels, side = (17, 8) if given.images == "digits" else (256, 28)
    table: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(1, given.seeds + 1):
        train, y, test, y_test = read(given, seed)
        rng = np.random.default_rng(seed)
        x, _ = logits(train, levels, rng)
        new, log_det = logits(test, levels, rng)
        models: dict[str, Callable[[], LogProb]] = {
            "maf given the class": partial(of_flow, x, y, seed, given),
            "maf": partial(of_flow, x, None, seed, given),
            "a Gaussian for each class": partial(gaussians, x, y),
            "one Gaussian": partial(gaussians, x, None),
        }
        for name, model in models.items():
            start = time.process_time()
            found = figures(model(), new, y_test, log_det)
            spent = time.process_time() - start
            table.setdefault(name, []).append((*found, spent))
    print("model", "nats of logits", "bits/pixel", "class found, %", "CPU s", sep="\t")
    for name, rows in table.items():
        values = np.array(rows)
        cells = [f"{mean:.2f}" for mean in values[:, :3].mean(axis=0)]
        if len(values) > 1:
            errors = values[:, :3].std(axis=0, ddof=1) / np.sqrt(len(values))
            cells = [f"{c} +- {e:.2f}" for c, e in zip(cells, errors, strict=True)]
        cells = ["-" if "nan" in text else text for text in cells]
        print(name, *cells, f"{values[:, 3].mean():.0f}", sep="\t", flush=True)
    if given.picture:
        draw(fitted(x, y, given.seeds, given), levels, side, given.picture)


if __name__ == "__main__":
    main()
