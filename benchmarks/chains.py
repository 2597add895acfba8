"""Check random chains of ten maps against autodiff.

Each of 50 chains draws ten of the library's maps for vectors of four numbers, perturbs
their parameters, and is evaluated at 1,000 points, a tenth of which is spread over
[-10, 10]. Round trip: `|inverse(forward(x)) - x|`. Log-det: forward against the log of
the determinant of the Jacobian by autodiff at 100 points, and inverse against the
negated forward one. Everything is in float64; the last columns repeat the round trip in
float32, as it is and divided by the largest stretch of the chain at that point (the
norm of the inverse Jacobian, at least 1): what a chain stretches back, it also does to
rounding.

Run `python benchmarks/chains.py` (about four minutes on two cores).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import _report
import numpy as np
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb

SIZE = 4
LENGTH = 10
CHAINS = 50
POINTS = 1_000
JACOBIANS = 100
ROUND_TRIP, LOG_DET = 1e-10, 1e-8
HIDDEN = (8, 8)


def elementwise(transformer: Any) -> Callable[..., Any]:
    """Return a builder of a scalar map with parameters for each coordinate."""

    def build(dtype: str, seed: int) -> Any:
        params = tf.Variable(tf.zeros([SIZE, transformer.params_size], dtype))
        return transformer(params)

    return build


def coupling(transformer: Any) -> Callable[..., Any]:
    """Return a builder of a coupling with a random mask."""

    def build(dtype: str, seed: int) -> Any:
        mask = np.random.default_rng(seed).permutation([True, True, False, False])
        net = networks.MLP(
            2, (2, transformer.params_size), HIDDEN, dtype=dtype, seed=seed
        )
        return maps.Coupling(transformer, net, mask.tolist())

    return build


def autoregressive(transformer: Any, *, invert: bool = False) -> Callable[..., Any]:
    """Return a builder of an autoregressive map in random order."""

    def build(dtype: str, seed: int) -> Any:
        made = networks.MADE(
            SIZE,
            transformer.params_size,
            HIDDEN,
            order="random",
            dtype=dtype,
            seed=seed,
        )
        layer = maps.MaskedAutoregressive(transformer, made)
        return maps.Invert(layer) if invert else layer

    return build


def permutation(dtype: str, seed: int) -> Any:
    """Build a random permutation."""
    return maps.Permutation(
        tuple(np.random.default_rng(seed).permutation(SIZE).tolist())
    )


def standardize(dtype: str, seed: int) -> Any:
    """Build a standardisation of random data."""
    out = maps.Standardize.build(SIZE, dtype=dtype)
    rng = np.random.default_rng(seed)
    out.adapt(rng.normal(rng.normal(size=SIZE), rng.uniform(0.5, 2, SIZE), (50, SIZE)))
    return out


SPLINE = maps.RationalQuadratic(8)
BUILDERS: dict[str, Callable[..., Any]] = {
    "additive": elementwise(maps.Additive()),
    "affine": elementwise(maps.Affine()),
    "spline": elementwise(SPLINE),
    "linear-tail spline": elementwise(maps.RationalQuadratic(8, tails="linear")),
    "mixture": elementwise(maps.LogisticMixture(4)),
    "additive coupling": coupling(maps.Additive()),
    "affine coupling": coupling(maps.Affine()),
    "spline coupling": coupling(SPLINE),
    "mixture coupling": coupling(maps.LogisticMixture(4)),
    "affine autoregressive": autoregressive(maps.Affine()),
    "spline autoregressive": autoregressive(SPLINE),
    "inverse autoregressive": autoregressive(maps.Affine(), invert=True),
    "inverse spline autoregressive": autoregressive(SPLINE, invert=True),
    "LU": lambda dtype, seed: maps.LU.trainable(SIZE, seed=seed, dtype=dtype),
    "triangular": lambda dtype, seed: maps.TriangularAffine.trainable(
        SIZE, dtype=dtype
    ),
    "low rank": lambda dtype, seed: maps.LowRankAffine.trainable(
        SIZE, rank=2, seed=seed, dtype=dtype
    ),
    "Householder": lambda dtype, seed: maps.HouseholderProduct.trainable(
        SIZE, 2, seed=seed, dtype=dtype
    ),
    "orthogonal": lambda dtype, seed: maps.Orthogonal.trainable(SIZE, dtype=dtype),
    "ActNorm": lambda dtype, seed: maps.ActNorm.trainable(SIZE, dtype=dtype),
    "BatchNorm": lambda dtype, seed: maps.BatchNorm.trainable(SIZE, dtype=dtype),
    "PReLU": lambda dtype, seed: maps.PReLU.trainable(SIZE, dtype=dtype),
    "LeakyReLU": lambda dtype, seed: maps.LeakyReLU(tf.constant(0.7, dtype)),
    "permutation": permutation,
    "standardize": standardize,
}


def chain(names: Sequence[str], dtype: str, seed: int) -> maps.Chain:
    """Build a chain of named maps away from the identity."""
    parts = []
    for index, name in enumerate(names):
        part = BUILDERS[name](dtype, 100 * seed + index)
        perturb(part, 0.2, 100 * seed + index)
        parts.append(part)
    return maps.Chain(parts)


def points(seed: int, count: int) -> np.ndarray:
    """Return points, a tenth of them over [-10, 10]."""
    rng = np.random.default_rng(seed)
    far = rng.uniform(-10, 10, (count // 10, SIZE))
    near = rng.standard_normal((count - len(far), SIZE))
    return rng.permutation(np.concatenate([near, far]))


def jacobian(bijector: maps.Chain, x: tf.Tensor) -> np.ndarray:
    """Return the Jacobians by autodiff, `[N, D, D]`, row by row."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        columns = tf.unstack(bijector.forward(x), axis=-1)
    return np.stack([tape.gradient(c, x).numpy() for c in columns], axis=1)


def round_trip(bijector: maps.Chain, x: tf.Tensor) -> np.ndarray:
    """Return the largest error of each point; the copy defeats the cache."""
    back = bijector.inverse(tf.identity(bijector.forward(x)))
    return np.abs(back.numpy() - x.numpy()).max(axis=-1)


def evaluate(names: Sequence[str], seed: int, count: int) -> list[float]:
    """Return the numbers of one chain."""
    exact, single = (chain(names, dtype, seed) for dtype in ("float64", "float32"))
    x = tf.constant(points(seed, count))
    some = x[:JACOBIANS]
    matrices = jacobian(exact, some)
    log_det = exact.forward_log_det_jacobian(some, event_ndims=1).numpy()
    y = tf.identity(exact.forward(some))
    opposite = exact.inverse_log_det_jacobian(y, event_ndims=1).numpy()
    rough = round_trip(single, tf.cast(some, tf.float32))
    stretch = np.linalg.norm(np.linalg.inv(matrices), ord=2, axis=(1, 2))
    return [
        round_trip(exact, x).max(),
        np.abs(np.linalg.slogdet(matrices)[1] - log_det).max(),
        np.abs(opposite + log_det).max(),
        rough.max(),
        (rough / np.maximum(stretch, 1.0)).max(),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--chains", type=int, default=CHAINS)
    args = parser.parse_args(arguments)
    chains, length, count = args.chains, LENGTH, POINTS
    if args.smoke:
        chains, length, count = 1, 2, 20
    _report.header(f"{chains} random chains of {length} maps")
    heads = ("round trip", "log-det", "opposite", "float32", "per stretch")
    print(f"{'':14}" + "".join(f"{head:>12}" for head in heads))
    rows, used = [], set()
    for seed in range(chains):
        rng = np.random.default_rng(seed)
        names = rng.choice(list(BUILDERS), length).tolist()
        used |= set(names)
        rows.append(evaluate(names, seed, count))
    table = np.array(rows)
    for name, values in (
        ("median chain", np.median(table, axis=0)),
        ("worst chain", table.max(axis=0)),
    ):
        print(f"{name:14}" + "".join(f"{value:12.1e}" for value in values))
    worst = table.max(axis=0)
    print(
        f"{len(used)} of {len(BUILDERS)} maps used; float64 round trip at most "
        f"{ROUND_TRIP:.0e}: {_report.verdict(worst[0], ROUND_TRIP)}; log-dets at most "
        f"{LOG_DET:.0e}: {_report.verdict(max(worst[1:3]), LOG_DET)}"
    )


if __name__ == "__main__":
    main()
