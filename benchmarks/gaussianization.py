"""Held-out likelihood of the greedy Gaussianization beside classic RBIG.

The gap is the mean negative log-likelihood of 20,000 fresh rows minus the entropy, both
on the same rows, in nats. The distributions: `student` is a multivariate t with 3
degrees of freedom, `mixture` five diagonal Gaussians, `funnel` Neal's with deviation
1.5 of the log-variance, `mixing` a random matrix of Laplace, uniform, bimodal and
exponential sources, `uniform` a rotated cube, `gaussian` a full covariance, `sine` (in
2 dimensions only) the noisy sine wave. Classic RBIG is that of the paper: 50 layers of
histograms with a margin of 10 % and PCA; what lies outside the grid of a layer counts
as its edge. `tables` is the gap of `fit("rbig", x, marginals="table")`: the same maps,
with smooth masses and damped steps; with `--of-tables` the other columns are of them,
too. With `--sinflow PYTHON`, the gap of sinflow beside it, `sinf`, and how many times
more CPU time its fit took, `x CPU`. Kolmogorov-Smirnov: the share of axes and of 100
random directions whose p is over .01.

With `--stream`, memory against the size of the data instead: a generator makes batches
anew in each pass, which `fit("rbig", dataset)` reads once for each layer. Printed are
the bytes of the data, by how much the peak memory of the process grew during the fit
over what it was after a fit to `--warm` rows (which loads and compiles everything
once), the CPU time, and the gap. `--limit` megabytes of address space beyond what the
process has after the warm-up make the fit fail if it takes more.

Run `python benchmarks/gaussianization.py` (about 5 minutes on two idle cores for the
default of 10,000 rows in 10 dimensions), or with `--stream --rows 200000 2000000`.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import _classic
import _memory
import _report
import numpy as np
import tables
import tensorflow as tf

import tfp_flows
from tfp_flows import datasets

# What a prototype reached on distributions of these names, n = 10,000, d = 10.
BARS = {
    "student": 0.016,
    "mixture": 0.62,
    "funnel": 0.17,
    "mixing": 0.31,
    "uniform": 0.11,
    "gaussian": 0.004,
}
# A sampler of a number of rows, and the log-density.
Law = tuple[Callable[..., np.ndarray], Callable[[np.ndarray], np.ndarray]]
LOG_2PI = math.log(2.0 * math.pi)
# Rows of a batch of a stream.
BATCH = 16_384
NAN = math.nan


def normal(x: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the log-density of independent normal columns."""
    log_scale = np.broadcast_to(np.log(scale), x.shape)
    return np.sum(-0.5 * (x / scale) ** 2 - log_scale - 0.5 * LOG_2PI, axis=-1)


def sources() -> list[Law]:
    """Return scalar distributions with unlike tails."""
    scale = 0.4

    def bimodal(u: np.ndarray) -> np.ndarray:
        parts = [normal(u[..., None] - m, scale) for m in (-1.0, 1.0)]
        return np.logaddexp(*parts) - math.log(2.0)

    return [
        (lambda g, n: g.laplace(size=n), lambda u: -np.abs(u) - math.log(2.0)),
        (lambda g, n: g.uniform(-1, 1, n), lambda u: np.full(u.shape, -math.log(2.0))),
        (
            lambda g, n: np.where(g.random(n) < 0.5, -1, 1) + scale * g.normal(size=n),
            bimodal,
        ),
        (lambda g, n: g.exponential(size=n), lambda u: -u),
    ]


def distributions(size: int) -> dict[str, Law]:
    """Return samplers and log-densities by name."""
    rng = np.random.default_rng(5)
    means = 2.0 * rng.normal(size=(5, size))
    scales = 0.7 * np.exp(0.4 * rng.normal(size=(5, size)))
    mixing = rng.normal(size=(size, size)) + np.eye(size)
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    root = rng.normal(size=(size, size)) / np.sqrt(size) + 0.5 * np.eye(size)
    parts = [sources()[i % 4] for i in range(size)]

    def student(g: np.random.Generator, n: int) -> np.ndarray:
        return g.normal(size=(n, size)) / np.sqrt(g.chisquare(3, size=(n, 1)) / 3)

    def log_student(x: np.ndarray) -> np.ndarray:
        half = 0.5 * (3 + size)
        constant = (
            math.lgamma(half) - math.lgamma(1.5) - 0.5 * size * math.log(3 * math.pi)
        )
        return constant - half * np.log1p(np.sum(x * x, axis=-1) / 3)

    def mixture(g: np.random.Generator, n: int) -> np.ndarray:
        k = g.integers(5, size=n)
        return means[k] + scales[k] * g.normal(size=(n, size))

    def log_mixture(x: np.ndarray) -> np.ndarray:
        each = normal(x[:, None] - means, scales)
        return np.logaddexp.reduce(each, axis=1) - math.log(5)

    def funnel(g: np.random.Generator, n: int) -> np.ndarray:
        v = 1.5 * g.normal(size=(n, 1))
        rest = np.exp(v / 2) * g.normal(size=(n, size - 1))
        return np.concatenate([v, rest], axis=1)

    def log_funnel(x: np.ndarray) -> np.ndarray:
        return normal(x[:, :1], 1.5) + normal(x[:, 1:], np.exp(x[:, :1] / 2))

    def mixed(g: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([draw(g, n) for draw, _ in parts], axis=1) @ mixing.T

    def log_mixed(x: np.ndarray) -> np.ndarray:
        u = np.linalg.solve(mixing, x.T)
        log_det = np.linalg.slogdet(mixing)[1]
        return sum(log(row) for (_, log), row in zip(parts, u, strict=True)) - log_det

    def log_gaussian(x: np.ndarray) -> np.ndarray:
        log_det = np.linalg.slogdet(root)[1]
        return normal(np.linalg.solve(root, x.T).T) - log_det

    def sine(g: np.random.Generator, n: int) -> np.ndarray:
        return datasets.toy("sin_wave", n, int(g.integers(2**31)))

    def log_sine(x: np.ndarray) -> np.ndarray:
        return datasets.toy_log_prob("sin_wave", x)

    cube = -size * math.log(2.0)
    plane = {"sine": (sine, log_sine)} if size == 2 else {}
    return {
        **plane,
        "student": (student, log_student),
        "mixture": (mixture, log_mixture),
        "funnel": (funnel, log_funnel),
        "mixing": (mixed, log_mixed),
        "uniform": (
            lambda g, n: g.uniform(-1, 1, size=(n, size)) @ rotation.T,
            lambda x: np.full(len(x), cube),
        ),
        "gaussian": (lambda g, n: g.normal(size=(n, size)) @ root.T, log_gaussian),
    }


def finite_loss(scores: np.ndarray) -> float:
    """Return the mean loss over finite scores."""
    return -float(np.mean(scores[np.isfinite(scores)]))


def kolmogorov(z: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the shares of axes and of random directions that look normal."""
    from scipy import stats

    random = rng.normal(size=(z.shape[1], 100))
    shares = []
    for directions in (np.eye(z.shape[1]), random / np.linalg.norm(random, axis=0)):
        p = [stats.kstest(column, "norm").pvalue for column in (z @ directions).T]
        shares.append(float(np.mean(np.array(p) > 0.01)))
    return shares[0], shares[1]


def round_trip(flow: tfp_flows.flows.Flow, x: np.ndarray) -> float:
    """Return the largest error of the inverse and back, relative to the event."""
    z = tf.identity(flow.bijector().inverse(x))
    back = flow.bijector().forward(z).numpy()
    scale = np.maximum(1.0, np.abs(x).max(axis=1, keepdims=True))
    return float(np.max(np.abs(back - x) / scale))


def line(name: str, law: Law, rows: int, size: int, args: argparse.Namespace) -> None:
    """Print the gap of one distribution."""
    options = {"seed": 0, "verbose": 0, "dtype": args.dtype}
    own = {"marginals": "table"} if args.of_tables else {}
    if args.smoke:
        options |= {"epochs": 2, "num_bins": 16}
    rng = np.random.default_rng(1)
    x, test = law[0](rng, rows), law[0](rng, 500 if args.smoke else 20_000)
    start = time.process_time()
    flow, _ = tfp_flows.fit("rbig", x, **options, **own)
    seconds = time.process_time() - start
    truth = float(np.mean(law[1](test)))
    found = flow.log_prob(test).numpy()
    gap = truth - float(np.mean(found))
    old = steps = peer = times = NAN
    if not (args.no_tables or args.of_tables):
        other, _ = tfp_flows.fit("rbig", x, marginals="table", **options)
        steps = truth - float(np.mean(other.log_prob(test)))
    if not args.no_classic:
        density = _classic.fit(x, 2 if args.smoke else _classic.LAYERS)
        old = truth + finite_loss(density(test))
    if args.sinflow:
        (scores,), took = tables.scored([(x, test)], "sinflow", args.sinflow)
        peer, times = truth + finite_loss(scores), took["fit"] / seconds
    some = test[:2000].astype(flow.variable_dtype)
    z = flow.bijector().inverse(some).numpy()
    axes, directions = kolmogorov(z, rng)
    far = np.concatenate([10 * some, 1e6 * some])
    bad = np.sum(~np.isfinite(found)) + np.sum(~np.isfinite(flow.log_prob(far)))
    bar = BARS[name] if (rows, size) == (10_000, 10) else NAN
    print(
        f"{name:9}{rows:8d}{size:4d}{gap:9.4f}{bar:7.3f}{steps:9.4f}{old:9.2f}"
        f"{peer:9.3f}{times:7.1f}{flow.get_config()['num_layers']:8d}"
        f"{seconds:8.1f}{axes:9.2f}{directions:9.2f}"
        f"{round_trip(flow, some):9.0e}{round_trip(flow, 10 * some):9.0e}{bad:5d}",
        flush=True,
    )


def gaps(args: argparse.Namespace) -> None:
    """Print the gap of every distribution."""
    _report.header("greedy Gaussianization, gap to the truth in nats", "scipy")
    print(
        f"{'from':9}{'rows':>8}{'d':>4}{'gap':>9}{'bar':>7}{'tables':>9}{'classic':>9}"
        f"{'sinf':>9}{'x CPU':>7}{'layers':>8}{'CPU s':>8}{'KS axes':>9}{'KS dirs':>9}"
        f"{'trip':>9}{'trip x10':>9}{'bad':>5}"
    )
    for size in args.sizes:
        for rows in args.rows:
            for name, law in distributions(size).items():
                if not args.only or name in args.only:
                    line(name, law, rows, size, args)


def address_space() -> int:
    """Return the address space in use, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def dataset(law: Law, rows: int, size: int) -> tf.data.Dataset:
    """Return batches of so many rows, drawn again in each pass."""

    def batches() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(1)
        for first in range(0, rows, BATCH):
            yield law[0](rng, min(BATCH, rows - first)).astype(np.float32)

    signature = tf.TensorSpec([None, size], tf.float32)
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def streams(args: argparse.Namespace) -> None:
    """Print memory and time of fits to streams of growing length."""
    _report.header("out-of-core fit of `rbig`")
    size = args.sizes[0]
    law = distributions(size)[(args.only or ["mixing"])[0]]
    test = law[0](np.random.default_rng(99), 2000 if args.smoke else 50_000)
    truth = float(np.mean(law[1](test)))
    print(
        f"{'fit':10}{'rows':>12}{'data MB':>9}{'grew MB':>9}{'layers':>8}{'CPU s':>9}"
        f"{'rows/s/pass':>13}{'gap':>9}"
    )

    def timed(label: str, rows: int, x: object) -> None:
        before, start = _memory.highest(), time.process_time()
        flow, history = tfp_flows.fit("rbig", x, seed=0, verbose=0, epochs=args.layers)
        seconds = time.process_time() - start
        gap = truth - float(np.mean(flow.log_prob(test)))
        rate = rows * (len(history.epoch) + 1) / seconds
        grew = _memory.highest() - before
        print(
            f"{label:10}{rows:12d}{rows * size * 4 / 2**20:9.1f}{grew:9.1f}"
            f"{flow.get_config()['num_layers']:8d}{seconds:9.1f}{rate:13.0f}{gap:9.4f}",
            flush=True,
        )

    x = law[0](np.random.default_rng(1), args.warm).astype(np.float32)
    timed("memory", args.warm, x)
    timed("stream", args.warm, dataset(law, args.warm, size))
    if args.limit is not None:
        most = address_space() + int(args.limit * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for rows in args.rows:
        timed("stream", rows, dataset(law, rows, size))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[10_000], help="rows of the fits")
    add("--sizes", type=int, nargs="+", default=[10], help="dimensions")
    add("--only", nargs="+", help="some of the distributions")
    add("--dtype", default="float32", help="of the flow")
    add("--sinflow", help="a Python interpreter that has sinflow")
    add("--no-tables", action="store_true", help="leave out RBIG of tables")
    add("--of-tables", action="store_true", help="all columns of RBIG of tables")
    add("--no-classic", action="store_true", help="leave out classic RBIG")
    add("--stream", action="store_true", help="memory of fits to streams")
    add("--layers", type=int, default=12, help="most layers of fits to streams")
    add("--warm", type=int, default=200_000, help="rows of the fit in memory")
    add("--limit", type=float, help="MB of address space beyond the warm-up's")
    args = parser.parse_args(arguments)
    if args.smoke:
        args.rows, args.sizes, args.layers, args.warm = [200], [2], 2, 2000
        args.only = ["student"]
        gaps(args)
        args.rows = [3000]
    if args.stream or args.smoke:
        streams(args)
    else:
        gaps(args)


if __name__ == "__main__":
    main()
