"""Held-out likelihood of the greedy Gaussianization beside classic RBIG.

The gap is the mean negative log-likelihood of 20,000 fresh rows minus the entropy, both
on the same rows, in nats. The laws: `student` is a multivariate t with 3 degrees of
freedom, `mixture` five diagonal Gaussians, `funnel` Neal's with deviation 1.5 of the
log-variance, `mixing` a random matrix of Laplace, uniform, bimodal and exponential
sources, `uniform` a rotated cube, `gaussian` a full covariance, `sine` (in 2 dimensions
only) the noisy sine wave. Classic RBIG is that of the paper: 50 layers of histograms
with a margin of 10 % and PCA; what lies outside the grid of a layer counts as its edge.
`tables` is the gap of `fit("rbig", x, marginals="table")`: the same maps, with smooth
masses and damped steps. With `--sinflow PYTHON`, the gap of sinflow beside it, `sinf`,
and how many times more CPU time its fit took, `x CPU`.
Kolmogorov-Smirnov: the share of axes and of 100 random directions whose p is over .01.

Then single rows: the sine wave (D1), also with independent components alone (G2),
concentric circles (D4), the same stretched, 500 rows in three folds (D5), the radial
map on a multivariate t (D9), and laws of many modes (G1): the gap, and the smallest and
largest share of 10,000 samples that a mode gets, over the share it should get.

Run `python benchmarks/rbig.py` (about 5 minutes on two idle cores for the default of
10,000 rows in 10 dimensions; `--rows 1000 10000 100000 --sizes 2 10` for all).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import _report
import _sinflow
import numpy as np
import tensorflow as tf
from sklearn import cluster

import tfp_flows
from tfp_flows import bijectors as maps
from tfp_flows import datasets

# What a prototype reached on laws of these names, n = 10,000, d = 10.
BARS = {
    "student": 0.016,
    "mixture": 0.62,
    "funnel": 0.17,
    "mixing": 0.31,
    "uniform": 0.11,
    "gaussian": 0.004,
}
Law = tuple[Callable[..., np.ndarray], Callable[[np.ndarray], np.ndarray]]
LOG_2PI = math.log(2.0 * math.pi)


def normal(x: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the log-density of independent normal columns."""
    log_scale = np.broadcast_to(np.log(scale), x.shape)
    return np.sum(-0.5 * (x / scale) ** 2 - log_scale - 0.5 * LOG_2PI, axis=-1)


def sources() -> list[Law]:
    """Return scalar laws with unlike tails."""
    pair = 0.4

    def bimodal(u: np.ndarray) -> np.ndarray:
        parts = [normal(u[..., None] - m, pair) for m in (-1.0, 1.0)]
        return np.logaddexp(*parts) - math.log(2.0)

    return [
        (lambda g, n: g.laplace(size=n), lambda u: -np.abs(u) - math.log(2.0)),
        (lambda g, n: g.uniform(-1, 1, n), lambda u: np.full(u.shape, -math.log(2.0))),
        (
            lambda g, n: np.where(g.random(n) < 0.5, -1, 1) + pair * g.normal(size=n),
            bimodal,
        ),
        (lambda g, n: g.exponential(size=n), lambda u: -u),
    ]


def laws(size: int) -> dict[str, Law]:
    """Return samplers and log-densities of each law."""
    rng = np.random.default_rng(5)
    means = 2.0 * rng.normal(size=(5, size))
    scales = 0.7 * np.exp(0.4 * rng.normal(size=(5, size)))
    mixing = rng.normal(size=(size, size)) + np.eye(size)
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
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
            lambda g, n: g.uniform(-1, 1, size=(n, size)) @ turn.T,
            lambda x: np.full(len(x), cube),
        ),
        "gaussian": (lambda g, n: g.normal(size=(n, size)) @ root.T, log_gaussian),
    }


def classic_layers(
    x: np.ndarray, layers: int = 50
) -> list[tuple[maps.MarginalGaussianize, np.ndarray]]:
    """Return the tables and rotations of RBIG as published."""
    found = []
    for _ in range(layers):
        table = maps.MarginalGaussianize.from_samples(
            x, int(np.sqrt(len(x))), pseudo_counts=1e-3, margin=0.1, dtype=tf.float64
        )
        x = table.inverse_and_log_det(x)[0].numpy()
        turn = np.linalg.eigh(np.cov(x.T))[1]
        x = x @ turn
        found.append((table, turn))
    return found


def classic_log_prob(
    x: np.ndarray, found: list[tuple[maps.MarginalGaussianize, np.ndarray]]
) -> np.ndarray:
    """Return the log-densities that RBIG as published gives rows."""
    log_det = np.zeros(len(x))
    for table, turn in found:
        # As published: no tails, what lies outside counts as the edge of the grid.
        x = np.clip(x, table.low, table.high)
        x, step = (t.numpy() for t in table.inverse_and_log_det(x))
        log_det += step
        x = x @ turn
    return normal(x) + log_det


def classic(
    train: np.ndarray, test: np.ndarray, layers: int = 50
) -> tuple[float, float]:
    """Return the test loss of RBIG as published, over finite rows, and their share."""
    loss = -classic_log_prob(test, classic_layers(train, layers))
    finite = np.isfinite(loss)
    return float(np.mean(loss[finite])), float(np.mean(finite))


def kolmogorov(z: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the shares of axes and of random directions that look normal."""
    from scipy import stats

    size = z.shape[1]
    random = rng.normal(size=(size, 100))
    shares = []
    for directions in (np.eye(size), random / np.linalg.norm(random, axis=0)):
        p = [stats.kstest(column, "norm").pvalue for column in (z @ directions).T]
        shares.append(float(np.mean(np.array(p) > 0.01)))
    return shares[0], shares[1]


def round_trip(flow: tfp_flows.flows.Flow, x: np.ndarray) -> float:
    """Return the largest error of the inverse and back, relative to the event."""
    z = tf.identity(flow.bijector().inverse(x))
    back = flow.bijector().forward(z).numpy()
    scale = np.maximum(1.0, np.abs(x).max(axis=1, keepdims=True))
    return float(np.max(np.abs(back - x) / scale))


def table(args: argparse.Namespace) -> None:
    """Print the gap of every law."""
    _report.header("greedy Gaussianization, gap to the truth in nats", "scipy")
    print(
        f"{'law':9}{'rows':>8}{'d':>4}{'gap':>9}{'bar':>7}{'tables':>9}{'classic':>9}"
        f"{'sinf':>9}"
        f"{'x CPU':>7}{'layers':>8}"
        f"{'CPU s':>8}{'KS axes':>9}{'KS dirs':>9}{'trip':>9}{'trip x10':>9}{'bad':>5}"
    )
    tests = 500 if args.smoke else 20_000
    options = {"epochs": 2, "num_bins": 16} if args.smoke else {}
    for size in args.sizes:
        for rows in args.rows:
            for name, (draw, log_prob) in laws(size).items():
                if args.laws and name not in args.laws:
                    continue
                rng = np.random.default_rng(1)
                x, test = draw(rng, rows), draw(rng, tests)
                start = time.process_time()
                flow, _ = tfp_flows.fit(
                    "rbig", x, seed=0, verbose=0, dtype=args.dtype, **options
                )
                seconds = time.process_time() - start
                truth = float(np.mean(log_prob(test)))
                found = flow.log_prob(test).numpy()
                gap = truth - float(np.mean(found))
                old = tables = math.nan
                if not args.no_tables:
                    flow_of_tables, _ = tfp_flows.fit(
                        "rbig",
                        x,
                        marginals="table",
                        seed=0,
                        verbose=0,
                        dtype=args.dtype,
                        **options,
                    )
                    tables = truth - float(np.mean(flow_of_tables.log_prob(test)))
                if not args.no_classic:
                    layers = 2 if args.smoke else 50
                    old = truth + classic(x, test, layers)[0]
                peer = times = math.nan
                if args.sinflow:
                    peer, times = _sinflow.loss(args.sinflow, x, test)
                    peer, times = truth + peer, times / seconds
                kind = flow.variable_dtype
                some = test[:2000].astype(kind)
                z = flow.bijector().inverse(some).numpy()
                axes, directions = kolmogorov(z, rng)
                far = np.concatenate([10 * some, 1e6 * some])
                bad = np.sum(~np.isfinite(found))
                bad += np.sum(~np.isfinite(flow.log_prob(far)))
                bar = BARS[name] if (rows, size) == (10_000, 10) else math.nan
                print(
                    f"{name:9}{rows:8d}{size:4d}{gap:9.4f}{bar:7.3f}{tables:9.4f}{old:9.2f}"
                    f"{peer:9.3f}{times:7.1f}{flow.get_config()['num_layers']:8d}"
                    f"{seconds:8.1f}{axes:9.2f}{directions:9.2f}"
                    f"{round_trip(flow, some):9.0e}{round_trip(flow, 10 * some):9.0e}"
                    f"{bad:5d}",
                    flush=True,
                )


def rows(args: argparse.Namespace) -> None:
    """Print the rows of single systems."""
    _report.header("single rows")
    print(f"{'row':22}{'NLL':>9}{'bar':>9}{'floor':>9}{'ok':>5}")
    count = 300 if args.smoke else 10_000
    options = {"epochs": 2, "num_bins": 16} if args.smoke else {}

    def fitted(x: np.ndarray, test: np.ndarray, **more: Any) -> tuple[Any, float]:
        flow, _ = tfp_flows.fit("rbig", x, seed=0, verbose=0, **{**options, **more})
        return flow, -float(np.mean(flow.log_prob(test)))

    def line(label: str, loss: float, bar: float, floor: float) -> None:
        good = "" if math.isnan(bar) else _report.verdict(loss, bar)
        print(f"{label:22}{loss:9.4f}{bar:9.4f}{floor:9.4f}{good:>5}", flush=True)

    for label, name, number, bar, more in (
        ("D1 sine wave", "sin_wave", count, 1.52, {}),
        ("D1 of tables", "sin_wave", count, 1.52, {"marginals": "table"}),
        ("G2 sine wave, ICA", "sin_wave", count, 1.52, {"rotation": "ica"}),
        ("D4 circles", "concentric_circles", count // 10, 3.695, {}),
    ):
        x, test = datasets.toy(name, number, 0), datasets.toy(name, number, 1)
        line(label, fitted(x, test, **more)[1], bar, datasets.toy_entropy(name))
    x = datasets.toy("concentric_circles", count // 20, 2) * [1.0, 2.0]
    folds = np.arange(len(x)) % 3
    losses = [fitted(x[folds != k], x[folds == k])[1] for k in range(3)]
    floor = datasets.toy_entropy("concentric_circles") + math.log(2.0)
    line("D5 stretched circles", float(np.mean(losses)), 4.838, floor)
    rng = np.random.default_rng(0)
    x, test = (
        rng.normal(size=(n, 8)) / np.sqrt(rng.chisquare(4, size=(n, 1)) / 4)
        for n in (2 * count, 2 * count)
    )
    for label, bar, more in (
        ("D9 radial, t(4), d=8", 13.06, {}),
        ("D9 marginals only", math.nan, {"rotation": "pca", "epochs": 1}),
    ):
        line(label, fitted(x, test, **more)[1], bar, 13.0366)
    print(f"{'G1 modes':22}{'gap':>9}{'bar':>9}{'least':>9}{'most':>9}{'ok':>5}")
    for name, modes in (("8gaussians", 8), ("25gaussians", 25)):
        x, test = datasets.toy(name, count, 0), datasets.toy(name, count, 1)
        flow, loss = fitted(x, test)
        gap = loss - datasets.toy_entropy(name)
        centres = cluster.KMeans(modes, n_init=10, random_state=0).fit(x)
        samples = flow.sample(count, seed=0).numpy().astype(x.dtype)
        share = np.bincount(centres.predict(samples), minlength=modes) / count * modes
        hit = gap <= 0.07 and share.min() >= 0.75 and share.max() <= 1.25
        print(
            f"{name:22}{gap:9.4f}{0.07:9.4f}{share.min():9.3f}{share.max():9.3f}"
            f"{'yes' if hit else 'NO':>5}",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[10_000], help="rows of the fits")
    add("--sizes", type=int, nargs="+", default=[10], help="dimensions")
    add("--laws", nargs="+", help="some of the laws only")
    add("--dtype", default="float32", help="of the flow")
    add("--sinflow", help="a Python interpreter that has sinflow")
    add("--no-tables", action="store_true", help="leave out RBIG of tables")
    add("--no-classic", action="store_true", help="leave out classic RBIG")
    add("--no-rows", action="store_true", help="leave out the second table")
    args = parser.parse_args(arguments)
    if args.smoke:
        args.rows, args.sizes = [200], [2]
    table(args)
    if not args.no_rows:
        rows(args)


if __name__ == "__main__":
    main()
