"""Check what flows sample: against their inverse, and for numbers that are not finite.

Every flow has its default networks with normal noise of deviation 0.05 on all weights,
so that none is the identity. Flows marked `trained` are fits to scikit-learn's pictures
of digits instead, 8 x 8 pixels with uniform noise of one grey level, at most 20 passes.
A twin in float64 has the same weights.

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

Run `python benchmarks/sampling.py` (some twenty minutes on two cores).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import _report
import numpy as np
import tensorflow as tf

import tfp_flows
from tfp_flows import testing
from tfp_flows.flows import Flow

SIZES = (8, 64)
EVENTS, SAMPLES, BLOCK = 2_000, 1_000_000, 50_000
NOISE, BAR = 0.05, 1e-5
TRAINED = ("maf", "nsf", "nsf-ar")


def noisy(name: str, size: int, **options: Any) -> list[Flow]:
    """Return a flow with noise on all weights, and the same in float64."""
    out = []
    for dtype in ("float32", "float64"):
        flow = tfp_flows.flows.build(name, size, seed=0, dtype=dtype, **options)
        testing.perturb(flow.bijector(), NOISE)
        out.append(flow)
    return out


def trained(name: str, epochs: int, **options: Any) -> list[Flow]:
    """Return a fit to the digits of scikit-learn, 64 pixels each, and its twin."""
    from sklearn.datasets import load_digits

    x = load_digits().data
    x = x + np.random.default_rng(0).random(x.shape)
    flow, _ = tfp_flows.fit(name, x, epochs=epochs, seed=0, verbose=0, **options)
    exact = type(flow).from_config({**flow.get_config(), "dtype": "float64"})
    exact.set_weights([np.asarray(w, np.float64) for w in flow.get_weights()])
    return [flow, exact]


def errors(flow: Flow, exact: Flow) -> list[float]:
    """Return how far samples are off: by a pass, back, from the twin's, by one ulp."""
    z = tf.random.stateless_normal([EVENTS, flow.event_size], [1, 2], dtype=tf.float32)
    wide = tf.cast(z, tf.float64)
    signs = np.sign(np.random.default_rng(0).standard_normal(z.shape))
    forward = tf.function(exact.bijector().forward, autograph=False)
    inverse = tf.function(exact.bijector().inverse, autograph=False)
    x = tf.function(flow.bijector().forward, autograph=False)(z)
    x, x_wide = tf.cast(x, tf.float64), forward(wide)
    moved = forward(wide + signs * np.spacing(np.abs(z.numpy())))
    pairs = ((inverse(x_wide), wide), (inverse(x), wide), (x, x_wide), (moved, x_wide))
    return [float(np.max(np.abs(a - b) / (1.0 + np.abs(b)))) for a, b in pairs]


def density(flow: Flow) -> tuple[float, float]:
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


def bad(flow: Flow, count: int) -> int:
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
    options, count, epochs = {}, args.samples, 20
    learned = [name for name in TRAINED if name in args.flow]
    if args.smoke:
        options, count, epochs = {"num_layers": 1}, 100, 1
        args.flow, args.sizes, learned = args.flow[:1], args.sizes[:1], args.flow[:1]
    _report.header("samples")
    print(
        f"{'flow':16}{'D':>4} {'weights':8}{'by pass':>9}{'back':>9}{'f32':>9}"
        f"{'1 ulp':>9}{'log_prob: median':>18}{'largest':>9}{'samples':>9}"
        f"{'bad':>5}{'seconds':>9}"
    )
    # At the smallest size only many samples: the others differ in nothing but time.
    rows = [
        (name, "+-0.05", count if size == min(args.sizes) else EVENTS, size)
        for size in args.sizes
        for name in args.flow
    ]
    rows += [(name, "trained", EVENTS, 64) for name in learned]
    worst, failed = {"+-0.05": 0.0, "trained": 0.0}, 0
    for name, weights, drawn, size in rows:
        start = time.perf_counter()
        if weights == "trained":
            flow, exact = trained(name, epochs, **options)
        else:
            flow, exact = noisy(name, size, **options)
        found = errors(flow, exact)
        gaps = density(flow)
        wrong = bad(flow, drawn)
        worst[weights] = max(worst[weights], found[2])
        failed += wrong
        seconds = time.perf_counter() - start
        cells = "".join(f"{error:9.1e}" for error in found)
        print(
            f"{name:16}{size:4d} {weights:8}{cells}{gaps[0]:18.1e}{gaps[1]:9.1e}"
            f"{drawn:9d}{wrong:5d}{seconds:9.0f}",
            flush=True,
        )
    for weights, error in worst.items():
        print(
            f"largest error in float32, weights {weights}: {error:.1e} "
            f"({BAR:.0e}: {_report.verdict(error, BAR)})"
        )
    print(f"not finite {failed} (0: {_report.verdict(failed, 0)})")


if __name__ == "__main__":
    main()
