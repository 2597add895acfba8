"""A table of unlike columns, beside its exact log-density.

The default flow is fitted to `datasets.mixed_table`: a normal column, counts, a bounded
one, one with 70 % zeros, and a category, of which all depend on the first. "gap" is the
mean over fresh rows of the flow's `log_prob` less the truth, in nats, with a standard
error: at most 0 but for chance. "mass" is the sum and integral of `exp(log_prob)` over
all values: the mean, over draws of the flow, of `exp(log_prob)` over what it is with so
many points in each cell that it is exact.

Run `python benchmarks/mixed_table.py`: about ten minutes of one core.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import _report
import numpy as np

import tfp_flows as tfpf
from tfp_flows.preprocessing import Preprocessing

__all__ = ["main"]

# The gap is to be at most so large, and the mass 1 within so much.
GAP, MASS = 0.05, 0.002
COLUMNS = tuple(tfpf.datasets.MIXED_COLUMNS)


def _mass(flow: tfpf.flows.Flow, draws: int, points: int) -> tuple[float, float]:
    """Return the total mass of a flow and its standard error."""
    x = flow.sample(draws, seed=2).numpy()
    config = flow.get_config()
    spec = dataclasses.replace(flow.preprocessing, points=points)
    exact = type(flow).from_config({**config, "preprocessing": spec})
    exact.set_weights(flow.get_weights())
    ratio = np.exp(flow.log_prob(x).numpy() - exact.log_prob(x).numpy())
    return float(ratio.mean()), float(ratio.std() / np.sqrt(draws))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--flows", nargs="*", default=["nsf-ar"])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    given = parser.parse_args(arguments)
    rows, fresh, draws, points = given.rows, 20_000, 500, 4000
    if given.smoke:
        rows, fresh, draws, points, given.epochs = 300, 50, 20, 100, 1
    _report.header("mixed table: log-density of fresh rows less the truth, nats")
    print(f"columns: {Preprocessing(tuple(tfpf.datasets.MIXED_COLUMNS.values()))}")
    print(f"{'flow':<10}{'seed':>5}{'gap':>9}{'se':>8}{'mass':>9}{'se':>8}{'CPU s':>8}")
    test = tfpf.datasets.mixed_table(fresh, seed=1_000)
    truth = tfpf.datasets.mixed_table_log_prob(test)
    for name in given.flows:
        for seed in given.seeds:
            train = tfpf.datasets.mixed_table(rows, seed=seed)
            start = time.process_time()
            flow, _ = tfpf.fit(
                name,
                train.x,
                columns=dict(tfpf.datasets.MIXED_COLUMNS),
                epochs=given.epochs,
                seed=seed,
                verbose=0,
            )
            seconds = time.process_time() - start
            lead = flow.log_prob(test.x).numpy() - truth
            mass, error = _mass(flow, draws, points)
            print(
                f"{name:<10}{seed:>5}{lead.mean():>9.4f}"
                f"{lead.std() / np.sqrt(fresh):>8.4f}{mass:>9.4f}{error:>8.4f}"
                f"{seconds:>8.0f}"
            )
    print(f"wanted: a gap of at most {GAP}, a mass of 1 within {MASS}")


if __name__ == "__main__":
    main()
