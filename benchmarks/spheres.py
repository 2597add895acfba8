"""The flow of unit vectors on mixtures of von Mises-Fisher distributions.

    python benchmarks/spheres.py [--rows N] [--steps N] [--quick]

Each mixture has components of equal weight around random directions. The flow is fitted
with its defaults, and scored on 10,000 new vectors. The gap is the mean over these of
the exact log-density minus the flow's, in nats: what the negative log-likelihood has
above the entropy. `uniform` is the gap of the uniform density, and `mass` the mean over
uniform vectors of the flow's density times the area.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _report
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.math import spheres

# Components, and their concentrations.
MIXTURES = ((1, 10.0), (4, 10.0), (12, 30.0))
NEW, QUICK = 10_000, 200


def unit(rows: int, seed: int) -> np.ndarray:
    """Return uniform unit vectors, `[rows, 3]`."""
    x = np.random.default_rng(seed).normal(size=(rows, 3)).astype("float32")
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def mixture(components: int, concentration: float) -> tfd.Distribution:
    """Return a mixture around random directions."""
    means = unit(components, components)
    each = tfd.VonMisesFisher(tf.constant(means), tf.fill([components], concentration))
    logits = tf.zeros([components])
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), each)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="the same as --smoke")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=1_500)
    given = parser.parse_args(argv)
    quick = given.quick or given.smoke
    rows, new = (QUICK, QUICK) if quick else (given.rows, NEW)
    _report.header("Unit vectors: gap to the exact entropy, nats")
    print(
        f"{'components':>10} {'entropy':>8} {'uniform':>8} {'gap':>7} {'+-':>6} "
        f"{'mass':>6} {'steps':>6} {'seconds':>7}"
    )
    for components, concentration in MIXTURES[: 1 if quick else None]:
        truth = mixture(components, concentration)
        x, fresh = (
            truth.sample(n, seed=[0, i]).numpy() for i, n in enumerate((rows, new))
        )
        start = time.perf_counter()
        flow, _ = tfpf.fit(
            "sphere", x, steps=4 if quick else given.steps, seed=0, verbose=0
        )
        seconds = time.perf_counter() - start
        exact = np.asarray(truth.log_prob(fresh), np.float64)
        excess = exact - np.asarray(flow.log_prob(fresh), np.float64)
        area = spheres.log_area(3)
        mass = np.exp(np.asarray(flow.log_prob(unit(new, 1))) + area).mean()
        print(
            f"{components:10d} {-exact.mean():8.3f} {exact.mean() + area:8.3f} "
            f"{excess.mean():7.3f} {excess.std() / np.sqrt(new):6.3f} {mass:6.3f} "
            f"{int(flow.optimizer.iterations):6d} {seconds:7.1f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
