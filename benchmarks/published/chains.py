"""Random chains of the library's maps for vectors of four numbers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb

__all__ = ["chain", "copied", "errors", "jacobian", "names", "right_in_tfp"]

SIZE = 4
JACOBIANS = 100
HIDDEN = (8, 8)
# What float32 is held to: this, or this many roundings at the chain's condition number.
FLOOR, ULPS = 2e-4, 8.0
SPLINE = maps.RationalQuadratic(8)
Builder = Callable[[str, int], Any]


def elementwise(transformer: Any) -> Builder:
    """Return a builder of a scalar map with parameters for each coordinate."""
    shape = [SIZE, transformer.params_size]
    return lambda dtype, seed: transformer(tf.Variable(tf.zeros(shape, dtype)))


def coupling(transformer: Any) -> Builder:
    """Return a builder of a coupling with a random mask."""

    def build(dtype: str, seed: int) -> Any:
        mask = np.random.default_rng(seed).permutation([True, True, False, False])
        shape = (2, transformer.params_size)
        net = networks.MLP(2, shape, HIDDEN, dtype=dtype, seed=seed)
        return maps.Coupling(transformer, net, mask.tolist())

    return build


def autoregressive(transformer: Any, *, invert: bool = False) -> Builder:
    """Return a builder of an autoregressive map in random order."""

    def build(dtype: str, seed: int) -> Any:
        size, options = transformer.params_size, {"order": "random", "seed": seed}
        made = networks.MADE(SIZE, size, HIDDEN, dtype=dtype, **options)
        layer = maps.MaskedAutoregressive(transformer, made)
        return maps.Invert(layer) if invert else layer

    return build


def trainable(kind: Any, *args: Any, **options: Any) -> Builder:
    """Return a builder of a map of four numbers, with a seed where it takes one."""
    seeded = kind in (maps.LU, maps.LowRankAffine, maps.HouseholderProduct)

    def build(dtype: str, seed: int) -> Any:
        more = {**options, "seed": seed} if seeded else options
        return kind.trainable(SIZE, *args, dtype=dtype, **more)

    return build


def permutation(dtype: str, seed: int) -> Any:
    """Build a random permutation."""
    del dtype
    order = np.random.default_rng(seed).permutation(SIZE)
    return maps.Permutation(tuple(order.tolist()))


def standardize(dtype: str, seed: int) -> Any:
    """Build a standardisation of random data."""
    out = maps.Standardize.trainable(SIZE, dtype=dtype)
    rng = np.random.default_rng(seed)
    out.adapt(rng.normal(rng.normal(size=SIZE), rng.uniform(0.5, 2, SIZE), (50, SIZE)))
    return out


BUILDERS: dict[str, Builder] = {
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
    "LU": trainable(maps.LU),
    "triangular": trainable(maps.TriangularAffine),
    "low rank": trainable(maps.LowRankAffine, rank=2),
    "Householder": trainable(maps.HouseholderProduct, 2),
    "orthogonal": trainable(maps.Orthogonal),
    "ActNorm": trainable(maps.ActNorm),
    "BatchNorm": trainable(maps.BatchNorm),
    "PReLU": trainable(maps.PReLU),
    "LeakyReLU": lambda dtype, seed: maps.LeakyReLU(tf.constant(0.7, dtype)),
    "permutation": permutation,
    "standardize": standardize,
}


def names(seed: int, length: int) -> list[str]:
    """Draw names of maps."""
    return np.random.default_rng(seed).choice(list(BUILDERS), length).tolist()


def chain(chosen: Sequence[str], dtype: str, seed: int) -> maps.Chain:
    """Build a chain of named maps away from the identity."""
    parts = []
    for index, name in enumerate(chosen):
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


def jacobian(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> np.ndarray:
    """Return the Jacobians by autodiff, `[N, D, D]`, row by row."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        columns = tf.unstack(function(x), axis=-1)
    return np.stack([tape.gradient(c, x).numpy() for c in columns], axis=1)


def round_trip(bijector: maps.Chain, x: tf.Tensor) -> np.ndarray:
    """Return the largest error of each point; the copy defeats the cache."""
    back = bijector.inverse(tf.identity(bijector.forward(x)))
    return np.abs(back.numpy() - x.numpy()).max(axis=-1)


def errors(chosen: Sequence[str], seed: int, count: int) -> list[float]:
    """Return the largest errors of one chain.

    Returns:
        Round trip, log-det against autodiff, and sum of opposite log-dets in float64;
        round trip in float32, and the same over what it is held to.
    """
    exact, single = (chain(chosen, dtype, seed) for dtype in ("float64", "float32"))
    x = tf.constant(points(seed, count))
    some = x[:JACOBIANS]
    matrices = jacobian(exact.forward, some)
    log_det = exact.forward_log_det_jacobian(some, event_ndims=1).numpy()
    y = tf.identity(exact.forward(some))
    opposite = exact.inverse_log_det_jacobian(y, event_ndims=1).numpy()
    rough = round_trip(single, tf.cast(some, tf.float32))
    # A rounding of y, or of what the chain makes of x on its way, comes back stretched.
    condition = np.linalg.cond(matrices)
    size = np.maximum(np.abs(some).max(axis=-1), np.abs(y).max(axis=-1))
    allowed = np.maximum(FLOOR, ULPS * np.spacing(np.float32(size)) * condition)
    return [
        round_trip(exact, x).max(),
        np.abs(np.linalg.slogdet(matrices)[1] - log_det).max(),
        np.abs(opposite + log_det).max(),
        rough.max(),
        (rough / allowed).max(),
    ]


def distribution(bijector: maps.Chain) -> tfd.Distribution:
    """Return the distribution that a chain makes of a normal one."""
    base = tfd.MultivariateNormalDiag(tf.zeros(SIZE), tf.ones(SIZE))
    return tfd.TransformedDistribution(base, bijector)


def right_in_tfp(bijector: maps.Chain) -> bool:
    """Return whether samples, densities and gradients are right within a graph.

    Densities of a batch of rank two are those of single rows, up to rounding, and all
    gradients are finite.
    """
    density = distribution(bijector)
    x = tf.identity(density.sample([4, 5], seed=[0, 1]))

    @tf.function(autograph=False)
    def traced(x: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = density.log_prob(x)
        return value, tape.gradient(value, [x, *bijector.trainable_variables])

    value, gradients = traced(x)
    rows = [density.log_prob(tf.identity(row)) for row in tf.reshape(x, [-1, SIZE])[:3]]
    found = tf.reshape(value, [-1])[:3].numpy()
    close = np.allclose(found, np.stack(rows), rtol=1e-3, atol=1e-3)
    return close and all(np.isfinite(g).all() for g in gradients if g is not None)


def copied(bijector: maps.Chain) -> bool:
    """Return whether a chain that was saved has the same densities, bit for bit."""
    x = tf.random.stateless_normal([50, SIZE], [0, 1])
    same = pickle.loads(pickle.dumps(bijector))
    values = [
        distribution(b).log_prob(tf.identity(x)).numpy() for b in (bijector, same)
    ]
    return bool(np.array_equal(*values))
