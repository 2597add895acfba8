"""Deep copula of MNIST: marginal histograms and PCA rotations, without gradients.

The pixels of MNIST, with uniform noise, as logits of `(x + noise) / 256` squeezed into
`[1e-6, 1 - 1e-6]`, as in the paper on MAF. Layer 0 makes the marginals of the logits
normal by histograms of 400 bins with a pseudo-count for each bin (row D6 has 40 bins
and 100: `--bins 40 --pseudo-counts 100`); each further layer turns by PCA and does the
same. Layers are added until the rows held out gain no
more. A tenth of the 60,000 training images is held out, a half of it to stop by and
the other half for the figures. Densities are those of the logits, as in the paper.

MNIST is not part of the package: `--data` names its `.npz` file (arrays `x`).

With `--out FOLDER`: samples, and images along straight lines between the base values of
two digits.

Run `python benchmarks/mnist_copula.py` (some minutes; 2 GB of memory).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path

import _report
import numpy as np
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import datasets, plots

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist" / "train.npz"
ALPHA = 1e-6
# Row D6: nats per image after one layer, after stopping, and seconds for all.
ONE_LAYER, STOPPED, SECONDS = -1060.3, -1035.0, 600.0
# Rows at once: bounds the memory.
BLOCK = 2_000


def logits(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return logits of pixels with noise, `[N, D]`, in float32."""
    x = images.reshape(len(images), -1)
    out = np.empty(x.shape, np.float32)
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        u = ALPHA + (1 - 2 * ALPHA) * (rows + rng.random(rows.shape)) / 256.0
        out[start : start + BLOCK] = np.log(u) - np.log1p(-u)
    return out


def images_of(x: np.ndarray, side: int) -> np.ndarray:
    """Return images, `[N, side, side, 1]` in [0, 1], of logits."""
    u = 1.0 / (1.0 + np.exp(-np.asarray(x, np.float64)))
    u = np.clip((u - ALPHA) / (1 - 2 * ALPHA), 0.0, 1.0)
    return u.reshape(-1, side, side, 1)


def layer(
    x: np.ndarray, args: object, *, turn: bool
) -> tuple[np.ndarray | None, maps.MarginalGaussianize]:
    """Return a rotation by PCA, or `None`, and the map of the marginals behind it."""
    rotation = None
    if turn:
        rotation = np.linalg.eigh(np.cov(x.T))[1].astype(np.float32)
        x = x @ rotation
    table = maps.MarginalGaussianize.from_samples(
        x, args.bins, pseudo_counts=args.pseudo_counts, dtype=tf.float32
    )
    return rotation, table


def apply(
    x: np.ndarray, rotation: np.ndarray | None, table: maps.MarginalGaussianize
) -> tuple[np.ndarray, np.ndarray]:
    """Return base values behind a layer, and log-dets."""
    out, log_det = np.empty_like(x), np.empty(len(x))
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        rows = rows if rotation is None else rows @ rotation
        z, step = table.inverse_and_log_det(tf.constant(rows))
        out[start : start + BLOCK] = z
        log_det[start : start + BLOCK] = step
    return out, log_det


def invert(z: np.ndarray, layers: Sequence[tuple]) -> np.ndarray:
    """Return logits of base values."""
    for rotation, table in reversed(layers):
        z = table.forward(tf.constant(z)).numpy()
        z = z if rotation is None else z @ rotation.T
    return z


def log_prob(z: np.ndarray, log_det: np.ndarray) -> float:
    """Return the mean log-density of images with base values, in nats."""
    constant = 0.5 * z.shape[1] * math.log(2 * math.pi)
    square = np.einsum("ij,ij->i", z, z, dtype=np.float64)
    return float(np.mean(log_det - 0.5 * square - constant))


def draw(
    folder: Path, layers: list[tuple], z: np.ndarray, side: int, seed: int
) -> None:
    """Write samples, and a walk between base values of images."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(64, side * side)).astype(np.float32)
    sheet = images_of(invert(noise, layers), side)
    plots.image_grid(sheet, columns=8).figure.savefig(folder / "samples.png", dpi=150)
    steps = np.linspace(0.0, 1.0, 10)[:, np.newaxis]
    walks = np.concatenate(
        [(1 - steps) * z[2 * i] + steps * z[2 * i + 1] for i in range(6)]
    )
    walk = images_of(invert(walks.astype(np.float32), layers), side)
    figure = plots.image_grid(walk, columns=10).figure
    figure.savefig(folder / "interpolation.png", dpi=150)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the likelihood after each layer."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=MNIST, help="npz file with images x")
    add("--bins", type=int, default=400, help="bins of a histogram")
    add("--pseudo-counts", type=float, default=1.0, help="for each bin")
    add("--max-layers", type=int, default=30, help="most layers with a rotation")
    add("--out", type=Path, help="folder for the figures")
    add("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    _report.header("deep copula of MNIST, nats per image")
    if args.smoke:
        args.max_layers = 1
        x = datasets.fashion_mnist()[0][:300, ::4, ::4]
    else:
        x = datasets.read_images(args.data)
    start = time.process_time()
    rng = np.random.default_rng(args.seed)
    x = x[rng.permutation(len(x))]
    side, held_out = x.shape[1], len(x) // 10
    ends = (0, held_out // 2, held_out, len(x))
    parts = [(logits(x[i:j], rng), 0.0) for i, j in itertools.pairwise(ends)]
    print(f"{'layer':>6}{'train':>10}{'stop':>10}{'test':>10}{'CPU s':>8}")
    layers: list[tuple] = []
    best, best_test, first = -math.inf, math.nan, math.nan
    for number in range(args.max_layers + 1):
        found = layer(parts[2][0], args, turn=number > 0)
        moved = [(apply(z, *found), log_det) for z, log_det in parts]
        parts = [(z, log_det + step) for (z, step), log_det in moved]
        test, stop, train = (log_prob(*part) for part in parts)
        seconds = time.process_time() - start
        print(
            f"{number:6}{train:10.1f}{stop:10.1f}{test:10.1f}{seconds:8.0f}", flush=True
        )
        if stop <= best:
            break
        layers.append(found)
        best, best_test, kept = stop, test, parts[0][0]
        if number == 1:
            first = test
    reached = (
        _report.verdict(first, ONE_LAYER, at_least=True),
        _report.verdict(best_test, STOPPED, at_least=True),
        _report.verdict(seconds, SECONDS),
    )
    print(f"after one layer {first:.1f}, at least {ONE_LAYER}: {reached[0]}")
    print(f"stopped {best_test:.1f}, at least {STOPPED}: {reached[1]}")
    print(f"CPU seconds {seconds:.0f}, at most {SECONDS:.0f}: {reached[2]}")
    if args.out is not None:
        draw(args.out, layers, kept, side, args.seed)


if __name__ == "__main__":
    main()
