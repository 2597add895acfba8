"""Measure how far float32 log-densities of deep spline flows are from float64.

Each flow has 8 layers; its twin in float64 holds the same weights, and both see the
same float32 points. Random flows: noise of the given deviation on every weight, for
points from a standard normal of twice the width, over several sizes and seeds. Trained
flows: `tfp_flows.fit` on red wine (seed 0, at most 40 epochs), for the test wines of
fold 0. The column `logits` is the deviation of the spline parameters of the layer next
to the data, which says how far from the identity a flow is: compare random with trained
ones.

Per flow the median, the mean and the largest difference over the points in nats, and
how much of the largest the log-density's own sensitivity explains: `1 ulp` is the
largest change of the float64 log-density when each input moves by one ulp of float32,
the least that any float32 code must accept.

Run `python benchmarks/drift.py` (about three minutes on two cores).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import _report
import numpy as np
import tensorflow as tf

import tfp_flows
from tfp_flows import datasets, flows
from tfp_flows.testing import perturb

BAR = 1e-4
LAYERS = 8
POINTS = 2_000
SIZES = (2, 11)
NOISES = (0.05, 0.1, 0.2)
SEEDS = 2


def twin(flow: flows.Flow) -> flows.Flow:
    """Return the same flow in float64."""
    config = {**flow.get_config(), "dtype": "float64"}
    out = type(flow).from_config(config)
    out.set_weights([w.astype(np.float64) for w in flow.get_weights()])
    return out


def spread(flow: flows.Flow, x: np.ndarray) -> float:
    """Return the deviation of the spline parameters next to the data."""
    layers = [m for m in flow.bijector().bijectors if hasattr(m, "transformer")]
    layer = layers[0]
    taken = x[:, np.asarray(layer.mask)] if hasattr(layer, "mask") else x
    return float(tf.math.reduce_std(layer.conditioner(tf.constant(taken))))


def differences(flow: flows.Flow, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return |float32 - float64| for each point, and what one ulp of input does."""
    exact = twin(flow)
    truth = exact.log_prob(x.astype(np.float64)).numpy()
    signs = np.sign(np.random.default_rng(0).standard_normal(x.shape))
    moved = exact.log_prob(x.astype(np.float64) + signs * np.spacing(np.abs(x)))
    found = flow.log_prob(x).numpy().astype(np.float64)
    return np.abs(found - truth), float(np.abs(moved.numpy() - truth).max())


def report(name: str, note: str, flow: flows.Flow, x: np.ndarray) -> np.ndarray:
    """Print one line and return its median and largest difference."""
    error, ulp = differences(flow, x)
    print(
        f"{name:8}{flow.event_size:3d} {note:10}{spread(flow, x):8.2f}"
        f"{np.median(error):10.1e}{error.mean():10.1e}{error.max():10.1e}{ulp:10.1e}",
        flush=True,
    )
    return np.array([np.median(error), error.max()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    args = parser.parse_args(arguments)
    sizes, noises, seeds = SIZES, NOISES, SEEDS
    options: dict[str, Any] = {"num_layers": LAYERS}
    if args.smoke:
        sizes, noises, seeds = (2,), (0.1,), 1
        options = {"num_layers": 2, "hidden_units": (8, 8)}
    _report.header(f"float32 against float64, {options['num_layers']} layers")
    print(
        f"{'flow':8}{'D':>3} {'weights':10}{'logits':>8}{'median':>10}{'mean':>10}"
        f"{'max':>10}{'1 ulp':>10}"
    )
    found = []
    for name in ("nsf-ar", "nsf"):
        for size in sizes:
            for noise in noises:
                for seed in range(seeds):
                    flow = flows.build(name, size, seed=seed, **options)
                    perturb(flow.bijector(), noise, seed)
                    rng = np.random.default_rng(seed)
                    x = 2.0 * rng.standard_normal((POINTS, size)).astype(np.float32)
                    found.append(report(name, f"+-{noise} #{seed}", flow, x))
    for name in () if args.smoke else ("nsf-ar", "nsf"):
        train, test = next(datasets.wine_folds("red"))
        flow, _ = tfp_flows.fit(
            name,
            train.x,
            columns="continuous",
            epochs=40,
            seed=0,
            verbose=0,
            **options,
        )
        found.append(report(name, "trained", flow, np.float32(test.x)))
    table = np.array(found)
    middle = np.median(table, axis=0)
    print(
        f"median flow: median point {middle[0]:.1e} ({BAR:.0e}: "
        f"{_report.verdict(middle[0], BAR)}), largest of all points {middle[1]:.1e} "
        f"({BAR:.0e}: {_report.verdict(middle[1], BAR)})"
    )


if __name__ == "__main__":
    main()
