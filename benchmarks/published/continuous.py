"""Continuous flows: identities, toys by likelihood, and toys by flow matching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_flows
from published.entries import Figure, entry
from tfp_flows import bijectors, datasets, networks
from tfp_flows.testing import perturb

# The gaps that are asked for.
FFJORD = {"8gaussians": 0.06, "checkerboard": 0.15, "two_moons": 0.08}
MATCHED = {"checkerboard": 0.114, "two_moons": 0.05}
# Flow matching takes points as if there were no end of them.
ROWS = {"cnf": 10_000, "flow-matching": 60_000}
OPTIONS = {"cnf": {}, "flow-matching": {"batch_size": 256, "learning_rate": 5e-3}}
NEW = 10_000


def toys(
    name: str, bars: dict[str, float], steps: int, *, quick: bool
) -> Iterator[Figure]:
    """Fit each toy; yield gaps on new points and the evaluations of one sample."""
    rows, count = (200, 200) if quick else (ROWS[name], NEW)
    for toy, bar in list(bars.items())[: 1 if quick else None]:
        x, new = datasets.toy(toy, rows, seed=0), datasets.toy(toy, count, seed=1)
        given = {
            **OPTIONS[name],
            "steps": 4 if quick else steps,
            "jit_compile": not quick,
        }
        flow, _ = tfp_flows.fit(name, x, seed=0, verbose=0, **given)
        log_prob = np.asarray(flow.log_prob(new), np.float64)
        gap = np.mean(datasets.toy_log_prob(toy, new) - log_prob)
        yield Figure(f"{toy}: gap to the entropy", float(gap), bar, reference="0")
        cost = float(flow.path(new[:1]).num_evaluations[0])
        most = 40.0 if name == "flow-matching" else None
        yield Figure(f"{toy}: evaluations a sample", cost, most)
        flow.solve_by(num_steps=None, tolerance=1e-4)
        exact = np.mean(flow.log_prob(new[:1_000]) - log_prob[:1_000])
        yield Figure(f"{toy}: error of the density by its solver", abs(float(exact)))


def random_map(**options: Any) -> bijectors.NeuralODE:
    """Return a map of random weights on the plane."""
    net = networks.VectorField(2, (16, 16), num_frequencies=1, seed=0)
    perturb(net, 0.1)
    return bijectors.NeuralODE(net, num_steps=None, tolerance=1e-5, **options)


@entry("neural-ode", "B10, F5", "Chen et al. 2018, Grathwohl et al. 2018: identities")
def identities(quick: bool) -> Iterator[Figure]:
    """Times that add up, round trips, and traces by random directions."""
    count = 20 if quick else 1_000
    x, whole = tf.random.stateless_normal([count, 2], [0, 1]), random_map()
    y = whole.forward(x)
    half = whole.copy(stop=0.3).forward(x)
    added = whole.copy(start=0.3).forward(half)
    yield Figure("flow of 0.3 + 0.7 less that of 1", worst(added, y), 1e-4)
    same = whole.copy(stop=0.0).forward(x)
    yield Figure("flow of 0 less the identity", worst(same, x), 1e-4)
    back = whole.inverse(tf.identity(y))
    yield Figure("round trip, tolerance 1e-5", worst(back, x), 1e-3)
    rough = whole.copy(exact=False, num_steps=20)
    exact = whole.copy(num_steps=20).forward_log_det_jacobian(x[:1], 1)
    found = rough.forward_log_det_jacobian(tf.repeat(x[:1], count, axis=0), 1).numpy()
    errors = abs(found.mean() - exact[0]) * np.sqrt(count) / found.std()
    yield Figure("mean over probes less exact, standard errors", float(errors), 3.0)
    yield Figure("evaluations, mean", float(np.mean(whole.path(x).num_evaluations)))


def worst(found: tf.Tensor, expected: tf.Tensor) -> float:
    """Return the largest difference."""
    return float(tf.reduce_max(tf.abs(found - expected)))


@entry("ffjord-toys", "B10", "Grathwohl et al. 2018, toys of section 4")
def ffjord(quick: bool) -> Iterator[Figure]:
    """The continuous flow by likelihood."""
    yield from toys("cnf", FFJORD, 800, quick=quick)


@entry("flow-matching-toys", "B10", "Tong et al. 2023, flow matching with pairs")
def matching(quick: bool) -> Iterator[Figure]:
    """Flow matching with the library's defaults."""
    yield from toys("flow-matching", MATCHED, 6_000, quick=quick)
