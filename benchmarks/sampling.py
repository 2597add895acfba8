"""Check what flows sample: against their inverse, and for numbers that are not finite.

Every flow has its default networks with normal noise of deviation 0.05 on all weights,
so that none is the identity. A twin in float64 has the same weights.

`by pass` holds samples of float64 against the other direction: base points go forward,
which for autoregressive flows is one coordinate after the other, and come back by
`inverse`, which is one pass through each network. `back` is the same for samples of
float32, which the twin takes back: where the map is steep, their rounding counts for
more. `f32` is how far samples of float32 lie from those of the twin. All three are
largest differences of a coordinate `v`, over `1 + |v|`, over 2,000 events.

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


def errors(flow: tfp_flows.flows.Flow, exact: tfp_flows.flows.Flow) -> list[float]:
    """Return how far samples are off: of the twin by a pass, back, of the twin's."""
    z = tf.random.stateless_normal([EVENTS, flow.event_size], [1, 2], dtype=tf.float32)
    wide = tf.cast(z, tf.float64)
    x, x_wide = (
        tf.cast(tf.function(f.bijector().forward, autograph=False)(v), tf.float64)
        for f, v in ((flow, z), (exact, wide))
    )
    inverse = tf.function(exact.bijector().inverse, autograph=False)
    pairs = ((inverse(x_wide), wide), (inverse(x), wide), (x, x_wide))
    return [float(np.max(np.abs(a - b) / (1.0 + np.abs(b)))) for a, b in pairs]


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
    parser.add_argument("--samples", type=int, default=SAMPLES)
    args = parser.parse_args(arguments)
    options, count = {}, args.samples
    if args.smoke:
        options, count = {"num_layers": 1}, 100
        args.flow, args.sizes = args.flow[:1], args.sizes[:1]
    _report.header("samples")
    print(
        f"{'flow':16}{'D':>4}{'by pass':>10}{'back':>10}{'f32':>10}"
        f"{'log_prob: median':>18}{'largest':>10}{'samples':>10}"
        f"{'bad':>6}{'seconds':>9}"
    )
    worst, failed = 0.0, 0
    for size in args.sizes:
        for name in args.flow:
            start = time.perf_counter()
            exact, flow = twins(name, size, **options)
            found = errors(flow, exact)
            gaps = density(flow)
            # At the smallest size only: the others differ in nothing but time.
            drawn = count if size == min(args.sizes) else EVENTS
            wrong = bad(flow, drawn)
            worst, failed = max(worst, found[2]), failed + wrong
            seconds = time.perf_counter() - start
            cells = "".join(f"{error:10.1e}" for error in found)
            print(
                f"{name:16}{size:4d}{cells}{gaps[0]:18.1e}{gaps[1]:10.1e}{drawn:10d}{wrong:6d}{seconds:9.0f}",
                flush=True,
            )
    print(
        f"largest error in float32 {worst:.1e} ({BAR:.0e}: "
        f"{_report.verdict(worst, BAR)}), not finite {failed} "
        f"(0: {_report.verdict(failed, 0)})"
    )


if __name__ == "__main__":
    main()
