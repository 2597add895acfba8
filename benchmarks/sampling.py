"""Check what flows sample: against their inverse, and for numbers that are not finite.

Every flow has its default networks with normal noise of deviation 0.05 on all weights,
so that none is the identity. A twin in float64 has the same weights.

`by pass` holds a sample against the other direction: base points go forward, which for
autoregressive flows is one coordinate after the other, and come back by `inverse` of
the twin, which is one pass through each network; the figure is the largest difference
of a coordinate `z`, over `1 + |z|`, for samples of float64 and of float32, over 2,000
events.

`log_prob` holds the density of a sample, asked afterwards, against the one that comes
with it in one pass; float32, in nats, the median and the largest over 2,000 events.

`bad` counts the samples of a million, and log-densities of them, that are not finite,
float32.

Run `python benchmarks/sampling.py` (some fifteen minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import _report
import numpy as np
import tensorflow as tf

import tfp_flows
from tfp_flows import testing

SIZES = (8, 64)
EVENTS, SAMPLES, BLOCK = 2_000, 1_000_000, 50_000
NOISE, BAR = 0.05, 1e-5


def twins(name: str, size: int, **options: object) -> list[tfp_flows.flows.Flow]:
    """Return one flow in float64 and in float32."""
    out = []
    for dtype in ("float64", "float32"):
        flow = tfp_flows.flows.build(name, size, seed=0, dtype=dtype, **options)
        testing.perturb(flow.bijector(), NOISE)
        out.append(flow)
    return out


def by_pass(flow: tfp_flows.flows.Flow, exact: tfp_flows.flows.Flow) -> float:
    """Return how far base points are off after a round trip, back by the twin."""
    z = tf.random.stateless_normal([EVENTS, flow.event_size], [1, 2], dtype=tf.float32)
    forward = tf.function(flow.bijector().forward, autograph=False)
    inverse = tf.function(exact.bijector().inverse, autograph=False)
    x = tf.cast(forward(tf.cast(z, flow.variable_dtype)), tf.float64)
    z = tf.cast(z, tf.float64)
    return float(np.max(np.abs(inverse(x) - z) / (1.0 + np.abs(z))))


def density(flow: tfp_flows.flows.Flow) -> tuple[float, float]:
    """Return median and largest difference of two ways to the density of a sample."""
    both = tf.function(
        lambda seed: flow.distribution().experimental_sample_and_log_prob(
            EVENTS, seed=seed
        ),
        autograph=False,
    )
    x, log_prob = both(tf.constant([3, 4]))
    gaps = np.abs(flow.log_prob(tf.identity(x)) - log_prob)
    return float(np.median(gaps)), float(gaps.max())


def bad(flow: tfp_flows.flows.Flow, count: int) -> int:
    """Return the number of samples that are not finite, or have no finite density."""
    block, found = min(BLOCK, count), 0
    for seed in range(count // block):
        x = flow.sample(block, seed=seed)
        finite = np.isfinite(x).all(axis=-1) & np.isfinite(flow.log_prob(x))
        found += int(np.sum(~finite))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--flow", nargs="+", default=list(tfp_flows.flows.names()))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    args = parser.parse_args(arguments)
    options, count = {}, SAMPLES
    if args.smoke:
        options, count = {"num_layers": 1}, 100
        args.flow, args.sizes = args.flow[:1], args.sizes[:1]
    _report.header("samples")
    print(
        f"{'flow':16}{'D':>4}{'by pass: f64':>14}{'f32':>10}{'log_prob: median':>18}"
        f"{'largest':>10}{'samples':>10}{'bad':>6}{'seconds':>9}"
    )
    worst, failed = 0.0, 0
    for size in args.sizes:
        for name in args.flow:
            start = time.perf_counter()
            exact, flow = twins(name, size, **options)
            errors = [by_pass(f, exact) for f in (exact, flow)]
            gaps = density(flow)
            # At the smallest size only: the others differ in nothing but time.
            drawn = count if size == min(args.sizes) else EVENTS
            wrong = bad(flow, drawn)
            worst, failed = max(worst, errors[1]), failed + wrong
            seconds = time.perf_counter() - start
            print(
                f"{name:16}{size:4d}{errors[0]:14.1e}{errors[1]:10.1e}{gaps[0]:18.1e}"
                f"{gaps[1]:10.1e}{drawn:10d}{wrong:6d}{seconds:9.0f}",
                flush=True,
            )
    print(
        f"largest error in float32 {worst:.1e} ({BAR:.0e}: "
        f"{_report.verdict(worst, BAR)}), not finite {failed} "
        f"(0: {_report.verdict(failed, 0)})"
    )


if __name__ == "__main__":
    main()
