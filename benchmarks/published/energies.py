"""Flows of bends: toys by likelihood, energies of the plane by their own samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_flows
from published.entries import Figure, entry, least, mean, nll
from tfp_flows import datasets, flows
from tfp_flows.testing import perturb
from tfp_flows.training import ReverseKL

TONYDUAN = "github.com/tonyduan/normalizing-flows, examples"
# Half of the side of the box on which the energies have a distribution.
SIDE = 4.0
# Logs of the integrals over the box, by quadrature; of the ring over the plane.
LOG_Z = {"u1": 1.87750, "u2": 2.08209, "u3": 2.64171, "u4": 2.68457, "ring": 2.78624}
# Means and variances on the box, by quadrature.
MOMENTS = {
    "u1": ((0.0, 0.0), (3.3035, 1.3953)),
    "u2": ((0.0, 0.0), (5.3387, 0.6598)),
    "u3": ((0.0, -0.2819), (5.3387, 0.7792)),
    "u4": ((-0.0792, -0.4273), (5.2318, 1.6858)),
}
# Exponents of the ring of the post have 0.2 where others have 0.5.
WIDE = 0.8 * 2.5**0.5

Energy = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def bump(value: tf.Tensor, scale: float) -> tf.Tensor:
    """Return the log of a bump of a scale."""
    return -0.5 * tf.square(value / scale)


def ring(x: tf.Tensor, y: tf.Tensor, radius: float, scale: float) -> tf.Tensor:
    """Return the log-density of a ring that is dense left and right."""
    both = tf.reduce_logsumexp(tf.stack([bump(x - 2, scale), bump(x + 2, scale)]), 0)
    return bump(tf.sqrt(x**2 + y**2) - radius, 0.4) + both


def wave(x: tf.Tensor) -> tf.Tensor:
    """Return one sine over half of the box."""
    return tf.sin(0.5 * np.pi * x)


def two(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the log of a sum of two densities."""
    return tf.reduce_logsumexp(tf.stack([first, second]), axis=0)


ENERGIES: dict[str, Energy] = {
    "u1": lambda x, y: ring(x, y, 2.0, 0.6),
    "u2": lambda x, y: bump(y - wave(x), 0.4),
    "u3": lambda x, y: two(
        bump(y - wave(x), 0.35),
        bump(y - wave(x) + 3.0 * tf.exp(bump(x - 1.0, 0.6)), 0.35),
    ),
    "u4": lambda x, y: two(
        bump(y - wave(x), 0.4),
        bump(y - wave(x) + 3.0 * tf.sigmoid((x - 1.0) / 0.3), 0.35),
    ),
    "ring": lambda x, y: ring(x, y, 4.0, WIDE),
}


def log_density(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the normalised log-density of the plane that a box is squashed from."""

    def of(z: tf.Tensor) -> tf.Tensor:
        if name == "ring":
            return ENERGIES[name](z[..., 0], z[..., 1]) - LOG_Z[name]
        x = SIDE * tf.tanh(z)
        squash = 2.0 * (np.log(2.0) - z - tf.math.softplus(-2.0 * z)) + np.log(SIDE)
        found = ENERGIES[name](x[..., 0], x[..., 1])
        return found + tf.reduce_sum(squash, axis=-1) - LOG_Z[name]

    return of


def draws(
    name: str, flow: str, steps: int, quick: bool, **options: Any
) -> tuple[float, np.ndarray]:
    """Return the KL of a flow, trained by its samples, from an energy, and draws."""
    target, annealed = log_density(name), options.pop("annealed", 0)
    rate, batch = options.pop("rate", 5e-3), 20 if quick else 1_000
    built = flows.build(flow, 2, seed=0, base="diagonal-normal", **options)
    kl = ReverseKL(target, batch, path_gradients=True, anneal_steps=annealed)
    steps = 2 if quick else steps
    given = {"steps": steps, "learning_rate": rate, "seed": 0, "verbose": 0}
    built, _ = tfp_flows.fit(built, None, objective=kl, **given)
    density = built.distribution()
    x, log_q = density.experimental_sample_and_log_prob(
        100 if quick else 100_000, seed=[0, 9]
    )
    return float(tf.reduce_mean(log_q - target(x))), x.numpy()


def divergence(name: str, flow: str, steps: int, quick: bool, **options: Any) -> float:
    """Return the KL alone."""
    return draws(name, flow, steps, quick, **options)[0]


def toy_gaps(
    quick: bool, flow: str, bars: dict[str, float], **options: Any
) -> Iterator[Figure]:
    """Yield gaps to entropies, means over draws of 512 points, 500 steps."""
    steps, seeds, layers = (1, 1, 1) if quick else (500, 5, 8)
    for toy, bar in bars.items():
        gaps = []
        for seed in range(seeds):
            x = datasets.toy(toy, 512, seed)
            fitted, _ = tfp_flows.fit(
                flow,
                x,
                **{"num_layers": layers, "epochs": steps, "batch_size": 512},
                **{"learning_rate": 5e-3, "validation": None, "base": "normal"},
                **{"seed": seed, "verbose": 0, **options},
            )
            test = datasets.toy(toy, 100_000, seed + 1_000)
            gaps.append(nll(fitted, test) - datasets.toy_entropy(toy))
        what = f"gap to the entropy of {toy}, 500 steps"
        yield Figure(what, mean(iter(gaps)), bar, reference="0")


@entry("eight-planar-layers", "A1", TONYDUAN)
def eight_planar(quick: bool) -> Iterator[Figure]:
    """The code of the example cannot sample; here an inverse is found."""
    yield from toy_gaps(quick, "planar", {"ex_2d_mixture": 0.45})


@entry("eight-radial-layers", "A2", TONYDUAN)
def eight_radial(quick: bool) -> Iterator[Figure]:
    """Both directions are closed forms."""
    yield from toy_gaps(quick, "radial", {"ex_2d": 0.20})


@entry("planar-ring", "C2", "R. Vink 2019, sculpting distributions with flows")
def planar_ring(quick: bool) -> Iterator[Figure]:
    """5,000 steps of 1,000 samples, Adam at 1e-2; a log Z of 2.78624."""
    for count, bar in ((1, 1.09), (4, 0.48), (8, 0.15), (16, 0.06)):
        options = {"num_layers": count, "inverted": True, "rate": 1e-2}
        found = divergence("ring", "planar", 5_000, quick, **options)
        yield Figure(f"{count} planar layers: KL from the ring", found, bar)
        if quick:
            return


@entry("planar-energies", "B9", "Rezende & Mohamed 2015, energies u1 to u4")
def planar_energies(quick: bool) -> Iterator[Figure]:
    """20,000 steps of 1,000 samples, annealed over the first 10,000."""
    for name in ("u1", "u2", "u3", "u4"):
        found = []
        for count in (2, 8, 32):
            options = {"num_layers": count, "inverted": True, "annealed": 10_000}
            found.append(divergence(name, "planar", 20_000, quick, **options))
            bar = 0.15 if (name, count) == ("u1", 32) else None
            yield Figure(f"{count} planar layers: KL from {name}", found[-1], bar)
            if quick:
                return
        steps = max(np.diff(found))
        yield Figure(f"largest rise of the KL from {name} with layers", steps, 0.0)


@entry("spline-energies", "B9, C2", "Rezende & Mohamed 2015, energies, by splines")
def spline_energies(quick: bool) -> Iterator[Figure]:
    """Six spline couplings, 5,000 steps of 1,000 samples; moments on the box."""
    for name in ("u1", "u2", "u3", "u4", "ring"):
        count = 1 if quick else 6
        found, z = draws(name, "nsf", 5_000, quick, num_layers=count, annealed=2_500)
        bar = 0.01 if name == "ring" else 0.03
        yield Figure(f"6 spline couplings: KL from {name}", found, bar, reference="0")
        if quick:
            return
        if name == "ring":
            continue
        x = SIDE * np.tanh(z.astype(np.float64))
        means, variances = MOMENTS[name]
        off = np.abs(x.var(axis=0) / variances - 1.0).max()
        yield Figure(f"largest relative error of a variance of {name}", off, 0.03)
        off = np.abs(x.mean(axis=0) - means).max()
        yield Figure(f"largest error of a mean of {name}", off, 0.03)


@entry("sylvester-energy", "G17", "van den Berg et al. 2018, beside planar layers")
def sylvester_energy(quick: bool) -> Iterator[Figure]:
    """Eight Sylvester layers of two directions have the bends of 16 planar ones."""
    options = {"inverted": True, "annealed": 2_500}
    count = 1 if quick else 16
    planar = divergence("u1", "planar", 5_000, quick, num_layers=count, **options)
    yield Figure("16 planar layers: KL from u1", planar)
    for kind in ("orthogonal", "householder", "triangular"):
        count = 1 if quick else 8
        given = {"num_layers": count, "kind": kind, **options}
        found = divergence("u1", "sylvester", 5_000, quick, **given)
        bar = planar if kind == "orthogonal" else None
        yield Figure(f"8 {kind} layers: KL from u1", found, bar)
        if quick:
            return


@entry("rows-a-second", "E15", "anoflows, 15 planar or radial layers, 8 columns")
def rows_a_second(quick: bool) -> Iterator[Figure]:
    """Densities by `log_prob`, over the time of all cores; the median of 15 calls."""
    count, calls = (100, 1) if quick else (100_000, 15)
    x = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    for kind, bar in (("planar", 447_000), ("radial", 295_000)):
        flow = flows.build(kind, 8, num_layers=15, seed=0)
        perturb(flow, 0.1)
        flow.log_prob(x)  # traced
        found = []
        for _ in range(calls):
            start = time.process_time()
            np.asarray(flow.log_prob(x))
            found.append(count / (time.process_time() - start))
        what = f"{kind}: rows a second of the processor"
        yield least(what, float(np.median(found)), bar)
