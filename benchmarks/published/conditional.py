"""Densities of targets given conditions, beside exact ones and a mixture network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

import tfp_flows
from published.entries import Figure, entry, least, nll

Density = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Modes of two targets: where they are for a condition of 0, where they go, how wide.
STARTS = np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, -2.0]])
MOVES = np.array([[0.0, 1.5], [-1.0, 0.0], [1.0, 1.0]])
WIDTHS = np.array([0.4, 0.6, 0.3])


@dataclasses.dataclass(frozen=True)
class Process:
    """A process that draws conditions and targets, and knows the density.

    Args:
        draw: Conditions and targets, each `[n]`, from a generator and a number.
        pdf: Density of targets given conditions.
    """

    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    pdf: Density


def economy() -> Process:
    """A parabola whose noise grows with the condition."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        c = np.abs(rng.normal(size=n))
        return c, c**2 + (1.0 + c) * rng.normal(size=n)

    return Process(draw, lambda y, c: stats.norm.pdf(y, c**2, 1.0 + c))


def jumps() -> Process:
    """Returns of a day given those of the day before, one in ten of them a fall."""
    level, slope, width, chance = 0.1, 0.2, 0.05, 0.1

    def middle(c: np.ndarray) -> np.ndarray:
        return level * (1.0 - slope) + slope * c

    def step(rng: np.random.Generator, c: np.ndarray) -> np.ndarray:
        noise, falls = rng.normal(size=c.shape), rng.uniform(size=c.shape) < chance
        fall = -3.0 * level + 2.0 * width * noise
        return middle(c) + np.where(falls, fall, width * noise)

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        c = np.zeros(n)
        for _ in range(20):
            c = step(rng, c)
        return c, step(rng, c)

    def pdf(y: np.ndarray, c: np.ndarray) -> np.ndarray:
        calm = stats.norm.pdf(y, middle(c), width)
        fall = stats.norm.pdf(y, middle(c) - 3.0 * level, 2.0 * width)
        return (1.0 - chance) * calm + chance * fall

    return Process(draw, pdf)


def mixture() -> Process:
    """Five Gaussians of condition and target."""
    rng = np.random.default_rng(5)
    weights, means = rng.dirichlet(np.full(5, 4.0)), rng.normal(0, 1.5, (2, 5))
    widths = rng.uniform(0.3, 0.8, (2, 5))

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        which = rng.choice(5, size=n, p=weights)
        found = means[:, which] + widths[:, which] * rng.normal(size=(2, n))
        return found[0], found[1]

    def pdf(y: np.ndarray, c: np.ndarray) -> np.ndarray:
        given = weights * stats.norm.pdf(c[..., None], means[0], widths[0])
        each = stats.norm.pdf(y[..., None], means[1], widths[1])
        return (given * each).sum(axis=-1) / given.sum(axis=-1)

    return Process(draw, pdf)


def skewed() -> Process:
    """Skew normals whose place, width and skewness depend on the condition."""

    def shape(c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return -4.0 + 4.0 / (1.0 + np.exp(-c)), 0.1 * c, 0.05 + 0.1 * c**2

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        c = rng.normal(0.0, 0.5, size=n)
        return c, np.asarray(stats.skewnorm.rvs(*shape(c), random_state=rng))

    return Process(draw, lambda y, c: stats.skewnorm.pdf(y, *shape(c)))


PROCESSES = {
    "economy": economy,
    "jumps": jumps,
    "mixture": mixture,
    "skew normal": skewed,
}


def mixture_network(y: np.ndarray, c: np.ndarray, *, quick: bool, seed: int) -> Density:
    """Fit a network that says ten Gaussians of the target, by Keras' own training.

    Two layers of 16, and the weights of the epoch that validates best.
    """
    keras.utils.set_random_seed(seed)
    moments = [(a.mean(), a.std()) for a in (y, c)]

    def units(a: np.ndarray, which: int) -> np.ndarray:
        mean, deviation = moments[which]
        return ((a - mean) / deviation)[:, None].astype(np.float32)

    def density(parts: tf.Tensor) -> tfd.Distribution:
        logits, means, widths = tf.split(parts, 3, axis=-1)
        kernels = tfd.Normal(means, 1e-3 + tf.math.softplus(widths))
        return tfd.MixtureSameFamily(tfd.Categorical(logits), kernels)

    hidden = [keras.layers.Dense(16, "tanh") for _ in range(2)]
    network = keras.Sequential([keras.Input([1]), *hidden, keras.layers.Dense(30)])
    network.compile(
        keras.optimizers.Adam(3e-3),
        loss=lambda truth, parts: -density(parts).log_prob(truth[:, 0]),
    )
    network.fit(
        units(c, 1),
        units(y, 0),
        validation_split=0.1,
        batch_size=64,
        epochs=1 if quick else 500,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=40, restore_best_weights=True)
        ],
        verbose=0,
    )

    def pdf(y: np.ndarray, c: np.ndarray) -> np.ndarray:
        parts = network(units(c.ravel(), 1))
        log_prob = density(parts).log_prob(units(y.ravel(), 0)[:, 0])
        return (np.exp(log_prob) / moments[0][1]).reshape(y.shape)

    return pdf


def hellinger(process: Process, pdf: Density, seed: int) -> float:
    """Return the mean Hellinger distance from the truth over 100 conditions."""
    c, y = process.draw(np.random.default_rng(seed + 1_000), 4_000)
    room = 0.5 * (y.max() - y.min())
    grid = np.linspace(y.min() - room, y.max() + room, 4_001)
    found = []
    for given in np.sort(c)[20::40]:
        truth = process.pdf(grid, np.full(grid.shape, given))
        ours = pdf(grid, np.full(grid.shape, given))
        shared = np.trapezoid(np.sqrt(truth * ours), grid)
        found.append(np.sqrt(max(0.0, 1.0 - shared)))
    return float(np.mean(found))


FLOWS: dict[str, dict[str, int]] = {"nsf-ar": {}, "maf-mol": {"members": 5}}


def density_of(flow: Any) -> Density:
    """Return the density of a flow as a function of targets and conditions, `[n]`."""

    def pdf(y: np.ndarray, c: np.ndarray) -> np.ndarray:
        log_prob = flow.log_prob(y[:, None], c[:, None])
        return np.exp(np.asarray(log_prob, np.float64))

    return pdf


@entry(
    "four-processes", "E10", "Rothfuss et al. 2019, conditional densities, 1,600 rows"
)
def four_processes(quick: bool) -> Iterator[Figure]:
    """The default flow, and five mixtures of logistics, beside a mixture network.

    Means over three draws of the rows. The bar is for the mixtures.
    """
    wins, count = 0, 100 if quick else 1_600
    few = {"epochs": 1, "num_layers": 1} if quick else {}
    for name, make in PROCESSES.items():
        process, theirs = make(), []
        ours: dict[str, list[float]] = {flow: [] for flow in FLOWS}
        for seed in range(1 if quick else 3):
            c, y = process.draw(np.random.default_rng(seed), count)
            network = mixture_network(y, c, quick=quick, seed=seed)
            theirs.append(hellinger(process, network, seed))
            for flow, options in FLOWS.items():
                given = {**options, **few, "seed": seed, "verbose": 0}
                fitted, _ = tfp_flows.fit(flow, y[:, None], c[:, None], **given)
                ours[flow].append(hellinger(process, density_of(fitted), seed))
        beside = f"network {np.mean(theirs):.4f}"
        for flow, found in ours.items():
            what = f"{name}, {flow}: Hellinger distance"
            yield Figure(what, float(np.mean(found)), reference=beside)
        wins += int(np.mean(ours["maf-mol"]) <= np.mean(theirs))
        if quick:
            return
    yield least("maf-mol: processes of 4 no farther than the network", wins, 3)


def two_targets(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets `[n, 2]` of three modes that move with a condition `[n, 1]`."""
    rng = np.random.default_rng(seed)
    c, which = rng.uniform(-1, 1, [n, 1]), rng.integers(3, size=n)
    noise = WIDTHS[which, None] * rng.normal(size=[n, 2])
    return (STARTS[which] + c * MOVES[which] + noise).astype(np.float32), c


def two_targets_log_prob(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the exact log-density of two targets, `[n]`."""
    apart = (x[:, None] - STARTS - c[:, :, None] * MOVES) / WIDTHS[:, None]
    each = -0.5 * np.square(apart).sum(axis=-1) - 2.0 * np.log(WIDTHS)
    return np.logaddexp.reduce(each, axis=-1) - np.log(3.0) - np.log(2.0 * np.pi)


@entry(
    "two-targets", "E7", "CDE_with_BNF: places of events by autoregressive densities"
)
def two_targets_entry(quick: bool) -> Iterator[Figure]:
    """5,000 rows of three modes that move with the condition, 50,000 to score."""
    x, c = two_targets(200 if quick else 5_000, 0)
    test, given = two_targets(1_000 if quick else 50_000, 1)
    floor = -float(two_targets_log_prob(test, given).mean())
    for flow in ("nsf-ar", "maf-mol"):
        few = {"epochs": 1, "num_layers": 1, "hidden_units": (8,)} if quick else {}
        fitted, _ = tfp_flows.fit(flow, x, c, seed=0, verbose=0, **few)
        found = nll(fitted, test, given)
        yield Figure(
            f"{flow}: NLL", found, floor + 0.05, reference=f"truth {floor:.4f}"
        )
        if quick:
            return
