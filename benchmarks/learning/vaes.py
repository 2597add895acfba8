"""Autoencoders with flows as posteriors, on black and white digits.

    python benchmarks/learning/vaes.py [--seeds 3] [--posteriors gaussian,planar]

scikit-learn's digits, 8 x 8 pixels, black where grey is above 7; 1,400 to fit, 397 to
test. Printed are nats per image of the test digits: the negative evidence lower bound,
of 10 draws, and the importance-weighted bound of 200. All models have the same networks
and 8 latent numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import keras
import numpy as np
from sklearn.datasets import load_digits

from tfp_flows import models

LAYERS = {"planar": 8, "sylvester": 4, "iaf": 3, "nsf": 2, "householder": 1}
TRAIN = 1_400


def fitted(posterior: str, train: np.ndarray, seed: int, epochs: int) -> models.FlowVAE:
    """Return a model that has been trained."""
    options = {} if posterior == "gaussian" else {"num_layers": LAYERS[posterior]}
    vae = models.FlowVAE(
        64,
        8,
        posterior=posterior,
        posterior_options=options,
        hidden_units=(128, 64),
        warmup_steps=10 * (len(train) // 100),
        seed=seed,
    )
    steps = epochs * (len(train) // 100)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    vae.compile(keras.optimizers.Adam(rate))
    vae.fit(train, epochs=epochs, batch_size=100, verbose=0)
    return vae


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the two bounds for each posterior, with standard errors over seeds."""
    warnings.filterwarnings("ignore")
    parser = _report.parser(__doc__)
    parser.add_argument("--posteriors", default="gaussian,planar,sylvester,iaf")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    given: argparse.Namespace = parser.parse_args(arguments)
    _report.header("Autoencoders with flows", "scikit-learn")
    names, seeds, epochs = given.posteriors.split(","), given.seeds, given.epochs
    x = (load_digits().data > 7).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    train, test = x[order[:TRAIN]], x[order[TRAIN:]]
    if given.smoke:
        names, seeds, epochs, train, test = ["gaussian"], 1, 1, train[:200], test[:20]
    print("posterior\t-ELBO, nats\t-bound, nats\tCPU s")
    for name in names:
        start = time.process_time()
        rows = []
        for seed in range(seeds):
            vae = fitted(name, train, seed, epochs)
            elbo = vae.elbo(test, draws=10, seed=0).mean()
            bound = vae.log_prob_bound(test, draws=200, seed=0).mean()
            rows.append((-elbo, -bound))
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        error = spread / np.sqrt(max(len(rows) - 1, 1))
        both = "\t".join(
            f"{m:.2f} +- {e:.2f}" for m, e in zip(mean, error, strict=True)
        )
        print(f"{name}\t{both}\t{time.process_time() - start:.0f}", flush=True)


if __name__ == "__main__":
    main()
