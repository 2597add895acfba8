"""Flows of pictures: couplings of Glow, and what it learns of clothes and colours."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from published.entries import Figure, entry, least
from tfp_flows import datasets, flows


def colours(count: int) -> np.ndarray:
    """Return patches 16 x 16 x 3 of scikit-learn's two photographs."""
    from sklearn import datasets as photographs

    rng = np.random.default_rng(0)
    parts = []
    for photograph in photographs.load_sample_images().images:
        rows = rng.integers(photograph.shape[0] - 15, size=count // 2)
        columns = rng.integers(photograph.shape[1] - 15, size=count // 2)
        parts += [
            photograph[i : i + 16, j : j + 16]
            for i, j in zip(rows, columns, strict=True)
        ]
    return rng.permutation(np.stack(parts))


def bits(train: np.ndarray, test: np.ndarray, coupling: str, seed: int, steps: int):
    """Return bits per dimension of held-out pictures, before and after training."""
    few = {"num_steps": 1, "hidden_units": (8,)} if steps < 100 else {}
    options = {"num_levels": 2, "num_steps": 2, "hidden_units": (32, 32), **few}
    flow = flows.build("glow", train.shape[1:], coupling=coupling, seed=seed, **options)
    flow.adapt(train)
    before = float(flow.bits_per_dim(test).mean())
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - 20), alpha=0.02, warmup_target=3e-3, warmup_steps=20
    )
    flow.compile(keras.optimizers.Adam(schedule, global_clipnorm=50.0))
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = rng.choice(len(train), 32, replace=False)
        flow.train_on_batch(train[rows].astype("float32"))
    return before, float(flow.bits_per_dim(test).mean())


@entry("spline-against-affine-glow", "E4, B8", "Durkan et al. 2019; Glow 2018")
def couplings(quick: bool) -> Iterator[Figure]:
    """Equal networks and steps, on clothes 28 x 28 and on colours 16 x 16 x 3.

    Row E4 asks for MNIST and 32 x 32 x 3, which take too long here.
    """
    steps, seeds = (2, 1) if quick else (300, 3)
    for name, x in (
        ("clothes", datasets.fashion_mnist()[0]),
        ("colours", colours(1_500)),
    ):
        rows = np.random.default_rng(0).permutation(len(x))
        train, test = x[rows[150:]], x[rows[:150]]
        wins, found = 0, []
        for seed in range(seeds):
            affine, spline = (
                bits(train, test, coupling, seed, steps)
                for coupling in ("affine", "spline")
            )
            wins += spline[1] <= affine[1]
            found.append((affine[0], affine[1], spline[1]))
        before, affine, spline = np.mean(found, axis=0)
        what = f"{name}: affine, bits per dimension"
        yield Figure(what, affine, before, reference=f"untrained {before:.3f}")
        yield Figure(f"{name}: spline, bits per dimension", spline, affine)
        yield least(f"{name}: seeds of {seeds} in which it is better", wins, seeds)
        if quick:
            return
