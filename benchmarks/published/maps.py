"""Identities of maps: round trips, log-dets, costs, and the checks of the library."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from published import chains
from published.entries import Figure, entry, least
from tfp_flows import bijectors as maps
from tfp_flows import flows, networks, testing
from tfp_flows.testing import perturb

# The core four: round trips, log-dets, a place in TFP, and files.
ROUND_TRIPS = ("round_trip", "far_round_trip")
LOG_DETS = ("log_det", "opposite_log_dets")
IN_TFP = ("finite_gradients", "tf_function", "leading_shapes", "dtype")
COPIES = ("pickle", "copy")
CALLS = 6


def kept(case: testing.BijectorCase, names: Sequence[str]) -> bool:
    """Return whether a map keeps some of the library's contracts."""
    known = testing.checks()
    try:
        for name in names:
            if case.reason_to_skip(name) is None:
                known[name](case)
    except testing.ContractError as error:
        print(f"  {error}")
        return False
    return True


@entry("chains-of-ten", "B3, H1", "Rezende & Mohamed 2015, equations 1 and 2")
def chains_of_ten(quick: bool) -> Iterator[Figure]:
    """Random chains of ten of the library's maps."""
    count, length, points = (1, 2, 20) if quick else (50, 10, 1_000)
    rows, used, right, copied = [], set(), 0, 0
    for seed in range(count):
        names = chains.names(seed, length)
        used |= set(names)
        rows.append(chains.errors(names, seed, points))
        chain = chains.chain(names, "float32", seed)
        right += chains.right_in_tfp(chain)
        copied += chains.copied(chain)
    worst = np.max(rows, axis=0)
    yield Figure("maps that take part", len(used))
    yield Figure("worst round trip, float64", worst[0], 1e-10)
    yield Figure("worst log-det against autodiff, float64", worst[1], 1e-8)
    yield Figure("worst sum of opposite log-dets, float64", worst[2], 1e-8)
    yield Figure("worst round trip, float32", worst[3])
    yield Figure("the same over what rounding allows", worst[4], 1.0)
    yield least(
        f"chains of {count} that are right within a distribution, traced", right, count
    )
    yield least(f"chains of {count} that copy bit for bit", copied, count)


def block_builders() -> dict[str, Callable[[str], Any]]:
    """Return builders of the maps of colobas' posts, by name."""

    def coupling(dtype: str) -> maps.Coupling:
        net = networks.MLP(2, (2, 2), (8, 8), dtype=dtype, seed=0)
        return maps.Coupling(maps.Affine(), net, [True, False, True, False])

    return {
        "affine by LU": lambda dtype: maps.LU.trainable(4, seed=0, dtype=dtype),
        "triangular and low rank": lambda dtype: maps.Chain(
            [
                maps.TriangularAffine.trainable(4, dtype=dtype),
                maps.LowRankAffine.trainable(4, rank=2, seed=0, dtype=dtype),
            ]
        ),
        "PReLU": lambda dtype: maps.PReLU.trainable(4, dtype=dtype),
        "BatchNorm": lambda dtype: maps.BatchNorm.trainable(4, dtype=dtype),
        "coupling": coupling,
        "permutation": lambda dtype: maps.Permutation((2, 0, 3, 1)),
    }


def core_four(build: Callable[[str], Any], shape: Any, **options: Any) -> bool:
    """Return whether a map, away from its initial values, keeps the core four."""

    def perturbed(dtype: str) -> Any:
        out = build(dtype)
        perturb(out, 0.3, 1)
        return out

    case = testing.BijectorCase(perturbed, shape, **options)
    return kept(case, (*ROUND_TRIPS, *LOG_DETS, *IN_TFP, *COPIES))


def largest_factored(log_det: Callable[[], tf.Tensor]) -> int:
    """Return the side of the largest matrix that a graph takes a determinant of."""
    graph = tf.function(log_det, autograph=False).get_concrete_function().graph
    words = ("Determinant", "Lu", "Qr", "Svd", "Cholesky")
    sides = [
        op.inputs[0].shape[-1]
        for op in graph.get_operations()
        if any(word in op.type for word in words) and op.inputs
    ]
    return max(sides, default=0)


@entry("building-blocks", "E12", "colobas, normalizing flows in PyTorch, posts")
def building_blocks(quick: bool) -> Iterator[Figure]:
    """Affine, PReLU, BatchNorm, coupling and permutation, each with the core four."""
    builders = block_builders()
    if quick:
        builders = {"permutation": builders["permutation"]}
    good = sum(core_four(build, (4,)) for build in builders.values())
    yield least(
        f"blocks of {len(builders)} that keep the core four", good, len(builders)
    )
    low_rank = maps.LowRankAffine.trainable(64, rank=2, seed=0)
    side = largest_factored(
        lambda: low_rank.forward_log_det_jacobian(tf.zeros([1, 64]), event_ndims=1)
    )
    what = "side of the largest determinant, rank 2 of 64 columns"
    yield Figure(what, side, 2, reference="2")


@entry("invertible-1x1-convolution", "A4", "Kingma & Dhariwal 2018; tonyduan's code")
def convolution(quick: bool) -> Iterator[Figure]:
    """The same LU on rows and on pictures."""
    side = 2 if quick else 8
    lu = maps.LU.trainable(3, init="orthogonal", seed=0, dtype="float64")
    perturb(lu, 0.2, 1)
    x = tf.random.stateless_normal([4, side, side, 3], [0, 1], dtype=tf.float64)
    y = lu.forward(x)
    worst = max(float(np.abs(lu.inverse(tf.identity(y)) - x).max()) for _ in range(3))
    yield Figure("round trip of pictures, three times", worst, 1e-5, reference="0")
    found = lu.forward_log_det_jacobian(x, event_ndims=3).numpy()
    expected = side**2 * np.linalg.slogdet(lu.matrix().numpy())[1]
    yield Figure("log-det - H W log|det W|", np.abs(found - expected).max(), 1e-5)


@entry("act-norm", "A5", "Kingma & Dhariwal 2018, ActNorm")
def act_norm(quick: bool) -> Iterator[Figure]:
    """What the first batch sets."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64 if quick else 4_096, 5)) * [0.1, 1, 9, 40, 2] + 7.0
    x = x.astype(np.float32)
    norm = maps.ActNorm.trainable(5)
    norm.adapt(x)
    z = norm.inverse(x).numpy().astype(np.float64)
    yield Figure("largest mean of a channel", np.abs(z.mean(axis=0)).max(), 1e-4)
    off = np.abs(z.std(axis=0) - 1.0).max()
    yield Figure("largest error of a deviation", off, 1e-4)


@entry("model-wrapper", "A10", "tonyduan/normalizing-flows, NormalizingFlowModel")
def wrapper(quick: bool) -> Iterator[Figure]:
    """Base density and log-dets of single maps add up to the flow's density."""
    flow = flows.build("realnvp", 3, num_layers=2 if quick else 6, seed=0)
    perturb(flow.bijector(), 0.1)
    x = flow.sample(100, seed=0)
    z, total = tf.identity(x), tf.zeros([100])
    for part in flow.bijector().bijectors:
        z, log_det = part.inverse_and_log_det(z)
        total += tf.reduce_sum(tf.reshape(log_det, [100, -1]), axis=-1)
    base = tfd.MultivariateNormalDiag(tf.zeros(3), tf.ones(3))
    summed = base.log_prob(z) + total
    off = float(np.abs(summed - flow.log_prob(tf.identity(x))).max())
    yield Figure("parts against the flow's log_prob", off, 1e-5)
    density = flow.distribution()
    off = float(np.abs(density.log_prob(tf.identity(x)) - summed).max())
    yield Figure("parts against TransformedDistribution", off, 1e-5)


def seconds(functions: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Return median CPU times of compiled functions, measured in turns."""
    compiled = [tf.function(f, autograph=False) for f in functions]
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, found in zip(compiled, times, strict=True):
            for call in range(CALLS):
                start = time.process_time()
                tf.nest.map_structure(lambda t: t.numpy(), function())
                # The first one finds the caches of the processor cold.
                if call:
                    found.append(time.process_time() - start)
    return [statistics.median(found) for found in times]


def log_dets(bijector: Any, size: int) -> tuple[Callable[[], tf.Tensor], ...]:
    """Return the log-det of a map, and that of its dense matrix, as closures.

    A map that were an argument would be taken apart in each call.
    """

    def ours() -> tf.Tensor:
        return bijector.forward_log_det_jacobian(tf.zeros([1, size]), event_ndims=1)

    def dense() -> tf.Tensor:
        return tf.linalg.slogdet(bijector.matrix())[1]

    return ours, dense


@entry("determinants-in-linear-time", "B4", "Kingma & Dhariwal 2018, section 3.2")
def determinants(quick: bool) -> Iterator[Figure]:
    """Log-dets of factored matrices of 512 columns beside `slogdet`, with gradients."""
    size = 16 if quick else 512
    for name, bijector in (
        ("LU", maps.LU.trainable(size, init="orthogonal", seed=1)),
        ("triangular", maps.TriangularAffine.trainable(size)),
        ("low rank", maps.LowRankAffine.trainable(size, rank=4, seed=1)),
    ):
        perturb(bijector, 0.01, 2)
        variables = bijector.trainable_variables

        ours, dense = log_dets(bijector, size)

        def gradient(value: Any, variables: Any = variables) -> Callable[[], Any]:
            def call() -> list[tf.Tensor]:
                with tf.GradientTape() as tape:
                    loss = value()
                return [g for g in tape.gradient(loss, variables) if g is not None]

            return call

        off = abs(float(ours()[0]) - float(dense()))
        yield Figure(f"{name}: error of the log-det", off, 1e-4, reference="0")
        steps = [f for value in (ours, dense) for f in (value, gradient(value))]
        mine, mine_step, full, full_step = seconds(steps, 1 if quick else 15)
        yield least(f"{name}: times as fast as slogdet", full / mine, 5.0)
        what = f"{name}: the same with the gradient"
        yield least(what, full_step / mine_step, 5.0)


@entry("normal-cdf", "D2", "TFP's NormalCDF, as a layer of Gaussianization")
def normal_cdf(quick: bool) -> Iterator[Figure]:
    """Both tails in float32, and round trips in float64."""
    del quick
    cdf = maps.NormalCDF()
    x = tf.constant(np.linspace(-8.0, 8.0, 1_601), tf.float32)
    y, log_det = cdf.forward_and_log_det(x)
    back, opposite = cdf.inverse_and_log_det(tf.identity(y))
    bad = sum(int(np.sum(~np.isfinite(v))) for v in (y, log_det, back, opposite))
    yield Figure("numbers that are not finite, float32, up to 8", bad, 0)
    x = tf.constant(np.linspace(-8.0, 6.5, 1_451), tf.float64)
    error = np.abs(cdf.inverse(tf.identity(cdf.forward(x))) - x).max()
    yield Figure("round trip of [-8, 6.5], float64", error, 1e-5)
    # Beyond, a value of the CDF moves by at most one rounding on the way.
    x = tf.constant(np.linspace(6.5, 8.0, 151), tf.float64)
    y = cdf.forward(x)
    again = cdf.forward(tf.identity(cdf.inverse(tf.identity(y))))
    ulps = np.abs(again - y).max() / np.spacing(0.5)
    yield Figure("CDF of [6.5, 8] there and back, in ulps", ulps, 1.0)


@entry("interpolated-cdf", "D3", "TFP's interp_regular_1d_grid, as a map")
def interpolated(quick: bool) -> Iterator[Figure]:
    """A monotone table of the CDF, inverted exactly, with tails outside."""
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=(200 if quick else 20_000, 2))
    table = maps.MarginalGaussianize.from_samples(x, 50, dtype=tf.float64)
    z = table.inverse(x)
    error = np.abs(table.forward(tf.identity(z)) - x).max()
    yield Figure("round trip inside, float64", error, 1e-6)
    far = x[:100] * 100.0
    error = np.abs(table.forward(tf.identity(table.inverse(far))) / far - 1.0).max()
    yield Figure("relative round trip in the tails", error, 1e-6)


@entry("coupling-layers", "F1", "Dinh et al. 2014 and 2016, Durkan et al. 2019")
def couplings(quick: bool) -> Iterator[Figure]:
    """Additive couplings keep volumes; splines are smooth where their tails begin."""
    flow = flows.build("nice", 4, num_layers=3, seed=0)
    layers = [m for m in flow.bijector().bijectors if isinstance(m, maps.Coupling)]
    perturb(flow.bijector(), 0.3)
    x = tf.random.stateless_normal([100, 4], [0, 1])
    worst = max(
        float(np.abs(m.forward_log_det_jacobian(x, event_ndims=1)).max())
        for m in layers
    )
    yield Figure("largest log-det of additive couplings", worst, 0.0, reference="0")
    spline = maps.RationalQuadratic(8)(
        tf.Variable(
            np.random.default_rng(0).normal(
                size=[maps.RationalQuadratic(8).params_size]
            )
        )
    )
    edges = np.array([-5.0, 5.0])
    jump = [
        np.exp(
            spline.forward_log_det_jacobian(tf.constant(edges + side), event_ndims=0)
        )
        for side in (-1e-9, 1e-9)
    ]
    what = "jump of a spline's slope at its ends"
    yield Figure(what, np.abs(jump[0] - jump[1]).max(), 1e-5, reference="0")
    kinds = [maps.Additive(), maps.Affine(), maps.RationalQuadratic(8)]
    kinds = kinds[: 1 if quick else None]
    good = sum(core_four(_coupling(kind), (4,)) for kind in kinds)
    yield least(f"couplings of {len(kinds)} that keep the core four", good, len(kinds))


def _coupling(kind: Any) -> Callable[[str], Any]:
    def build(dtype: str) -> maps.Coupling:
        net = networks.MLP(2, (2, kind.params_size), (8,), dtype=dtype, seed=0)
        return maps.Coupling(kind, net, [True, True, False, False])

    return build


@entry("autoregressive-duality", "F3", "Kingma et al. 2016, Papamakarios et al. 2017")
def duality(quick: bool) -> Iterator[Figure]:
    """Which direction is one network pass, for 64 coordinates."""
    size = 4 if quick else 64
    for name, method in (("maf", "log_prob"), ("iaf", "sample")):
        flow = flows.build(name, size, num_layers=1, hidden_units=(64,), seed=0)
        nets = [m for m in flow.bijector().submodules if isinstance(m, networks.MADE)]
        x = flow.sample(8, seed=0)
        density = flow.distribution()
        with testing.counted(nets[0]) as calls:
            if method == "log_prob":
                density.log_prob(tf.identity(x))
            else:
                density.sample(8, seed=0)
        yield Figure(f"network passes of {name}.{method}", calls(), 1, reference="1")
    flow = flows.build("maf", size, seed=0, dtype="float64")
    perturb(flow.bijector(), 0.05)
    z = tf.random.stateless_normal([100, size], [0, 1], dtype=tf.float64)
    x = flow.bijector().forward(z)
    error = np.abs(flow.bijector().inverse(tf.identity(x)) - z).max()
    yield Figure("maf's samples against one pass, float64", error, 1e-10)


@entry("change-of-variables", "F6, H1", "Kobyzev et al. 2019, section 2")
def identities(quick: bool) -> Iterator[Figure]:
    """Jacobians of both directions, sums of log-dets, the density of every layer."""
    flow = flows.build("nsf", 2, num_layers=2 if quick else 4, seed=0, dtype="float64")
    perturb(flow.bijector(), 0.1)
    chain = flow.bijector()
    z = tf.random.stateless_normal([50, 2], [0, 1], dtype=tf.float64)
    x = tf.identity(chain.forward(z))
    there, back = chains.jacobian(chain.forward, z), chains.jacobian(chain.inverse, x)
    off = np.abs(there @ back - np.eye(2)).max()
    yield Figure("J of forward times J of inverse, less the identity", off, 1e-5)
    total, value = 0.0, z
    for part in reversed(chain.bijectors):
        value, log_det = part.forward_and_log_det(value)
        total += np.reshape(log_det, [50, -1]).sum(axis=1)
    whole = chain.forward_log_det_jacobian(z, event_ndims=1).numpy()
    yield Figure(
        "sum of log-dets less that of the chain", np.abs(total - whole).max(), 1e-5
    )
    grid = np.linspace(-12.0, 12.0, 61 if quick else 481)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    cell = (grid[1] - grid[0]) ** 2
    masses = [
        float(tf.reduce_sum(tf.exp(flow.partial(k).log_prob(points)))) * cell
        for k in range(flow.num_maps + 1)
    ]
    worst = max(abs(mass - 1.0) for mass in masses)
    yield Figure(
        "largest error of a layer's mass on a grid", worst, 0.01, reference="1"
    )
