"""The deep copula of MNIST: marginals and rotations, without gradients."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from published.entries import DATA, Absent, Figure, entry, least
from tfp_flows import bijectors as maps
from tfp_flows import datasets
from tfp_flows.math.gaussianization import cdf_tables, histograms
from tfp_flows.math.linear import rotations

ALPHA, VALUES = 1e-6, 256
# Added to the count of each value; and the share of the identity in covariances.
PSEUDO_COUNTS, SHRINKAGE = 0.5, 0.01
# Rows at once: bounds the memory.
BLOCK = 2_000
# Axis and offset of pairs, in turn.
DIRECTIONS = ((1, 0), (0, 0), (1, 1), (0, 1))
LAYERS, LEAST = 12, 0.1
SOURCE = "Inouye & Ravikumar 2018, deep copula of MNIST"


def pixels(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return pixels with noise, `[N, D]`, and log-dets of the map from logits."""
    x = images.reshape(len(images), -1)
    out, log_det = np.empty(x.shape, np.float32), np.empty(len(x))
    scale = (1 - 2 * ALPHA) / VALUES
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        noisy = rows + rng.random(rows.shape)
        u = ALPHA + scale * noisy
        out[start : start + BLOCK] = noisy
        slopes = np.log(u) + np.log1p(-u) - math.log(scale)
        log_det[start : start + BLOCK] = slopes.sum(axis=1)
    return out, log_det


def marginals(x: np.ndarray) -> maps.Bijector:
    """Return the first layer, from counts of values: exact for pixels with noise."""
    counts = sum(
        histograms.histogram(x[i : i + BLOCK], 0, VALUES, VALUES)
        for i in range(0, len(x), BLOCK)
    )
    masses = cdf_tables.log_masses(counts, PSEUDO_COUNTS)
    low = np.zeros(x.shape[1])
    tables = (tf.constant(part, tf.float32) for part in (low, low + VALUES, masses))
    return maps.MarginalGaussianize(*tables)


def layer(x: np.ndarray, kind: str, number: int) -> maps.Bijector:
    """Return a linear map and marginal splines behind it.

    `symmetric` rotates to principal components, scales, and rotates back, so that
    features stay local, as pixels are; `pairs` takes sums and differences of
    neighbours.
    """
    if kind == "pairs":
        side = math.isqrt(x.shape[1])
        axis, offset = DIRECTIONS[(number - 1) % len(DIRECTIONS)]
        found = rotations.neighbours(side, side, axis=axis, offset=offset)
        linear = [rotation(found.T)]
    else:
        covariance = (1 - SHRINKAGE) * np.cov(x.T) + SHRINKAGE * np.eye(x.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        linear = [rotation(vectors)]
        if kind == "symmetric":
            parts = (vectors.T @ x.mean(axis=0), np.sqrt(values))
            scale = maps.Standardize(*(tf.constant(p, tf.float32) for p in parts))
            linear += [scale, rotation(vectors.T)]
    spline = maps.MarginalSpline.from_samples(apply(x, maps.Chain(linear))[0])
    return maps.Chain([*linear, spline])


def rotation(matrix: np.ndarray) -> maps.Rotation:
    """Return the map whose inverse multiplies by the transpose."""
    return maps.Rotation(tf.constant(matrix, tf.float32))


def apply(x: np.ndarray, bijector: maps.Bijector) -> tuple[np.ndarray, np.ndarray]:
    """Return base values behind a layer, and log-dets."""
    out, log_det = np.empty_like(x), np.empty(len(x))
    for start in range(0, len(x), BLOCK):
        z, step = bijector.inverse_and_log_det(x[start : start + BLOCK])
        out[start : start + BLOCK] = z
        log_det[start : start + BLOCK] = step
    return out, log_det


def log_prob(z: np.ndarray, log_det: np.ndarray) -> float:
    """Return the mean log-density of images with base values, in nats."""
    constant = 0.5 * z.shape[1] * math.log(2 * math.pi)
    square = np.einsum("ij,ij->i", z, z, dtype=np.float64)
    return float(np.mean(log_det - 0.5 * square - constant))


def images(quick: bool) -> np.ndarray:
    """Return the training images of MNIST, or few of clothes."""
    if quick:
        return datasets.fashion_mnist()[0][:300, ::4, ::4]
    path = DATA / "mnist" / "train.npz"
    if not path.exists():
        msg = f"no MNIST in {path}"
        raise Absent(msg)
    return datasets.read_images(path)


def copula(quick: bool, kinds: Sequence[str], most: int) -> Iterator[float]:
    """Yield the log-likelihood of test images behind each layer with a rotation.

    The last 10,000 of the training images are held out; their first half says when to
    stop and the other one is scored. What is worse than before is not yielded.
    """
    x = images(quick)
    held_out = len(x) // 6
    rng = np.random.default_rng(0)
    ends = (0, len(x) - held_out, len(x) - held_out // 2, len(x))
    parts = [pixels(x[i:j], rng) for i, j in itertools.pairwise(ends)]
    best = -math.inf
    turns = itertools.cycle(kinds)
    for number in range(most + 1):
        train = parts[0][0]
        found = layer(train, next(turns), number) if number else marginals(train)
        moved = [(apply(z, found), log_det) for z, log_det in parts]
        parts = [(z, log_det + step) for (z, step), log_det in moved]
        _, stop, test = (log_prob(*part) for part in parts)
        if number and stop <= best:
            return
        if number:
            yield test
        if stop - best < LEAST:
            return
        best = stop


@entry("deep-copula-of-mnist", "D6", SOURCE)
def deep_copula(quick: bool) -> Iterator[Figure]:
    """Symmetric rotations and pairs of neighbours in turn, until nothing is gained."""
    start = time.process_time()
    found = list(copula(quick, ("symmetric", "pairs"), 1 if quick else LAYERS))
    seconds = time.process_time() - start
    published = "-1060.3"
    what = "after one layer: log-likelihood"
    yield least(what, found[0], -1060.3, reference=published)
    yield least("after the last layer", found[-1], -1035.0, reference="-1035")
    yield Figure("CPU seconds", seconds, 600.0)
    found = list(copula(quick, ("pca",), 1))
    what = "principal components, one layer"
    yield least(what, found[0], -1060.3, reference=published)


@entry("pairs-of-pixels", "D7", "Inouye & Ravikumar 2018, image pairs")
def pairs(quick: bool) -> Iterator[Figure]:
    """Sums and differences of neighbours, one direction."""
    found = list(copula(quick, ("pairs",), 1))
    what = "after one direction: log-likelihood"
    yield least(what, found[0], -1155.5, reference="-1155.5")
