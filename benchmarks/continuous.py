"""Continuous flows on toys: gaps to exact entropies, evaluations, and seconds.

    python benchmarks/continuous.py [--toys NAME ...] [--ways NAME ...] [--smoke]

`matching` is flow matching with optimal-transport pairs, `likelihood` the continuous
flow by likelihood. The gap is the mean over new points of the exact log-density minus
the flow's, in nats, by the steps that sampling takes; beside it that of a solution by
tolerance, so that no error of the solver counts as density. `NFE` are evaluations of
the network for one sample, `by tol` the most that the tolerance needs. Seconds are of
the processor, tracing included. The last lines say how much cheaper flow matching
comes to the gap that likelihood ends with: seconds of likelihood over its own.

Published: FFJORD (Grathwohl et al. 2018) shows the same toys without figures; bars are
the library's own.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _report
import numpy as np

import tfp_flows as tfpf

SEED = 0
BARS = {
    "matching": {"checkerboard": 0.114, "two_moons": 0.05},
    "likelihood": {"8gaussians": 0.06, "checkerboard": 0.15, "two_moons": 0.08},
}
FLOWS = {"matching": "flow-matching", "likelihood": "cnf"}
TOYS = ("8gaussians", "checkerboard", "two_moons")
# Flow matching takes points as if there were no end of them; likelihood needs fewer.
OPTIONS = {
    "matching": {"batch_size": 256, "learning_rate": 5e-3},
    "likelihood": {},
}
STEPS = {"matching": 6_000, "likelihood": 800}
TOLERANCE = 1e-4


def gap(flow: Any, toy: str, rows: int) -> tuple[float, float]:
    """Return the gap on new points, and its standard error."""
    new = tfpf.datasets.toy(toy, rows, seed=SEED + 1)
    log_prob = np.asarray(flow.log_prob(new), np.float64)
    excess = tfpf.datasets.toy_log_prob(toy, new) - log_prob
    return float(excess.mean()), float(excess.std() / np.sqrt(rows))


def measure(way: str, toy: str, rows: int, steps: int) -> dict:
    """Fit one flow to one toy.

    Args:
        way: `"matching"` or `"likelihood"`.
        toy: Name of the toy.
        rows: Number of points to fit.
        steps: Number of updates.

    Returns:
        Gaps, evaluations and seconds.
    """
    x = tfpf.datasets.toy(toy, rows, seed=SEED)
    start = time.process_time()
    options = {"seed": SEED, "verbose": 0, "jit_compile": steps > 10, **OPTIONS[way]}
    flow, _ = tfpf.fit(FLOWS[way], x, steps=steps, **options)
    seconds = time.process_time() - start
    found, error = gap(flow, toy, min(rows, 10_000))
    new = tfpf.datasets.toy(toy, min(rows, 1_000), seed=SEED + 1)
    evaluations = int(flow.path(new[:1]).num_evaluations[0])
    flow.solve_by(num_steps=None, tolerance=TOLERANCE)
    exact, _ = gap(flow, toy, len(new))
    most = int(np.max(flow.path(new).num_evaluations))
    return {
        "gap": found,
        "error": error,
        "by_tolerance": exact,
        "evaluations": evaluations,
        "most": most,
        "seconds": seconds,
    }


def show(way: str, toy: str, steps: int, found: dict) -> None:
    """Print a line of the table."""
    bar = BARS[way].get(toy)
    end = "" if bar is None else f"{bar:8.3f} {_report.verdict(found['gap'], bar)}"
    print(
        f"{way:<11} {toy:<13} {steps:6d} {found['gap']:8.3f} {found['error']:6.3f} "
        f"{found['by_tolerance']:8.3f} {found['evaluations']:4d} {found['most']:6d} "
        f"{found['seconds']:8.1f} {end}",
        flush=True,
    )


def cheaper(toy: str, rows: int, target: dict, smoke: bool) -> None:  # noqa: FBT001
    """Print how long flow matching takes to the gap that likelihood came to."""
    steps = (4,) if smoke else (500, 1_000, 2_000, 4_000, 8_000)
    for count in steps:
        found = measure("matching", toy, rows, count)
        if found["gap"] <= target["gap"] or smoke:
            ratio = target["seconds"] / found["seconds"]
            print(
                f"{toy}: gap {found['gap']:.3f} after {found['seconds']:.1f} s of flow "
                f"matching ({count} steps), {target['gap']:.3f} after "
                f"{target['seconds']:.1f} s of likelihood: {ratio:.1f} times cheaper, "
                f"wanted at least 5",
                flush=True,
            )
            return
    print(f"{toy}: flow matching does not come to {target['gap']:.3f}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--ways", nargs="+", choices=FLOWS, default=list(FLOWS))
    parser.add_argument("--toys", nargs="+", choices=TOYS, default=list(TOYS))
    parser.add_argument("--rows", type=int, default=60_000)
    arguments = parser.parse_args(argv)
    if arguments.smoke:
        arguments = argparse.Namespace(
            ways=list(FLOWS), toys=["two_moons"], rows=200, smoke=True
        )
    _report.header("Continuous flows: gap to the exact entropy, nats", "scipy")
    print(
        f"{'way':<11} {'toy':<13} {'steps':>6} {'gap':>8} {'+-':>6} {'by tol':>8} "
        f"{'NFE':>4} {'by tol':>6} {'seconds':>8} {'bar':>8}"
    )
    for toy in arguments.toys:
        for way in arguments.ways:
            steps = 4 if arguments.smoke else STEPS[way]
            found = measure(way, toy, arguments.rows, steps)
            show(way, toy, steps, found)
            if way == "likelihood" and "matching" in arguments.ways:
                cheaper(toy, arguments.rows, found, arguments.smoke)
    return 0


if __name__ == "__main__":
    sys.exit(main())
