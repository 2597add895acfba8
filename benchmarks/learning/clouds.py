"""Clouds of points: PointFlow beside training clouds drawn again and Gaussians.

    python benchmarks/learning/clouds.py [--clouds 400] [--points 512] [--seeds 1]

Spheres, boxes, cylinders and tori of many sizes (`datasets.point_clouds("shapes")`).
Sampled clouds are compared with new real ones (`diagnostics.cloud_scores`): 1-NNA is
best at 50 %, and 100 % where clouds look like no data. Rivals: `training clouds`,
points of these with noise, a kernel density for each; `Gaussian of a cloud`, normal
points with mean and covariance of training clouds; `real clouds`, what can be reached.

Then test clouds are made again from their latent numbers: the Chamfer distance to other
points of the same shapes, over that of the true points, and that of clouds with more
points than the model was trained on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import keras
import numpy as np

from tfp_flows import datasets, diagnostics, models

# Bars: 1-NNA in per cent, and the ratio of Chamfer distances.
TOLD_APART, RATIO = 70.0, 2.0
# Bandwidth of the kernel density of a training cloud, for points of a size near 1.
BANDWIDTH = 0.05
MANY = 4_096


def fitted(
    x: np.ndarray, seed: int, layers: int, epochs: int, batch_size: int
) -> models.PointFlow:
    """Return a model that has been trained."""
    model = models.PointFlow(
        3,
        latent_size=8,
        flow_options={"num_layers": layers, "hidden_units": (64, 64)},
        hidden_units=(128, 128),
        seed=seed,
    )
    model.adapt(x)
    steps = epochs * (len(x) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, max(steps, 1))
    model.compile(keras.optimizers.Adam(rate, clipnorm=100.0))
    model.fit(x, epochs=epochs, batch_size=batch_size, verbose=0)
    return model


def again(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return points of training clouds with noise, which clouds by chance."""
    rng = np.random.default_rng(seed)
    chosen = x[rng.integers(len(x), size=count)]
    places = rng.integers(x.shape[1], size=(count, x.shape[1], 1))
    points = np.take_along_axis(chosen, places, axis=1)
    return points + BANDWIDTH * rng.normal(size=points.shape)


def normal(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return normal points with the moments of training clouds, by chance."""
    rng = np.random.default_rng(seed)
    chosen = x[rng.integers(len(x), size=count)].astype(np.float64)
    middle = chosen.mean(axis=1, keepdims=True)
    factors = np.linalg.cholesky(np.stack([np.cov(cloud.T) for cloud in chosen]))
    z = rng.normal(size=chosen.shape)
    return middle + np.einsum("nij,npj->npi", factors, z)


def mean_chamfer(x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean distance of clouds to those of the same position."""
    return float(
        np.mean([diagnostics.chamfer(*pair) for pair in zip(x, y, strict=True)])
    )


def one_seed(given: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Return the scores of each kind of clouds, and the ratios of the model's."""
    points, count = given.points, given.test
    x = datasets.point_clouds("shapes", given.clouds, points=points, seed=3 * seed)
    both = datasets.point_clouds("shapes", count, points=2 * points, seed=3 * seed + 1)
    test, other = both[:, :points], both[:, points:]
    start = time.process_time()
    model = fitted(x, seed, given.layers, given.epochs, given.batch_size)
    seconds = time.process_time() - start
    makers: dict[str, Callable[[], np.ndarray]] = {
        "PointFlow": lambda: model.sample(count, points=points, seed=seed).numpy(),
        "training clouds": lambda: again(x, count, seed),
        "Gaussian of a cloud": lambda: normal(x, count, seed),
        "real clouds": lambda: datasets.point_clouds(
            "shapes", count, points=points, seed=3 * seed + 2
        ),
    }
    found: dict[str, list[float]] = {}
    for name, make in makers.items():
        clouds = make()
        scores = diagnostics.cloud_scores(clouds, test)
        few = slice(given.matched)
        moved = diagnostics.cloud_scores(
            clouds[:, few], test[:, few], distance="earth_mover"
        )
        found[name] = [
            1_000.0 * scores.minimum_matching,
            100.0 * scores.coverage,
            100.0 * scores.nearest_neighbour,
            100.0 * moved.nearest_neighbour,
            scores.jensen_shannon,
        ]
    true = mean_chamfer(test, other)
    made = model.reconstruct(test, points=points, seed=seed).numpy()
    many = model.reconstruct(test[:20], points=MANY, seed=seed).numpy()
    close = mean_chamfer(many, other[:20]) / mean_chamfer(test[:20], other[:20])
    bound = float(model.elbo(test, seed=seed).mean()) / points
    found["again"] = [mean_chamfer(made, other) / true, close, bound, seconds]
    return found


def cells(values: Sequence[Sequence[float]]) -> list[str]:
    """Return means over seeds, with standard errors where there are some."""
    table = np.array(values)
    texts = [f"{mean:.3g}" for mean in table.mean(axis=0)]
    if len(table) > 1:
        errors = table.std(axis=0, ddof=1) / np.sqrt(len(table))
        texts = [f"{t} +- {e:.2g}" for t, e in zip(texts, errors, strict=True)]
    return texts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each kind of clouds, and how well test clouds are made again."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--clouds", type=int, default=400, help="to fit")
    parser.add_argument("--points", type=int, default=512, help="of each")
    parser.add_argument("--test", type=int, default=60, help="clouds to compare with")
    parser.add_argument("--matched", type=int, default=128, help="points to match")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args(arguments)
    if given.smoke:
        given.clouds, given.points, given.test, given.matched = 20, 16, 5, 8
        given.epochs, given.seeds, given.batch_size, given.layers = 1, 1, 10, 1
    _report.header("Clouds of points beside new real ones", "scipy")
    found = [one_seed(given, seed) for seed in range(given.seeds)]
    heads = ("MMD x 1000", "COV %", "1-NNA %", "1-NNA by EMD %", "JSD")
    print("clouds", *heads, sep="\t")
    for name in found[0]:
        if name != "again":
            print(name, *cells([one[name] for one in found]), sep="\t")
    ratio, many, bound, seconds = cells([one["again"] for one in found])
    print(f"again, Chamfer over that of true points\t{ratio}")
    print(f"again with {MANY} points, the same\t{many}")
    print(f"bound of test clouds, nats a point\t{bound}")
    print(f"CPU seconds of the fit\t{seconds}")
    if not given.smoke:
        told = float(np.mean([one["PointFlow"][2] for one in found]))
        off = float(np.mean([one["again"][0] for one in found]))
        print(f"1-NNA at most {TOLD_APART:.0f} %: {_report.verdict(told, TOLD_APART)}")
        print(f"ratio at most {RATIO:.0f}: {_report.verdict(off, RATIO)}")


if __name__ == "__main__":
    main()
