"""Fit the spline flows to four toy densities with their default settings.

3,000 steps of 512 fresh points, no early stopping, everything else by default:
`tfp_flows.fit(name, x, epochs=1, batch_size=512, validation=None, seed=0)`. The figure
is the negative log-likelihood of 100,000 further points, in nats; "gap" is that minus
the exact entropy.

Run `python benchmarks/toys.py` (about ten minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import _report
import numpy as np

import tfp_flows
from tfp_flows import datasets

BARS = {"8gaussians": 2.87, "checkerboard": 3.56, "2spirals": 2.75, "two_moons": 0.33}
STEPS = 3_000
BATCH = 512
HELD_OUT = 100_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--flow", nargs="+", default=["nsf-ar", "nsf"])
    parser.add_argument("--toy", nargs="+", choices=BARS, default=list(BARS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    steps, options = STEPS, {}
    if args.smoke:
        steps, options = 2, {"hidden_units": (8, 8), "num_layers": 1}
        args.flow, args.toy = args.flow[:1], args.toy[:1]
    _report.header(f"toys, {steps} steps of {BATCH}")
    print(
        f"{'flow':8}{'toy':14}{'held-out':>9}{'se':>8}{'gap':>8}{'at most':>9}"
        f"{'reached':>9}{'seconds':>9}"
    )
    for name in args.flow:
        for toy in args.toy:
            x = datasets.toy(toy, steps * BATCH, seed=args.seed)
            test = datasets.toy(toy, HELD_OUT, seed=args.seed + 1_000)
            start = time.perf_counter()
            flow, _ = tfp_flows.fit(
                name,
                x,
                epochs=1,
                batch_size=BATCH,
                validation=None,
                seed=args.seed,
                verbose=0,
                **options,
            )
            seconds = time.perf_counter() - start
            losses = -np.asarray(flow.log_prob(test), np.float64)
            loss, error = losses.mean(), losses.std() / np.sqrt(HELD_OUT)
            print(
                f"{name:8}{toy:14}{loss:9.4f}{error:8.4f}"
                f"{loss - datasets.toy_entropy(toy):8.4f}{BARS[toy]:9.2f}"
                f"{_report.verdict(loss, BARS[toy]):>9}{seconds:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
