"""Errors of information measures over fresh samples, and whether they are covered.

For each law, number of rows and dimension: the mean absolute error over fresh samples,
the mean standard error, and how many truths lie within 1.64 standard errors (90 % of a
normal law). `rows` is the mean absolute error of the mean over the same rows with the
true densities: what is left where densities are known, and what no fit can be expected
to beat. The others:

- `normal`: the plug-in value of the normal law of the sample's moments;
- `k-NN`: Kozachenko and Leonenko for entropies, Kraskov, Stoegbauer and Grassberger
  (their first) for the mutual information of blocks, Wang, Kulkarni and Verdu for the
  divergence, 3 neighbours each, by scipy; up to 10 columns;
- `classic`: RBIG as published, see `_classic.py`, the likelihood of its own rows;
- `sklearn`: `mutual_info_regression`, for pairs of columns.

`best/ours` is the smallest of their errors over ours. The laws: `normal` of a full
covariance, `uniform` a turned cube, `t3`, `t5`, `t10` multivariate t, `square` pairs of
normal X and X^2 + noise of deviation 1/2, `sine` pairs of uniform X and sin(2 pi X) +
noise of deviation 0.3, with a column of noise if the dimension is odd.

Run `python benchmarks/information_coverage.py` (hours for all of it; the table in the
documentation says which part it shows).
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import _classic
import _report
import numpy as np
from information import (
    LOG_2PI_E,
    half_log_det,
    plug_in,
    scikit_learn,
    student_entropy,
)
from scipy import integrate

from tfp_flows import information

NEIGHBOURS = 3
INTERVAL = 1.64
PEERS = ("normal", "k-NN", "classic", "sklearn")


class Law(NamedTuple):
    """A measure of a law: its truth, samples, and the true value row by row."""

    measure: str
    truth: float
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]
    rows: Callable[..., np.ndarray]


def normal_log_prob(x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the log-density of a centred normal law."""
    z = np.linalg.solve(np.linalg.cholesky(covariance), x.T)
    size = len(covariance)
    constant = half_log_det(covariance, range(size)) + 0.5 * size * math.log(2 * np.pi)
    return -0.5 * np.sum(z**2, axis=0) - constant


def student_log_prob(x: np.ndarray, df: float) -> np.ndarray:
    """Return the log-density of the multivariate t law of unit scale."""
    size, half = x.shape[1], 0.5 * (df + x.shape[1])
    constant = math.lgamma(half) - math.lgamma(0.5 * df)
    constant -= 0.5 * size * math.log(df * math.pi)
    return constant - half * np.log1p(np.sum(x * x, axis=1) / df)


def student(df: float) -> Callable[..., np.ndarray]:
    """Return the sampler of a multivariate t law of unit scale."""

    def draw(g: np.random.Generator, n: int, size: int) -> np.ndarray:
        scale = np.sqrt(g.chisquare(df, size=(n, 1)) / df)
        return g.normal(size=(n, size)) / scale

    return draw


@functools.cache
def marginal(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and log-densities of Y of a nonlinear pair, by quadrature."""
    middle, weight, deviation = conditional_mean(kind)
    y = np.linspace(middle.min() - 6 * deviation, middle.max() + 6 * deviation, 4001)
    density = np.zeros_like(y)
    for part in np.array_split(np.arange(len(middle)), 50):
        z = (y - middle[part, np.newaxis]) / deviation
        density += weight[part] @ np.exp(-0.5 * z**2)
    density /= deviation * math.sqrt(2 * np.pi)
    return y, np.log(density + 1e-300)


def conditional_mean(kind: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return `E(Y | X)` and weights on a grid of X, and the deviation of the noise."""
    if kind == "square":
        x = np.linspace(-8, 8, 20_001)
        weight = np.exp(-0.5 * x**2)
        return x**2, weight / weight.sum(), 0.5
    x = np.linspace(-1, 1, 20_001)
    return np.sin(2 * np.pi * x), np.full(len(x), 1 / len(x)), 0.3


def pair_truth(kind: str) -> float:
    """Return the mutual information of a nonlinear pair."""
    y, log_density = marginal(kind)
    entropy = -integrate.trapezoid(np.exp(log_density) * log_density, y)
    return float(entropy - 0.5 * LOG_2PI_E - math.log(conditional_mean(kind)[2]))


def pairs(kind: str, size: int) -> Law:
    """Return the mutual information of blocks of nonlinear pairs."""
    count = size // 2

    def draw(g: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        noise = g.normal(size=(n, size - count))
        if kind == "square":
            x = g.normal(size=(n, count))
            noise[:, :count] = x**2 + 0.5 * noise[:, :count]
        else:
            x = g.uniform(-1, 1, size=(n, count))
            noise[:, :count] = np.sin(2 * np.pi * x) + 0.3 * noise[:, :count]
        return x, noise

    def rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        y = y[:, :count]
        mean, scale = (x**2, 0.5) if kind == "square" else (np.sin(2 * np.pi * x), 0.3)
        given = -0.5 * ((y - mean) / scale) ** 2 - math.log(
            scale * math.sqrt(2 * np.pi)
        )
        return np.sum(given - np.interp(y, *marginal(kind)), axis=1)

    return Law("mutual_information", count * pair_truth(kind), draw, rows)


def laws(size: int) -> dict[str, Law]:
    """Return the laws of one dimension by name."""
    rng = np.random.default_rng(7)
    root = rng.normal(size=(size, size)) / np.sqrt(size) + 0.5 * np.eye(size)
    covariance = root @ root.T
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    joint = half_log_det(covariance, range(size))
    half = size // 2
    blocks = range(half), range(half, size)
    mi = sum(half_log_det(covariance, block) for block in blocks) - joint
    shift = np.full(size, 1.0 / math.sqrt(size))

    def normal(g: np.random.Generator, n: int) -> np.ndarray:
        return g.normal(size=(n, size)) @ root.T

    def own(x: np.ndarray, block: Sequence[int]) -> np.ndarray:
        return normal_log_prob(x, covariance[np.ix_(block, block)])

    out = {
        "H normal": Law(
            "entropy",
            joint + 0.5 * size * LOG_2PI_E,
            lambda g, n: (normal(g, n),),
            lambda x: -normal_log_prob(x, covariance),
        ),
        "H uniform": Law(
            "entropy",
            size * math.log(2.0),
            lambda g, n: (g.uniform(-1, 1, size=(n, size)) @ turn.T,),
            lambda x: np.full(len(x), size * math.log(2.0)),
        ),
        "MI normal": Law(
            "mutual_information",
            mi,
            lambda g, n: tuple(np.split(normal(g, n), [half], axis=1)),
            lambda x, y: (
                normal_log_prob(np.concatenate([x, y], axis=1), covariance)
                - own(x, blocks[0])
                - own(y, blocks[1])
            ),
        ),
        "MI square": pairs("square", size),
        "MI sine": pairs("sine", size),
        "KL normal": Law(
            "kl_divergence",
            0.5,
            lambda g, n: (g.normal(size=(n, size)) + shift, g.normal(size=(n, size))),
            lambda x, _: x @ shift - 0.5,
        ),
    }
    for df in (3, 5, 10):
        draw, truth = student(df), student_entropy(size, df)
        multi = size * student_entropy(1, df) - truth
        out[f"H t{df}"] = Law(
            "entropy",
            truth,
            lambda g, n, draw=draw: (draw(g, n, size),),
            lambda x, df=df: -student_log_prob(x, df),
        )
        out[f"TC t{df}"] = Law(
            "total_correlation",
            multi,
            lambda g, n, draw=draw: (draw(g, n, size),),
            lambda x, df=df: (
                student_log_prob(x, df)
                - sum(student_log_prob(c[:, np.newaxis], df) for c in x.T)
            ),
        )
    return out


def matrix(x: np.ndarray) -> np.ndarray:
    """Return rows as a matrix."""
    return x.reshape(len(x), -1)


def nearest_entropy(x: np.ndarray) -> float:
    """Return the entropy by Kozachenko and Leonenko."""
    from scipy import spatial, special

    x = matrix(x)
    count, size = x.shape
    radius = spatial.cKDTree(x).query(x, k=[NEIGHBOURS + 1])[0][:, 0]
    ball = 0.5 * size * math.log(math.pi) - special.gammaln(0.5 * size + 1)
    digamma = special.digamma
    return float(
        digamma(count) - digamma(NEIGHBOURS) + ball + size * np.mean(np.log(radius))
    )


def nearest_information(x: np.ndarray, y: np.ndarray) -> float:
    """Return the mutual information by Kraskov, Stoegbauer and Grassberger."""
    from scipy import spatial, special

    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (matrix(x), matrix(y)))
    joint = np.concatenate([x, y], axis=1)
    radius = spatial.cKDTree(joint).query(joint, k=[NEIGHBOURS + 1], p=np.inf)[0][:, 0]
    within = [
        spatial.cKDTree(v).query_ball_point(
            v, np.nextafter(radius, 0), p=np.inf, return_length=True
        )
        for v in (x, y)
    ]
    digamma = special.digamma
    apart = sum(np.mean(digamma(count)) for count in within)
    return float(digamma(NEIGHBOURS) + digamma(len(x)) - apart)


def nearest_divergence(x: np.ndarray, y: np.ndarray) -> float:
    """Return the divergence by Wang, Kulkarni and Verdu."""
    from scipy import spatial

    own = spatial.cKDTree(x).query(x, k=[NEIGHBOURS + 1])[0][:, 0]
    other = spatial.cKDTree(y).query(x, k=[NEIGHBOURS])[0][:, 0]
    grown = x.shape[1] * np.mean(np.log(other / own))
    return float(grown + math.log(len(y) / (len(x) - 1)))


def neighbours(measure: str, samples: Sequence[np.ndarray]) -> float:
    """Return the estimate by nearest neighbours."""
    if sum(matrix(x).shape[1] for x in samples) > (20 if measure[0] == "k" else 10):
        return math.nan
    if measure == "entropy":
        return nearest_entropy(*samples)
    if measure == "total_correlation":
        (x,) = samples
        return sum(nearest_entropy(c) for c in x.T) - nearest_entropy(x)
    if measure == "mutual_information":
        return nearest_information(*samples)
    return nearest_divergence(*samples)


def classic(measure: str, samples: Sequence[np.ndarray]) -> float:
    """Return the estimate by classic RBIG, over rows where it is finite."""

    def entropy(x: np.ndarray, of: np.ndarray | None = None) -> float:
        values = _classic.fit(matrix(x if of is None else of))(matrix(x))
        return -float(np.mean(values[np.isfinite(values)]))

    if measure == "entropy":
        return entropy(*samples)
    if measure == "total_correlation":
        return sum(entropy(c) for c in samples[0].T) - entropy(*samples)
    if measure == "mutual_information":
        joint = np.concatenate([matrix(x) for x in samples], axis=1)
        return sum(entropy(x) for x in samples) - entropy(joint)
    return entropy(samples[0], samples[1]) - entropy(samples[0])


def line(name: str, law: Law, rows: int, size: int, args: argparse.Namespace) -> int:
    """Print one line; return how many truths lie within the interval."""
    ours, peers, ideal = [], [], []
    seconds = 0.0
    for repeat in range(args.repeats):
        samples = law.draw(np.random.default_rng(1000 + repeat), rows)
        start = time.process_time()
        found = getattr(information, law.measure)(*samples, seed=repeat, **args.options)
        seconds += time.process_time() - start
        ours.append((found.value - law.truth, found.stderr))
        ideal.append(float(np.mean(law.rows(*samples))) - law.truth)
        estimates = (
            plug_in(law.measure, samples),
            neighbours(law.measure, samples),
            classic(law.measure, samples) if args.classic else math.nan,
            scikit_learn(law.measure, samples),
        )
        peers.append([value - law.truth for value in estimates])
    errors, stated = np.array(ours).T
    others = np.mean(np.abs(peers), axis=0)
    own = float(np.mean(np.abs(errors)))
    inside = int(np.sum(np.abs(errors) <= INTERVAL * stated))
    shown = "".join(f"{'-' if np.isnan(v) else f'{v:.4f}':>9}" for v in others)
    print(
        f"{name:11}{rows:7}{size:4}{law.truth:9.4f}{own:9.4f}{stated.mean():9.4f}"
        f"{inside:4}/{args.repeats:<4}{np.mean(np.abs(ideal)):8.4f}{shown}"
        f"{np.nanmin(others) / own:10.2f}{seconds / args.repeats:7.1f}",
        flush=True,
    )
    return inside


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[1_000, 10_000], help="rows of a sample")
    add("--sizes", type=int, nargs="+", default=[2, 5, 10], help="dimensions")
    add("--laws", nargs="+", help="laws, by a part of their names")
    add("--repeats", type=int, default=10, help="fresh samples of each")
    add("--no-classic", dest="classic", action="store_false", help="leave RBIG out")
    args = parser.parse_args(arguments)
    args.options: dict[str, Any] = {}
    if args.smoke:
        args.rows, args.sizes, args.repeats, args.classic = [200], [2], 1, False
        args.laws = ["H uniform", "sine", "KL"]
        args.options = {"flow": {"flow": "rbig", "epochs": 2, "num_bins": 16}}
    _report.header("information measures, mean absolute errors, nats", "scikit-learn")
    heads = "".join(f"{peer:>9}" for peer in PEERS)
    print(
        f"{'law':11}{'rows':>7}{'d':>4}{'truth':>9}{'error':>9}{'stated':>9}"
        f"{'inside':>9}{'rows':>8}{heads}{'best/ours':>10}{'CPU s':>7}"
    )
    inside = total = 0
    for rows in args.rows:
        for size in args.sizes:
            for name, law in laws(size).items():
                if args.laws and not any(word in name for word in args.laws):
                    continue
                inside += line(name, law, rows, size, args)
                total += args.repeats
    print(f"within {INTERVAL} standard errors: {inside} of {total}")


if __name__ == "__main__":
    main()
