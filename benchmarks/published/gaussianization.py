"""Gaussianization: RBIG, its rotations and marginals, radial maps, measures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import stats

import tfp_flows
from published.entries import DATA, Absent, Figure, entry, least, nll
from tfp_flows import datasets, information

DESTRUCTORS = "Inouye & Ravikumar 2018; destructive-deep-learning, examples"
FEW = {"epochs": 2, "num_bins": 16}


def fitted(x: np.ndarray, quick: bool, **options: Any) -> Any:
    """Return a greedy fit."""
    few = FEW if quick else {}
    return tfp_flows.fit("rbig", x, seed=0, verbose=0, **{**few, **options})[0]


def pair(toy: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to fit to and fresh ones."""
    return datasets.toy(toy, rows, 0), datasets.toy(toy, rows, 1)


@entry("sine-wave", "D1", "Laparra et al. 2011, RBIG, sine wave")
def sine_wave(quick: bool) -> Iterator[Figure]:
    """Splines and tables of the CDF as marginals."""
    x, test = pair("sin_wave", 300 if quick else 10_000)
    for marginals in ("spline", "table"):
        flow = fitted(x, quick, marginals=marginals, dtype="float64")
        what = f"marginals by {marginals}s: NLL"
        yield Figure(what, nll(flow, test), 1.52, reference="floor 1.4516")
        z = flow.bijector().inverse(test.astype(np.float64)).numpy()
        worst = min(stats.kstest(column, "norm").pvalue for column in z.T)
        yield least("smallest p of an axis (Kolmogorov-Smirnov)", worst, 0.01)
        back = flow.bijector().forward(tf.identity(z)).numpy()
        yield Figure("round trip, float64", np.abs(back - test).max(), 1e-10)


@entry("independent-components", "G2", "Chen & Gopinath 2000, Gaussianization")
def independent_components(quick: bool) -> Iterator[Figure]:
    """Rotations to independent components in every layer."""
    for toy, rows, bar in (
        ("sin_wave", 10_000, 1.52),
        ("concentric_circles", 1_000, 3.695),
    ):
        x, test = pair(toy, 200 if quick else rows)
        floor = f"floor {datasets.toy_entropy(toy):.4f}"
        loss = nll(fitted(x, quick, rotation="ica"), test)
        yield Figure(f"{toy}: NLL", loss, bar, reference=floor)


@entry("concentric-circles", "D4", DESTRUCTORS)
def concentric_circles(quick: bool) -> Iterator[Figure]:
    """1,000 rows; rotations at random, by principal or independent components.

    With each of them the fit may begin with a map of the radius, which the published
    system does not have; without it the last three were at 3.89 to 3.92.

    Their best published figure is 3.612, of trees.
    """
    x, test = pair("concentric_circles", 100 if quick else 1_000)
    for rotation in ("auto", "random", "pca", "ica"):
        start = time.perf_counter()
        flow = fitted(
            x, quick, **({} if rotation == "auto" else {"rotation": rotation})
        )
        seconds = time.perf_counter() - start
        name = "default rotations" if rotation == "auto" else f"rotations {rotation}"
        yield Figure(f"{name}: NLL", nll(flow, test), 3.695, reference="3.695")
        yield Figure(f"{name}: seconds of the fit", seconds, 15.0)


@entry("stretched-circles", "D5", "destructive-deep-learning, quickstart")
def stretched_circles(quick: bool) -> Iterator[Figure]:
    """500 rows in three folds."""
    x = datasets.toy("concentric_circles", 60 if quick else 500, 2) * [1.0, 2.0]
    folds = np.arange(len(x)) % 3
    losses = [nll(fitted(x[folds != k], quick), x[folds == k]) for k in range(3)]
    yield Figure("NLL of three folds", float(np.mean(losses)), 4.838, reference="4.838")


def heavy(rows: int, seed: int) -> np.ndarray:
    """Draw rows of a t law with 4 degrees of freedom in 8 dimensions."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 8)) / np.sqrt(rng.chisquare(4, size=(rows, 1)) / 4)


@entry("radial-gaussianization", "D9", "Lyu & Simoncelli 2009; lucastheis, radial maps")
def radial(quick: bool) -> Iterator[Figure]:
    """A t law of 8 dimensions, 20,000 rows: radii, then single columns."""
    x, test = (heavy(400 if quick else 20_000, seed) for seed in (0, 1))
    flow = fitted(x, quick)
    yield Figure("NLL", nll(flow, test), 13.06, reference="floor 13.0366")
    alone = fitted(x, quick, rotation="sliced", epochs=1)
    yield least("single columns alone: NLL", nll(alone, test), 13.3)
    z = flow.bijector().inverse(test.astype(np.float32)).numpy()
    options = {"flow": {"flow": "rbig", **FEW}} if quick else {}
    left = information.total_correlation(z, seed=0, **options)
    what = "total correlation left in base values, nats"
    yield Figure(what, abs(float(left)), 0.02, reference="0")


@entry("modes", "G1", "Grathwohl et al. 2019, 8 Gaussians; a grid of 25")
def modes(quick: bool) -> Iterator[Figure]:
    """Every mode gets its share of the samples."""
    from sklearn import cluster

    rows = 300 if quick else 10_000
    for toy, count in (("8gaussians", 8), ("25gaussians", 25)):
        x, test = pair(toy, rows)
        flow = fitted(x, quick)
        gap = nll(flow, test) - datasets.toy_entropy(toy)
        yield Figure(f"{toy}: gap to the entropy", gap, 0.07, reference="0")
        centres = cluster.KMeans(count, n_init=10, random_state=0).fit(x)
        samples = flow.sample(rows, seed=0).numpy().astype(x.dtype)
        share = np.bincount(centres.predict(samples), minlength=count) / rows * count
        yield least("least share of a mode over its own", share.min(), 0.75)
        yield Figure("largest share of a mode over its own", share.max(), 1.25)


def patches(part: str, rows: int, seed: int) -> np.ndarray:
    """Return logs of 4 x 4 pixels, the middle of patches of 8 x 8, `[N, 16]`."""
    path = DATA / "bsds300_patches" / f"{part}.npz"
    if not path.exists():
        msg = f"no patches of BSDS300 in {path}"
        raise Absent(msg)
    rng = np.random.default_rng(seed)
    with np.load(path) as data:
        pixels = data["u8"]
    chosen = pixels[rng.permutation(len(pixels))[:rows]]
    inner = chosen.reshape(-1, 8, 8)[:, 2:6, 2:6].reshape(len(chosen), 16)
    return np.log(inner + rng.random(inner.shape) + 1.0)


def whitened(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both parts centred and whitened by the first; log-dets cancel in gains."""
    mean = train.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(train.T))
    white = vectors / np.sqrt(values)
    return tuple(((x - mean) @ white).astype(np.float32) for x in (train, test))


def clustered(
    train: np.ndarray, fits: Any, quick: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the log-density of a mixture with a radial fit for each cluster."""
    labels = fits.predict(train)
    parts = []
    for k in range(fits.n_components):
        own = train[labels == k]
        if len(own) < 10 * train.shape[1]:
            continue
        flow = fitted(own, quick, epochs=1)
        parts.append((math.log(len(own) / len(train)), flow))
    # Members of clusters that are left out belong to the others.
    total = np.logaddexp.reduce([weight for weight, _ in parts])

    def log_prob(x: np.ndarray) -> np.ndarray:
        each = [weight - total + flow.log_prob(x).numpy() for weight, flow in parts]
        return np.logaddexp.reduce(each, axis=0)

    return log_prob


@entry("patches-of-images", "D10", "lucastheis, mixtures of Gaussian scale mixtures")
def patches_of_images(quick: bool) -> Iterator[Figure]:
    """Log pixels, centred and whitened, 16 of them; gains over a full Gaussian."""
    from sklearn import mixture

    rows = 600 if quick else 20_000
    train, test = whitened(patches("train", rows, 0), patches("val", rows, 1))

    def gaussians(count: int) -> mixture.GaussianMixture:
        found = mixture.GaussianMixture(count, random_state=0, reg_covar=1e-5)
        return found.fit(train.astype(np.float64))

    base = gaussians(1).score(test)
    options = {"epochs": 2, "batch_size": 100} if quick else {}
    scale, _ = tfp_flows.fit(
        "linear", train, base="scale-mixture", seed=0, verbose=0, **options
    )
    what = "scale mixture over the Gaussian, nats"
    yield least(what, -nll(scale, test) - base, 1.0)
    radii = fitted(train, quick, epochs=1)
    what = "one radial layer over the Gaussian, nats"
    yield least(what, -nll(radii, test) - base, 1.0)
    count = 2 if quick else 5
    plain = gaussians(count + 1).score(test)
    yield Figure(f"mixture of {count + 1} Gaussians over the Gaussian", plain - base)
    density = clustered(train, gaussians(count), quick)
    gain = float(np.mean(density(test))) - plain
    what = f"{count} clusters, each Gaussianized, over that mixture, nats"
    yield least(what, gain, 0.0)


@entry("information-measures", "D11", "Laparra et al. 2020, information by RBIG")
def measures(quick: bool) -> Iterator[Figure]:
    """Exact values within 3 % or .05 nat."""
    rows = 300 if quick else 10_000
    options = {"flow": {"flow": "rbig", **FEW}} if quick else {}
    rng = np.random.default_rng(0)

    def off(kind: str, truth: float, *samples: np.ndarray) -> float:
        found = getattr(information, kind)(*samples, seed=0, **options)
        return abs(float(found) - truth)

    root = rng.normal(size=(10, 10)) / np.sqrt(10) + 0.5 * np.eye(10)
    x = rng.normal(size=(rows, 10)) @ root.T
    half = np.linalg.slogdet(root)[1]
    joint = 5.0 * math.log(2.0 * math.pi * math.e) + half
    single = 0.5 * float(np.log(np.sum(root**2, axis=1)).sum())
    cube = rng.uniform(-1.0, 1.0, size=(rows, 10))
    for name, kind, truth, bar, samples in (
        ("entropy, normal, d=10", "entropy", joint, 0.03 * joint, (x,)),
        (
            "total correlation, normal, d=10",
            "total_correlation",
            single - half,
            0.03 * (single - half),
            (x,),
        ),
        ("entropy, cube, d=10", "entropy", 6.9315, 0.208, (cube,)),
        ("total correlation, cube, d=10", "total_correlation", 0.0, 0.05, (cube,)),
        (
            "total correlation, t(4), d=8, four times the rows",
            "total_correlation",
            0.41747,
            0.03,
            (heavy(4 * rows, 0),),
        ),
        (
            "divergence of N(1, 1) from N(0, 2)",
            "kl_divergence",
            0.4431,
            0.02,
            (rng.normal(1, 1, rows), rng.normal(0, 2, rows)),
        ),
    ):
        error = off(kind, truth, *samples)
        yield Figure(f"error of the {name}", error, bar, reference=f"{truth:.4f}")
        if quick:
            return
