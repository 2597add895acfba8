"""Deep copula of MNIST: marginals and rotations, without gradients.

The pixels of MNIST, with uniform noise, as logits of `(x + noise) / 256` squeezed into
`[1e-6, 1 - 1e-6]`, as in the paper on MAF; densities are those of the logits.

Layer 0 makes the marginals normal by histograms of the 256 values of a pixel, which
noise makes the exact form of the law. Each further layer is a linear map and marginal
splines from counts smoothed as ratios to the normal law, those of
`MarginalSpline.from_samples`. `--rotations` names the linear maps, in turn:

- `symmetric`: a rotation to principal components, their scales, and the same rotation
  back, so that features stay local, as pixels are;
- `pca`: principal components;
- `pairs`: neighbouring pixels, their sum and difference; side by side, below each
  other, and both again with an offset of a pixel.

Layers are added until rows held out gain less than `--least` nats. A tenth of the
60,000 training images is held out, a half of it to stop by and the other half for the
figures.

MNIST is not part of the package: `--data` names its `.npz` file (arrays `x`).

With `--out FOLDER`: samples, and images along straight lines between the base values of
two digits.

Run `python benchmarks/mnist_copula.py` (some minutes; 2 GB of memory).
"""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import _report
import numpy as np
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import datasets, plots
from tfp_flows.math.gaussianization import cdf_tables, histograms
from tfp_flows.math.linear import rotations

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist" / "train.npz"
ALPHA = 1e-6
# Row D6: nats per image after one layer, after stopping, and seconds for all.
ONE_LAYER, STOPPED, SECONDS = -1060.3, -1035.0, 600.0
# Row D7: after one direction of pairs.
PAIRS = -1155.5
VALUES = 256
# Added to the count of each value; and the share of the identity in covariances.
PSEUDO_COUNTS, SHRINKAGE = 0.5, 0.01
# Rows at once: bounds the memory.
BLOCK = 2_000
ROTATIONS = ("symmetric", "pca", "pairs")
DEFAULT = ("symmetric", "pairs")
# Axis and offset of pairs, in turn.
DIRECTIONS = ((1, 0), (0, 0), (1, 1), (0, 1))


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
    """Return the map of layer 0, from the counts of the values of pixels."""
    counts = sum(
        histograms.histogram(x[i : i + BLOCK], 0, VALUES, VALUES)
        for i in range(0, len(x), BLOCK)
    )
    masses = cdf_tables.log_masses(counts, PSEUDO_COUNTS)
    low = np.zeros(x.shape[1])
    tables = (tf.constant(part, tf.float32) for part in (low, low + VALUES, masses))
    return maps.MarginalGaussianize(*tables)


def layer(x: np.ndarray, kind: str, number: int) -> maps.Bijector:
    """Return a linear map and marginal splines behind it, for rows on their way."""
    if kind == "pairs":
        side = math.isqrt(x.shape[1])
        axis, offset = DIRECTIONS[(number - 1) % len(DIRECTIONS)]
        turn = rotations.neighbours(side, side, axis=axis, offset=offset)
        linear = [rotation(turn.T)]
    else:
        covariance = (1 - SHRINKAGE) * np.cov(x.T) + SHRINKAGE * np.eye(x.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        linear = [rotation(vectors)]
        if kind == "symmetric":
            parts = (vectors.T @ x.mean(axis=0), np.sqrt(values))
            scale = maps.Standardize(*(tf.constant(p, tf.float32) for p in parts))
            linear += [scale, rotation(vectors.T)]
    chain = maps.Chain(linear)
    spline = maps.MarginalSpline.from_samples(apply(x, chain)[0])
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


def images_of(z: np.ndarray, layers: Sequence[maps.Bijector], side: int) -> np.ndarray:
    """Return raw pixels, `[N, side, side, 1]`, of base values."""
    x = maps.Chain(layers).forward(tf.constant(z, tf.float32)).numpy()
    return np.clip(np.floor(x), 0, VALUES - 1).reshape(-1, side, side, 1)


def log_prob(z: np.ndarray, log_det: np.ndarray) -> float:
    """Return the mean log-density of images with base values, in nats."""
    constant = 0.5 * z.shape[1] * math.log(2 * math.pi)
    square = np.einsum("ij,ij->i", z, z, dtype=np.float64)
    return float(np.mean(log_det - 0.5 * square - constant))


def draw(
    folder: Path, layers: list[maps.Bijector], z: np.ndarray, side: int, seed: int
) -> None:
    """Write samples, and a walk between base values of images."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(size=(64, side * side))
    sheet = images_of(noise, layers, side)
    plots.image_grid(sheet, num_columns=8).figure.savefig(
        folder / "samples.png", dpi=150
    )
    steps = np.linspace(0.0, 1.0, 10)[:, np.newaxis]
    walks = [(1 - steps) * z[2 * i] + steps * z[2 * i + 1] for i in range(6)]
    walk = images_of(np.concatenate(walks), layers, side)
    figure = plots.image_grid(walk, num_columns=10).figure
    figure.savefig(folder / "interpolation.png", dpi=150)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the likelihood after each layer."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=MNIST, help="npz file with images x")
    add("--rotations", nargs="+", choices=ROTATIONS, default=DEFAULT, help="in turn")
    add("--max-layers", type=int, default=12, help="most layers with a rotation")
    add("--least", type=float, default=0.1, help="gain in nats to go on")
    add("--out", type=Path, help="folder for the figures")
    add("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    _report.header("deep copula of MNIST, nats per image")
    if args.smoke:
        args.max_layers = 2
        x = datasets.fashion_mnist()[0][:300, ::4, ::4]
    else:
        x = datasets.read_images(args.data)
    start = time.process_time()
    rng = np.random.default_rng(args.seed)
    x = x[rng.permutation(len(x))]
    side, held_out = x.shape[1], len(x) // 10
    ends = (0, held_out // 2, held_out, len(x))
    parts = [pixels(x[i:j], rng) for i, j in itertools.pairwise(ends)]
    print(f"{'layer':>6} {'by':10}{'train':>10}{'stop':>10}{'test':>10}{'CPU s':>8}")
    layers: list[maps.Bijector] = []
    best, best_test, first = -math.inf, math.nan, math.nan
    turns = itertools.cycle(args.rotations)
    for number in range(args.max_layers + 1):
        kind = next(turns) if number else "values"
        train = parts[2][0]
        found = layer(train, kind, number) if number else marginals(train)
        moved = [(apply(z, found), log_det) for z, log_det in parts]
        parts = [(z, log_det + step) for (z, step), log_det in moved]
        test, stop, train = (log_prob(*part) for part in parts)
        seconds = time.process_time() - start
        print(
            f"{number:6} {kind:10}{train:10.1f}{stop:10.1f}{test:10.1f}{seconds:8.0f}",
            flush=True,
        )
        if stop <= best:
            break
        layers.append(found)
        gain, best, best_test, kept = stop - best, stop, test, parts[0][0]
        if number == 1:
            first = test
        if gain < args.least:
            break
    bar = PAIRS if args.rotations[0] == "pairs" else ONE_LAYER
    reached = (
        _report.verdict(first, bar, at_least=True),
        _report.verdict(best_test, STOPPED, at_least=True),
        _report.verdict(seconds, SECONDS),
    )
    print(f"after one layer {first:.1f}, at least {bar}: {reached[0]}")
    print(f"stopped {best_test:.1f}, at least {STOPPED}: {reached[1]}")
    print(f"CPU seconds {seconds:.0f}, at most {SECONDS:.0f}: {reached[2]}")
    with tempfile.TemporaryDirectory() as folder:
        if args.out is not None or args.smoke:
            draw(args.out or Path(folder), layers, kept, side, args.seed)


if __name__ == "__main__":
    main()
