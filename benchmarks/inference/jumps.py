"""Chains with flows: separate modes, a funnel, a wide Gaussian.

    python benchmarks/inference/jumps.py [--parts NAME ...] [--methods NAME ...]
        [--seeds N] [--smoke]

`ring`: shares of eight Gaussians on a circle by chains that start in one of them, to be
.125 +- .0075 each. `funnel`: Neal's funnel in ten dimensions, effective draws of its
log-scale (variance 9) per gradient, beside the no-U-turn sampler with dual averaging;
once with all gradients of fit and burn-in, and once without; `--methods` takes some of
those beside it. `gaussian`: a hundred
dimensions whose scales span four orders, effective draws per draw.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import flows, inference

# Half of the allowed difference of a share from an eighth.
SHARE, APART = 0.125, 0.0075
# Effective draws per gradient, as a multiple of the no-U-turn sampler's.
WANTED = 5.0
# Beside the no-U-turn sampler.
METHODS = ("neutra", "flow-mcmc")
QUICK: dict[str, Any] = {"num_draws": 20, "num_chains": 4, "burn_in": 10}


def tiny(size: int) -> flows.Flow:
    """Return a flow that is soon traced."""
    return flows.build("realnvp", size, num_layers=1, hidden_units=(8,), seed=0)


def ring() -> tfd.Distribution:
    """Return eight Gaussians on a circle, the toy `8gaussians`."""
    angle = np.arange(8) * np.pi / 4.0
    means = 4.0 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    scales = tf.fill([8, 2], 0.5 / 1.414)
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.zeros(8)),
        tfd.MultivariateNormalDiag(tf.constant(means, tf.float32), scales),
    )


def funnel(x: tf.Tensor) -> tf.Tensor:
    """Return the log-density of Neal's funnel, its log-scale first."""
    first, rest = x[..., 0], x[..., 1:]
    count = float(x.shape[-1] - 1)
    squares = tf.reduce_sum(rest**2, axis=-1) * tf.exp(-first)
    return -(first**2) / 18.0 - 0.5 * squares - 0.5 * count * first


def shares(seed: int, methods: Sequence[str], *, quick: bool) -> Iterator[str]:
    """Yield the shares of the modes of the ring."""
    del methods  # one alone finds the others
    options: dict[str, Any] = {"num_draws": 6_250, "num_chains": 16, "burn_in": 200}
    if quick:
        options = {**QUICK, "num_states": 100, "flow": tiny(2)}
    begin = time.process_time()
    found = inference.sample_posterior(
        ring(), "flow-mcmc", start="laplace", seed=seed, **options
    )
    x = found.draws.reshape((-1, 2))
    mode = np.round(np.arctan2(x[:, 1], x[:, 0]) * 4.0 / np.pi).astype(int) % 8
    each = np.bincount(mode, minlength=8) / len(x)
    good = np.all(np.abs(each - SHARE) <= APART)
    yield (
        f"ring, {len(x)} draws of {len(found.draws)} chains: shares {each.min():.4f} "
        f"to {each.max():.4f}  jumps accepted {found.jump_acceptance:.2f}  ESS "
        f"{found.ess.min():.0f}  R-hat {found.r_hat.max():.4f}  evaluations "
        f"{found.warm_up_gradients} + {found.gradients}  "
        f"{time.process_time() - begin:.0f} s  reached: {'yes' if good else 'NO'}"
    )


def log_scale(seed: int, methods: Sequence[str], *, quick: bool) -> Iterator[str]:
    """Yield effective draws of the funnel's log-scale per gradient."""
    length = {"num_draws": 4_000, "num_chains": 16, "burn_in": 500}
    options: dict[str, dict[str, Any]] = {"nuts": {}} | {name: {} for name in methods}
    if quick:
        length = QUICK
        options = {"nuts": {}}
        options["neutra"] = {"steps": 3, "draws": 100, "flow": tiny(10)}
    rates: dict[str, float] = {}
    for method, given in options.items():
        begin = time.process_time()
        found = inference.sample_posterior(
            funnel, method, event_shape=10, seed=seed, **length, **given
        )
        ess, every = found.ess[0], found.gradients + found.warm_up_gradients
        rates[method] = ess / every
        spread = float(np.var(found.draws[..., 0]))
        ratio = rates[method] / rates["nuts"]
        reached = method != "nuts" and ratio >= WANTED and abs(spread - 9.0) <= 0.9
        verdict = "" if method == "nuts" else f"  reached: {'yes' if reached else 'NO'}"
        yield (
            f"funnel, {method:9s} variance {spread:5.2f}  R-hat "
            f"{found.r_hat[0]:.3f}  ESS {ess:7.0f}  gradients "
            f"{found.warm_up_gradients} + {found.gradients}  ESS per 1,000: "
            f"{1e3 * rates[method]:.2f} of all, {1e3 * ess / found.gradients:.2f} of "
            f"the draws'  times NUTS {ratio:.1f}  {time.process_time() - begin:.0f} s"
            f"{verdict}"
        )


def gaussian(seed: int, methods: Sequence[str], *, quick: bool) -> Iterator[str]:
    """Yield effective draws of an ill-conditioned Gaussian."""
    del methods
    size = 3 if quick else 100
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((size, size)))[0]
    factor = rotation * np.logspace(-2.0, 2.0, size) ** 0.5
    target = tfd.MultivariateNormalTriL(
        tf.zeros(size), tf.linalg.cholesky(tf.constant(factor @ factor.T, tf.float32))
    )
    options: dict[str, Any] = {"steps": 200}
    if quick:
        options = {**QUICK, "steps": 2, "draws": 100, "flow": tiny(size)}
    found = inference.sample_posterior(target, "neutra", seed=seed, **options)
    count = found.draws.shape[0] * found.draws.shape[1]
    share = float(found.ess.min()) / count
    yield (
        f"gaussian, {size} dimensions: ESS per draw {share:.2f}  R-hat "
        f"{found.r_hat.max():.4f}  reached: {'yes' if share >= 0.8 else 'NO'}"
    )


PARTS = {"ring": shares, "funnel": log_scale, "gaussian": gaussian}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser: argparse.ArgumentParser = _report.parser(__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args(arguments)
    _report.header("Chains with flows: separate modes, a funnel, a wide Gaussian")
    for part in given.parts:
        for seed in range(1 if given.smoke else given.seeds):
            for line in PARTS[part](seed, given.methods, quick=given.smoke):
                print(line, flush=True)


if __name__ == "__main__":
    main()
