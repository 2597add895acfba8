"""Information measures on laws whose values are known in closed form.

A value reaches its bar within 3 % or .05 nat of the truth, .03 for the t law
(8 dimensions, 4 degrees of freedom), .02 for KL(N(1, 1) || N(0, 2)), where 2 is the
standard deviation. Beside it stand the plug-in value of a normal law of the same
moments, and for pairs of columns the nearest-neighbour estimate of scikit-learn
(`mutual_info_regression`, 3 neighbours). `z` is the error in standard errors.

Run `python benchmarks/information.py` (about 4 minutes on two shared cores).
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Sequence

import _report
import numpy as np

from tfp_flows import information

Case = tuple[str, float, float, str, tuple[np.ndarray, ...]]
LOG_2PI_E = math.log(2.0 * math.pi * math.e)


def half_log_det(matrix: np.ndarray, *blocks: Sequence[int]) -> float:
    """Return half the log-determinant of the part of a covariance."""
    rows = [i for block in blocks for i in block]
    return 0.5 * float(np.linalg.slogdet(matrix[np.ix_(rows, rows)])[1])


def student_entropy(size: int, df: float) -> float:
    """Return the entropy of the multivariate t law of unit scale."""
    from scipy import special

    half = 0.5 * (df + size)
    return float(
        special.gammaln(0.5 * df)
        - special.gammaln(half)
        + 0.5 * size * math.log(df * math.pi)
        + half * (special.digamma(half) - special.digamma(0.5 * df))
    )


def bar_of(truth: float) -> float:
    """Return the error that is allowed."""
    return max(0.03 * abs(truth), 0.05)


def cases(rows: int) -> Iterator[Case]:
    """Yield name, truth, bar, function and samples."""
    rng = np.random.default_rng(0)
    for size in (2, 5, 10):
        root = rng.normal(size=(size, size)) / np.sqrt(size) + 0.5 * np.eye(size)
        x, covariance = rng.normal(size=(rows, size)) @ root.T, root @ root.T
        joint = half_log_det(covariance, range(size))
        apart = 0.5 * float(np.log(np.diag(covariance)).sum())
        for kind, truth in (
            ("entropy", 0.5 * size * LOG_2PI_E + joint),
            ("total_correlation", apart - joint),
        ):
            yield f"normal, d={size}", truth, bar_of(truth), kind, (x,)
        cube = rng.uniform(-1.0, 1.0, size=(rows, size))
        full = size * math.log(2.0)
        yield f"uniform, d={size}", full, bar_of(full), "entropy", (cube,)
        yield f"uniform, d={size}", 0.0, 0.05, "total_correlation", (cube,)
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    yield "uniform turned, d=10", full, bar_of(full), "entropy", (cube @ turn.T,)
    heavy = rng.normal(size=(rows, 8)) / np.sqrt(rng.chisquare(4, size=(rows, 1)) / 4)
    joint = student_entropy(8, 4)
    multi = 8 * student_entropy(1, 4) - joint
    yield "t(4), d=8", joint, bar_of(joint), "entropy", (heavy,)
    yield "t(4), d=8", multi, 0.03, "total_correlation", (heavy,)
    a, b, c = [0, 1, 2], [3, 4, 5], [6, 7, 8, 9]
    mi = half_log_det(covariance, a) + half_log_det(covariance, b)
    mi -= half_log_det(covariance, a, b)
    given = half_log_det(covariance, a, c) + half_log_det(covariance, b, c)
    given -= half_log_det(covariance, a, b, c) + half_log_det(covariance, c)
    blocks = (x[:, a], x[:, b])
    bent = (np.exp(x[:, a]), x[:, b] ** 3)
    yield "normal 3|3", mi, bar_of(mi), "mutual_information", blocks
    yield "the same, exp|cube", mi, bar_of(mi), "mutual_information", bent
    cmi = "conditional_mutual_information"
    yield "normal 3|3|4", given, bar_of(given), cmi, (*blocks, x[:, c])
    co = (*blocks, x[:, c])
    yield "normal 3|3|4", mi - given, bar_of(mi - given), "co_information", co
    apart_blocks = (cube[:, :5], cube[:, 5:])
    yield "uniform 5|5", 0.0, 0.05, "mutual_information", apart_blocks
    u, v = rng.normal(size=(2, rows))
    pair = (u, 0.9 * u + math.sqrt(0.19) * v)
    truth = -0.5 * math.log(0.19)
    yield "normal 1|1, r=.9", truth, bar_of(truth), "mutual_information", pair
    bent = (np.exp(pair[0]), pair[1] ** 3)
    yield "the same, exp|cube", truth, bar_of(truth), "mutual_information", bent
    u = rng.uniform(size=rows)
    edge = (u, u + rng.uniform(0.0, 0.5, rows))
    truth = math.log(2.0) + 0.25
    yield "uniform + uniform/2", truth, bar_of(truth), "mutual_information", edge
    close = (rng.normal(1, 1, rows), rng.normal(0, 2, rows))
    yield "N(1,1) || N(0,2)", 0.4431, 0.02, "kl_divergence", close
    same = tuple(rng.normal(size=(2, rows, 10)))
    yield "same law, d=10", 0.0, 0.05, "kl_divergence", same
    truth = 5.0 * LOG_2PI_E
    yield "same law, d=10", truth, bar_of(truth), "cross_entropy", same
    truth = 1.5 * (LOG_2PI_E - math.log(12.0))
    yield "uniform, d=3", truth, bar_of(truth), "negentropy", (cube[:, :3],)


def plug_in(kind: str, samples: Sequence[np.ndarray]) -> float:
    """Return the measure of the normal laws of the samples' moments."""
    parts = [np.reshape(s, [len(s), -1]) for s in samples]
    if kind in ("kl_divergence", "cross_entropy"):
        (p, q), (m, n) = (
            [np.cov(s.T).reshape(2 * [s.shape[1]]) for s in parts],
            [s.mean(axis=0) for s in parts],
        )
        size, inverse = len(m), np.linalg.inv(q)
        crossed = 0.5 * float(np.trace(inverse @ p) + (m - n) @ inverse @ (m - n))
        crossed += half_log_det(q, range(size)) + 0.5 * size * math.log(2.0 * math.pi)
        own = half_log_det(p, range(size)) + 0.5 * size * LOG_2PI_E
        return crossed if kind == "cross_entropy" else crossed - own
    x = np.concatenate(parts, axis=1)
    covariance = np.atleast_2d(np.cov(x.T))
    if kind == "negentropy":
        return 0.0
    every = half_log_det(covariance, range(x.shape[1]))
    if kind == "entropy":
        return every + 0.5 * x.shape[1] * LOG_2PI_E
    if kind == "total_correlation":
        return 0.5 * float(np.log(np.diag(covariance)).sum()) - every
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    blocks = [range(i, j) for i, j in itertools.pairwise(ends)]

    def shared(*chosen: Sequence[int]) -> float:
        apart = sum(half_log_det(covariance, block) for block in chosen)
        return apart - half_log_det(covariance, *chosen)

    if kind == "mutual_information":
        return shared(*blocks)
    a, b, c = blocks
    given = shared(a, b, c) - shared(a, c) - shared(b, c)
    return given if kind.startswith("cond") else shared(a, b) - given


def scikit_learn(kind: str, samples: Sequence[np.ndarray]) -> float:
    """Return scikit-learn's estimate for a pair of columns, else NaN."""
    from sklearn import feature_selection

    x, *rest = (s.reshape(len(s), -1) for s in samples)
    if kind != "mutual_information" or any(s.shape[1] > 1 for s in (x, *rest)):
        return math.nan
    (y,) = rest
    found = feature_selection.mutual_info_regression(x, y.ravel(), random_state=0)
    return float(found[0])


def table(args: argparse.Namespace) -> None:
    """Print every case."""
    print(
        f"{'measure':31}{'law':22}{'truth':>9}{'found':>9}{'+-':>8}{'z':>6}{'bar':>7}"
        f"{'ok':>5}{'plug-in':>9}{'k-NN':>8}{'s':>7}"
    )
    errors, inside = 0, []
    for law, truth, bar, kind, samples in cases(args.rows):
        if args.only and not any(word in kind for word in args.only):
            continue
        if args.laws and not any(word in law for word in args.laws):
            continue
        start = time.perf_counter()
        found = getattr(information, kind)(*samples, seed=0, **args.options)
        seconds = time.perf_counter() - start
        error = found.value - truth
        good = _report.verdict(abs(error), bar)
        errors += good != "yes"
        inside.append(abs(error) <= 2.0 * found.stderr)
        near = scikit_learn(kind, samples)
        print(
            f"{kind.replace('_', ' '):31}{law:22}{truth:9.4f}{found.value:9.4f}"
            f"{found.stderr:8.4f}{error / found.stderr:6.1f}{bar:7.3f}{good:>5}"
            f"{plug_in(kind, samples):9.4f}"
            + (f"{'':8}" if math.isnan(near) else f"{near:8.4f}")
            + f"{seconds:7.1f}",
            flush=True,
        )
    print(
        f"reached: {len(inside) - errors} of {len(inside)}; within 2 standard errors: "
        f"{sum(inside)} of {len(inside)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=10_000, help="rows of each sample")
    add("--only", nargs="+", help="measures, by a part of their names")
    add("--laws", nargs="+", help="laws, by a part of their names")
    args = parser.parse_args(arguments)
    args.options = {}
    if args.smoke:
        args.rows, args.only = 300, ["negentropy", "kl"]
        args.options = {"flow": {"flow": "rbig", "epochs": 2, "num_bins": 16}}
    _report.header("information measures, nats", "scikit-learn")
    table(args)


if __name__ == "__main__":
    main()
