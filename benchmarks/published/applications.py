"""What flows are used for: anomalies, signals, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from learning import anomalies as detection

import tfp_flows
from published.entries import DATA, Absent, Figure, entry, least, nll
from tfp_flows import datasets, flows
from tfp_flows.estimators import FlowAnomalyDetector


def score(train: np.ndarray, test: np.ndarray, seed: int, quick: bool) -> np.ndarray:
    """Return how odd rows are by the library's detector, of a greedy flow."""
    few: dict[str, Any] = {}
    if quick:
        few = {"epochs": 2, "options": {"num_bins": 16}}
    detector = FlowAnomalyDetector("rbig", random_state=seed, **few).fit(train)
    return -detector.score_samples(test)


@entry("anomaly-detection", "E16", "Livernoche et al. 2024, ADBench; anoflows")
def anomalies(quick: bool) -> Iterator[Figure]:
    """Sets of 1,000 rows or more; the first half of the normal rows is fitted to."""
    paths = sorted((DATA / "adbench").glob("*.npz"))
    if not paths:
        msg = f"no tables of ADBench in {DATA / 'adbench'}"
        raise Absent(msg)
    found = []
    for path in paths:
        train, test, odd = detection.read(path)
        if len(train) + len(test) < detection.LARGE:
            continue
        seeds = range(1 if quick else 2)
        train = train[: 200 if quick else None]
        each = [detection.auroc(odd, score(train, test, s, quick)) for s in seeds]
        found.append(float(np.mean(each)))
        yield Figure(f"{path.stem.split('_', 1)[1]}: AUROC", found[-1])
        if quick:
            return
    reference = "DTE-C 93.4, planar flow 84.9"
    yield least("mean AUROC", float(np.mean(found)), 92.0, reference)


def tables() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield names, rows and classes of what scikit-learn and the package have."""
    from sklearn import datasets as bundled

    digits = bundled.load_digits()
    yield "digits", digits.data, digits.target
    cancer = bundled.load_breast_cancer()
    yield "breast_cancer", cancer.data, 1 - cancer.target
    pictures, classes = datasets.fashion_mnist()
    yield "clothes", pictures.reshape(len(pictures), -1).astype(np.float64), classes
    path = DATA / "mnist" / "train.npz"
    if path.exists():
        with np.load(path) as data:
            key = next(k for k in data.files if k != "x")
            x, y = data["x"][:10_000], data[key][:10_000]
        yield "MNIST", x.reshape(len(x), -1).astype(np.float64), y


@entry("anomalies-in-features", "G10", "Kirichenko et al. 2020, features, not pixels")
def features(quick: bool) -> Iterator[Figure]:
    """16 principal components; the last class is odd, and half of the others fitted."""
    from sklearn import covariance, decomposition

    wins = count = 0
    for name, x, classes in tables():
        odd = classes == classes.max()
        normal = np.flatnonzero(~odd)
        order = np.random.default_rng(0).permutation(normal)
        half = len(order) // 2
        rows = np.concatenate([order[half:], np.flatnonzero(odd)])
        pca = decomposition.PCA(16, random_state=0).fit(x[order[:half]])
        train, test = pca.transform(x[order[:half]]), pca.transform(x[rows])
        ours = detection.auroc(odd[rows], score(train, test, 0, quick))
        gaussian = covariance.EmpiricalCovariance().fit(train)
        theirs = detection.auroc(odd[rows], gaussian.mahalanobis(test))
        wins += ours >= theirs
        count += 1
        reference = f"Mahalanobis {theirs:.1f}"
        yield Figure(f"{name}: AUROC", ours, reference=reference)
        if quick:
            return
    yield least(f"sets of {count} at least as good as Mahalanobis", wins, 3)


@entry("signals", "G12", "van den Oord et al. 2016, autoregressive models of sound")
def sines(quick: bool) -> Iterator[Figure]:
    """Two sines of random frequencies; causal convolutions over the times before."""
    x = datasets.sine_series(300 if quick else 4_000, seed=0)
    test = datasets.sine_series(2_000, seed=1_000).astype(np.float64)
    covariance = np.cov(x.T) + 1e-6 * np.eye(64)
    z = np.linalg.solve(np.linalg.cholesky(covariance), (test - x.mean(axis=0)).T)
    log_det = np.linalg.slogdet(covariance)[1]
    gaussian = 0.5 * (np.mean(np.sum(z**2, axis=0)) + log_det)
    gaussian += 32 * math.log(2 * math.pi)
    options = {"epochs": 1 if quick else 20, "batch_size": 128, "learning_rate": 3e-3}
    flow, _ = tfp_flows.fit(
        "series",
        x,
        transformer="affine",
        width=4 if quick else 64,
        seed=0,
        verbose=0,
        **options,
    )
    gain = gaussian - nll(flow, test)
    reference = f"Gaussian NLL {gaussian:.2f}"
    yield least("nats below a full Gaussian", gain, 5.0, reference)


@entry("multiscale-realnvp", "F2", "Dinh et al. 2016, multi-scale pictures")
def multiscale(quick: bool) -> Iterator[Figure]:
    """The packaged clothes, 150 of them held out, whatever else is in their batch."""
    x = datasets.fashion_mnist()[0]
    rows = np.random.default_rng(0).permutation(len(x))
    train, test = x[rows[150:]], x[rows[:150]]
    few = {"hidden_units": (8,)} if quick else {"hidden_units": (32, 32)}
    flow = flows.build("realnvp-image", x.shape[1:], seed=0, **few)
    before = float(flow.bits_per_dim(test).mean())
    options = {"epochs": 1 if quick else 20, "batch_size": 32}
    if quick:
        train = train[:64]
    flow, _ = tfp_flows.fit(flow, train, seed=0, verbose=0, validation=None, **options)
    bits = flow.bits_per_dim(test)
    reference = f"untrained {before:.3f}"
    yield Figure("bits per dimension", float(bits.mean()), before, reference=reference)
    noisy = flow.dequantize(test[:20], seed=0)
    alone = np.stack([flow.log_prob(noisy[i : i + 1])[0] for i in range(20)])
    per_nat = 1.0 / (math.prod(x.shape[1:]) * math.log(2.0))
    off = float(np.abs(flow.log_prob(noisy) - alone).max()) * per_nat
    yield Figure("change of bits with the batch", off, 1e-5, reference="0")
