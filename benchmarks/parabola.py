"""Fit autoregressive flows to the parabola, in both orders of its coordinates.

`x2 ~ N(0, 4^2)` and `x1 ~ N(x2^2 / 4, 1)`: with `x2` first every conditional is
Gaussian, with `x1` first the second one has two modes, which one Gaussian cannot
follow. 20,000 steps of 100 fresh points, `tfp_flows.fit` with its defaults and no early
stopping; the figure is the negative log-likelihood of 100,000 further points, whose
floor is the entropy 4.2242 nats.

MADE is `maf` with one layer and a normal base, MADE-MoG is `maf-mol` with one layer of
ten components and a normal base, so that both are the models of those names.

Run `python benchmarks/parabola.py` (about ten minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import _report
import numpy as np

import tfp_flows
from tfp_flows import datasets

STEPS = 20_000
BATCH = 100
HELD_OUT = 100_000
RIGHT, WRONG = "right-to-left", "left-to-right"
MADE = {"num_layers": 1, "base": "normal"}
MIXTURE = {**MADE, "num_components": 10}
# Name, flow, options, and the figure to reach.
MODELS: tuple[tuple[str, str, dict[str, Any], float | None], ...] = (
    ("MADE, x2 first", "maf", {**MADE, "order": RIGHT}, None),
    ("MADE, x1 first", "maf", {**MADE, "order": WRONG}, None),
    ("MADE-MoG(10), x2 first", "maf-mol", {**MIXTURE, "order": RIGHT}, 4.27),
    ("MADE-MoG(10), x1 first", "maf-mol", {**MIXTURE, "order": WRONG}, 4.27),
    ("MAF(5)", "maf", {"num_layers": 5}, 4.30),
    ("RQS-AR", "nsf-ar", {}, 4.25),
)
# What MADE must lose in the wrong order.
LOSS = 0.1


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--models", nargs="+", help="words of names to take")
    args = parser.parse_args(arguments)
    steps, options, models = STEPS, {}, MODELS
    if args.models:
        models = tuple(m for m in MODELS if any(word in m[0] for word in args.models))
    if args.smoke:
        steps, options, models = 2, {"hidden_units": (8,)}, MODELS[:1]
    _report.header(f"parabola, {steps} steps of {BATCH}")
    print(
        f"{'model':24}{'held-out':>9}{'se':>8}{'gap':>8}{'at most':>9}{'reached':>9}"
        f"{'seconds':>9}"
    )
    x = datasets.toy("parabola", steps * BATCH, seed=0)
    test = datasets.toy("parabola", HELD_OUT, seed=1_000)
    losses = {}
    for name, flow_name, settings, bar in models:
        start = time.perf_counter()
        flow, _ = tfp_flows.fit(
            flow_name,
            x,
            epochs=1,
            batch_size=BATCH,
            validation=None,
            seed=0,
            verbose=0,
            **settings,
            **options,
        )
        seconds = time.perf_counter() - start
        values = -np.asarray(flow.log_prob(test), np.float64)
        losses[name], error = values.mean(), values.std() / np.sqrt(HELD_OUT)
        limit = "-" if bar is None else f"{bar:.2f}"
        reached = "-" if bar is None else _report.verdict(losses[name], bar)
        print(
            f"{name:24}{losses[name]:9.4f}{error:8.4f}"
            f"{losses[name] - datasets.toy_entropy('parabola'):8.4f}{limit:>9}"
            f"{reached:>9}{seconds:9.0f}",
            flush=True,
        )
    first, second = (MODELS[i][0] for i in (0, 1))
    if first in losses and second in losses:
        lost = losses[second] - losses[first]
        print(
            f"MADE loses {lost:.3f} in the wrong order, at least {LOSS}: "
            f"{_report.verdict(lost, LOSS, at_least=True)}"
        )


if __name__ == "__main__":
    main()
