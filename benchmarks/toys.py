"""Every flow on every toy of the package, against the exact entropy.

    python benchmarks/toys.py [--flows NAME ...] [--toys NAME ...] [--steps N] [--smoke]

Each flow is fitted with its default settings to `--rows` points, and scored on as many
new ones. The gap is the mean over these of the exact log-density minus the flow's, in
nats: what the negative log-likelihood has above the entropy, without the noise that
both share. Seconds are of the fit, tracing included, on however many cores there are.
Flows of angles are left out: the toys have none.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _report
import numpy as np

import tfp_flows as tfpf

SMOKE = {
    "flows": ["linear"],
    "toys": ["8gaussians", "two_moons"],
    "rows": 200,
    "steps": 4,
}
SEED = 0


def measure(name: str, toy: str, rows: int, steps: int) -> dict[str, float]:
    """Fit one flow to one toy.

    Args:
        name: Name of the flow.
        toy: Name of the toy.
        rows: Number of points to fit, and of new points.
        steps: Most updates; flows that are fitted layer by layer have none.

    Returns:
        The gap, its standard error, the updates and the seconds.
    """
    x = tfpf.datasets.toy(toy, rows, seed=SEED)
    new = tfpf.datasets.toy(toy, rows, seed=SEED + 1)
    greedy = tfpf.flows.flow_class(name).fit_policy.method != "gradients"
    options = {} if greedy else {"steps": steps}
    start = time.perf_counter()
    flow, _ = tfpf.fit(name, x, seed=SEED, verbose=0, **options)
    seconds = time.perf_counter() - start
    excess = tfpf.datasets.toy_log_prob(toy, new) - np.asarray(
        flow.log_prob(new), np.float64
    )
    iterations = 0 if greedy else int(flow.optimizer.iterations)
    return {
        "gap": float(excess.mean()),
        "error": float(excess.std() / np.sqrt(rows)),
        "steps": iterations,
        "seconds": seconds,
    }


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = _report.parser(__doc__)
    names = [name for name in tfpf.flows.names() if name != "circular"]
    toys = [
        toy
        for toy in tfpf.datasets.toy_names()
        if tfpf.datasets.toy_entropy(toy) is not None
    ]
    parser.add_argument("--flows", nargs="+", choices=names, default=names)
    parser.add_argument("--toys", nargs="+", choices=toys, default=toys)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=2_000)
    arguments = parser.parse_args(argv)
    if arguments.smoke:
        arguments = argparse.Namespace(**SMOKE)
    _report.header("Gap to the exact entropy, nats")
    print(f"{'flow':<16} {'toy':<19} {'gap':>8} {'+-':>6} {'steps':>6} {'seconds':>7}")
    for toy in arguments.toys:
        for name in arguments.flows:
            found = measure(name, toy, arguments.rows, arguments.steps)
            print(
                f"{name:<16} {toy:<19} {found['gap']:8.3f} {found['error']:6.3f} "
                f"{found['steps']:6d} {found['seconds']:7.1f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
