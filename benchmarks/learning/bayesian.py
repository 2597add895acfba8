"""Bayesian networks: flows over factors of weights beside independent weights.

    python benchmarks/learning/bayesian.py [--parts toy,digits,yacht] [--seeds 3]

`toy`: 20 rows of `y = x**3 + 3 * noise` between -4 and 4, one layer of 100 hidden
units, known noise; the bound of the evidence in nats, and the standard deviation of the
network's mean at 0 and at 6. `digits`: a network on scikit-learn's digits; accuracy,
and the entropy of the predicted classes of test digits and of these turned by 90
degrees. `yacht`: a table of 308 rows in `--data` with its splits, one for each seed,
and a standard deviation of the noise that is learned; mean log-likelihood of test rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tfp_flows import models

HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)
KINDS = {
    "independent": models.DenseReparameterization,
    "factors": models.MultiplicativeDense,
}


def network(kind: str, inputs: int, hidden: int, outputs: int, rows: int, seed: int):
    """Return a network with one hidden layer."""
    layer = KINDS[kind]
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layer(hidden, "relu", kl_weight=1.0 / rows, seed=seed),
            layer(outputs, kl_weight=1.0 / rows, seed=seed + 1),
        ]
    )


class Scale(keras.Layer):
    """Adds a trained standard deviation of the noise to the outputs, as its log."""

    def build(self, input_shape: Any) -> None:
        """Create it."""
        del input_shape
        self.log_scale = self.add_weight(shape=(), initializer="zeros", name="noise")

    def call(self, inputs: Any) -> Any:
        """Return outputs and the log-scale beside them."""
        more = tf.zeros_like(inputs) + self.log_scale
        return tf.concat([inputs, more], axis=-1)


def gaussian_loss(target: Any, found: Any) -> Any:
    """Return the negative log-likelihood of each row in nats."""
    mean, log_scale = tf.split(found, 2, axis=-1)
    away = (tf.reshape(target, tf.shape(mean)) - mean) * tf.exp(-log_scale)
    return tf.reduce_mean(0.5 * away**2 + log_scale + HALF_LOG_TWO_PI, axis=-1)


def train(model: keras.Model, x: Any, y: Any, loss: Any, steps: int, rows: int) -> None:
    """Train with a falling learning rate for so many updates."""
    rate = keras.optimizers.schedules.CosineDecay(0.01, steps)
    model.compile(keras.optimizers.Adam(rate), loss=loss)
    data = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(len(x), seed=0)
    data = data.repeat().batch(min(rows, len(x)))
    model.fit(data, epochs=1, steps_per_epoch=steps, verbose=0)


def on_toy(kind: str, seed: int, steps: int) -> dict[str, float]:
    """Return what a network makes of a cubic."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-4.0, 4.0, size=(20, 1))
    y = x**3 + 3.0 * rng.normal(size=x.shape)
    # The prior is for standardised inputs and outputs.
    unit, width = y.std(), x.std()

    def loss(target: Any, mean: Any) -> Any:
        away = (target - mean) * unit / 3.0
        return tf.reduce_mean(0.5 * away**2, axis=-1) + HALF_LOG_TWO_PI + np.log(3.0)

    model = network(kind, 1, 100, 1, len(x), seed)
    inputs, targets = (x / width).astype("float32"), (y / unit).astype("float32")
    train(model, inputs, targets, loss, steps, len(x))
    whole = np.repeat(inputs, 50, axis=0), np.repeat(targets, 50, axis=0)
    bounds = [model.evaluate(*whole, batch_size=1_000, verbose=0) for _ in range(10)]
    at = np.array([[0.0], [-6.0], [6.0]]) / width
    spread = unit * models.predictive_draws(model, at, 300, seed=0)[..., 0].std(axis=0)
    return {
        "bound": -len(x) * float(np.mean(bounds)),
        "sd at 0": spread[0],
        "sd at 6": spread[1:].mean(),
        "ratio": spread[1:].mean() / spread[0],
    }


def on_digits(kind: str, seed: int, steps: int) -> dict[str, float]:
    """Return accuracy, and entropies of digits as they are and turned."""
    x, y = load_digits(return_X_y=True)
    x = (x / 8.0 - 1.0).astype("float32")
    train_x, test, train_y, test_y = train_test_split(
        x, y, test_size=0.25, random_state=seed, stratify=y
    )
    model = network(kind, 64, 64, 10, len(train_x), seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train(model, train_x, train_y, loss, steps, 64)
    turned = np.rot90(test.reshape(-1, 8, 8), axes=(1, 2)).reshape(len(test), 64)
    found = {}
    for name, rows in (("as they are", test), ("turned", turned)):
        logits = models.predictive_draws(model, rows, 50, seed=0)
        shares = np.asarray(tf.nn.softmax(logits)).mean(axis=0)
        entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
        found[f"entropy {name}"] = float(entropy.mean())
        if name == "as they are":
            found["accuracy"] = float((shares.argmax(axis=1) == test_y).mean())
    found["ratio"] = found["entropy turned"] / found["entropy as they are"]
    return found


def on_yacht(kind: str, seed: int, steps: int, data: Path) -> dict[str, float]:
    """Return the log-likelihood of a tenth of the yachts."""
    table = np.load(data / "uci_regression" / "yacht.npz")
    x, y = (np.asarray(table[k], float) for k in ("x", "y"))
    y = y.reshape(-1, 1)
    is_test = np.asarray(table["test_mask"][seed], bool)
    parts = []
    for values in (x, y):
        first, last = values[~is_test], values[is_test]
        scale = first.std(axis=0)
        parts += [(first - first.mean(axis=0)) / scale]
        parts += [(last - first.mean(axis=0)) / scale]
    unit = y[~is_test].std()
    given, new, targets, wanted = (p.astype("float32") for p in parts)
    model = network(kind, x.shape[1], 50, 1, len(given), seed)
    model.add(Scale())
    train(model, given, targets, gaussian_loss, steps, 64)
    draws = models.predictive_draws(model, new, 200, seed=0)
    mean, log_scale = draws[..., 0], draws[..., 1]
    away = (wanted[:, 0] - mean) * np.exp(-log_scale)
    each = -0.5 * away**2 - log_scale - HALF_LOG_TWO_PI - np.log(unit)
    top = each.max(axis=0)
    log_probs = top + np.log(np.exp(each - top).mean(axis=0))
    return {"log-likelihood": float(log_probs.mean())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print means over seeds with standard errors, one line for each number."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--parts", default="toy,digits", help="names, comma-separated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3_000, help="updates")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given: argparse.Namespace = parser.parse_args(arguments)
    _report.header("Bayesian networks", "scikit-learn")
    parts: dict[str, Callable[..., dict[str, float]]] = {
        "toy": on_toy,
        "digits": on_digits,
        "yacht": lambda *args: on_yacht(*args, given.data),
    }
    names, seeds, steps = given.parts.split(","), range(given.seeds), given.steps
    if given.smoke:
        names, seeds, steps = ["toy"], range(1), 5
    for part in names:
        for kind in KINDS:
            start = time.process_time()
            rows = [parts[part](kind, seed, steps) for seed in seeds]
            for name in rows[0]:
                values = np.array([row[name] for row in rows])
                size = max(len(values) - 1, 1)
                error = np.sqrt(((values - values.mean()) ** 2).sum() / size)
                error /= np.sqrt(len(values))
                print(f"{part}\t{kind}\t{name}\t{values.mean():.3f} +- {error:.3f}")
            seconds = time.process_time() - start
            print(f"{part}\t{kind}\t{len(rows)} seeds\t{seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
