"""Toys and energies of the plane by contractive and by block autoregressive flows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_flows
from published.energies import log_density
from published.entries import Figure, entry, minimise
from tfp_flows import datasets, flows

BNAF = "De Cao et al. 2019, toys and energies of the plane"
HELD_OUT = 50_000


def held_out(
    quick: bool, flow: str, toy: str, steps: int, batch: int, **options: Any
) -> np.ndarray:
    """Return log-densities of new points, less the true ones, and the former alone."""
    if quick:
        steps, batch, options = 2, 20, {"num_layers": 1, "hidden_units": (4, 4)}
    x = datasets.toy(toy, steps * batch, 0)
    settings = {"epochs": 1, "batch_size": batch, "validation": None, **options}
    fitted, _ = tfp_flows.fit(flow, x, seed=0, verbose=0, **settings)
    new = datasets.toy(toy, 100 if quick else HELD_OUT, 1_000)
    found = np.asarray(fitted.log_prob(new), np.float64)
    return np.stack([found - datasets.toy_log_prob(toy, new), found])


# Many contractions of small networks: each can do little.
RESIDUAL = {
    "num_layers": 16,
    "hidden_units": (64, 64),
    "base": "normal",
    "learning_rate": 3e-3,
}


# Units of each coordinate, where the paper has 50.
BLOCKS = {"hidden_units": (32, 32), "base": "normal", "learning_rate": 5e-3}


@entry("residual-toys", "F4", "Chen et al. 2019, toys of the plane")
def residual(quick: bool) -> Iterator[Figure]:
    """Contractive blocks, log-dets exact, fresh points."""
    bars = {"checkerboard": 3.65, "8gaussians": 2.95}
    for toy, bar in list(bars.items())[: 1 if quick else None]:
        found = held_out(quick, "residual", toy, 4_000, 256, **RESIDUAL)
        floor = f"floor {datasets.toy_entropy(toy):.4f}"
        yield Figure(f"{toy}: NLL", -float(found[1].mean()), bar, reference=floor)


@entry("block-autoregressive-toys", "B5", BNAF)
def block_toys(quick: bool) -> Iterator[Figure]:
    """Fresh points; gaps to the entropies."""
    bars = {"8gaussians": 0.10, "checkerboard": 0.15, "2spirals": 0.15, "rings": 0.15}
    for toy, bar in list(bars.items())[: 1 if quick else None]:
        found = held_out(quick, "bnaf", toy, 8_000, 256, **BLOCKS)
        gap = -float(found[0].mean())
        yield Figure(f"{toy}: gap to the entropy", gap, bar, reference="0")


def by_its_samples(name: str, steps: int, quick: bool) -> float:
    """Return the KL of layers that are sampled by one pass from an energy."""
    sizes = {"num_layers": 1, "hidden_units": (4,)} if quick else {}
    flow = flows.build("bnaf", 2, seed=0, base="normal", **sizes)
    density, target = flow.distribution(), log_density(name)
    count, last = (20, 1) if quick else (500, 200)

    def loss(seed: tf.Tensor) -> tf.Tensor:
        z, log_q = density.distribution.experimental_sample_and_log_prob(
            count, seed=seed
        )
        x = density.bijector.inverse(z)
        log_det = density.bijector.inverse_log_det_jacobian(z, event_ndims=1)
        return tf.reduce_mean(log_q - log_det - target(x))

    minimise(loss, [v.value for v in flow.trainable_variables], steps, 5e-3)
    found = tf.function(loss, autograph=False)
    return float(np.mean([found(tf.constant([i, 1])) for i in range(last)]))


@entry("block-autoregressive-energies", "B5", BNAF)
def block_energies(quick: bool) -> Iterator[Figure]:
    """Two layers turned round, so that samples are one pass; 5,000 steps of 500."""
    for name in ("u1", "u2", "u3", "u4"):
        found = by_its_samples(name, 2 if quick else 5_000, quick)
        bar = 0.05 if name == "u1" else None
        yield Figure(f"KL from {name}", found, bar, reference="0")
        if quick:
            return
