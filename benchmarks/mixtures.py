"""Fit small flows to the mixtures of the classic two-block examples.

The data are those of the examples `ex_1d` and `ex_2d` of
https://github.com/tonyduan/normalizing-flows: one fixed draw of 512 points (the default
of the examples), all of them in each step. The density is standardised once, not each
draw by its own deviation. A block of a coupling flow moves both halves, so that two
blocks are four coupling layers here; two blocks of an autoregressive flow are two
layers.

"gap" is the negative log-likelihood of 100,000 fresh points minus the exact entropy, in
nats, averaged over seeds (of data and flow). `fit` is the library's default: a tenth of
the points stops the training early and the best weights are kept. `--no-stopping`
trains on all points to the last step instead, which is where flows without safeguards
overfit.

Run `python benchmarks/mixtures.py` (some ten minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import _report
import numpy as np

import tfp_flows
from tfp_flows import datasets

POINTS = 512
HELD_OUT = 100_000


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        row: Its name.
        flow: Name of the flow.
        layers: Number of layers.
        toy: Name of the density.
        steps: Upper bound of full-batch steps.
        seeds: Number of seeds.
        bar: Gap to reach.
        stretch: Gap to hope for.
        options: Of the flow, where they are not the defaults.
    """

    row: str
    flow: str
    layers: int
    toy: str
    steps: int
    seeds: int
    bar: float
    stretch: float
    options: Mapping[str, Any] = MappingProxyType({})


# Two affine autoregressive layers cannot tell four bumps apart but by steps of their
# networks, which small smooth networks make from few points more steadily.
SMALL = {"hidden_units": (16, 16), "activation": "tanh"}
# One autoregressive layer of splines can be any density of two coordinates, and of one
# coordinate it is a single spline: with the few numbers that the example has too, all
# points may be used to the last step.
EXAMPLE = {
    "num_bins": 5,
    "tail_bound": 3.0,
    "hidden_units": (8, 8),
    "activation": "tanh",
    "validation": None,
}
# Two coupling layers follow single points sooner: noise of a tenth of a deviation keeps
# them smooth.
SMOOTH = EXAMPLE | {"noise": 0.1}
ROWS = (
    Row("A3", "realnvp", 4, "ex_2d", 500, 5, 0.104, 0.08),
    Row("A6", "maf", 2, "ex_2d", 500, 5, 0.129, 0.10, SMALL),
    Row("A6", "maf", 2, "ex_2d", 2000, 5, 0.20, 0.10, SMALL),
    Row("A7", "nsf-ar", 1, "ex_1d", 500, 5, 0.020, 0.010, EXAMPLE),
    Row("A7", "nsf-ar", 1, "ex_2d", 500, 5, 0.093, 0.06, EXAMPLE),
    Row("A8", "nsf", 2, "ex_2d", 500, 5, 0.10, 0.06, SMOOTH),
    Row("A8", "nsf", 2, "ex_2d_mixture", 500, 5, 0.08, 0.06, SMOOTH),
    Row("A8", "nsf", 2, "ex_2d", 2000, 5, 0.15, 0.06, SMOOTH),
    Row("A8", "nsf", 2, "ex_2d_mixture", 2000, 5, 0.15, 0.06, SMOOTH),
)


def gap(row: Row, seed: int, options: dict[str, Any]) -> tuple[float, int]:
    """Return the gap of one fit and the number of steps taken."""
    x = datasets.toy(row.toy, POINTS, seed=seed)
    test = datasets.toy(row.toy, HELD_OUT, seed=seed + 1_000)
    settings = {
        "epochs": row.steps,
        "batch_size": POINTS,
        "num_layers": row.layers,
        **row.options,
        "seed": seed,
        "verbose": 0,
        **options,
    }
    flow, history = tfp_flows.fit(row.flow, x, **settings)
    loss = -np.mean(np.asarray(flow.log_prob(test), np.float64))
    return float(loss - datasets.toy_entropy(row.toy)), len(history.epoch)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--no-stopping", action="store_true")
    parser.add_argument("--rows", nargs="+", default=["A3", "A6", "A7", "A8"])
    parser.add_argument("--steps", nargs="+", type=int, default=[500, 2000])
    parser.add_argument("--seeds", type=int, default=5, help="at most so many")
    args = parser.parse_args(arguments)
    options: dict[str, Any] = {"validation": None} if args.no_stopping else {}
    rows = [row for row in ROWS if row.row in args.rows and row.steps in args.steps]
    if args.smoke:
        rows, args.seeds = rows[:1], 1
        options |= {"epochs": 1, "hidden_units": (8, 8), "num_layers": 1}
    _report.header(f"mixtures, {POINTS} points, full batches")
    print(
        f"{'row':4}{'flow':9}{'layers':>6} {'toy':14}{'at most':>8}{'taken':>7}"
        f"{'gap':>8}{'sd':>7}{'worst':>8}{'at most':>9}{'reached':>8}"
        f"{'stretch':>9}{'reached':>8}{'seconds':>9}"
    )
    for row in rows:
        start = time.perf_counter()
        count = min(row.seeds, args.seeds)
        found = np.array([gap(row, seed, options) for seed in range(count)])
        gaps, steps = found.T
        mean, deviation = gaps.mean(), gaps.std(ddof=min(1, count - 1))
        seconds = (time.perf_counter() - start) / count
        print(
            f"{row.row:4}{row.flow:9}{row.layers:6d} {row.toy:14}{row.steps:8d}"
            f"{steps.mean():7.0f}{mean:8.4f}{deviation:7.4f}{gaps.max():8.4f}"
            f"{row.bar:9.3f}{_report.verdict(mean, row.bar):>8}"
            f"{row.stretch:9.3f}{_report.verdict(mean, row.stretch):>8}"
            f"{seconds:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
