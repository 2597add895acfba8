"""Every public map at shapes, sizes and parameters that Hypothesis draws."""

from __future__ import annotations

import inspect

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tests.bijectors.toy_maps import noise
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.bijectors.transformers import by_column
from tfp_flows.math.linear import rotations
from tfp_flows.testing import BijectorCase, perturb, registry

# A name and a function of size and dtype that returns a map, and options of its case.
MAPS = {}
TRANSFORMERS = (
    maps.Additive(),
    maps.Affine(),
    maps.Bernstein(5),
    maps.CircularSpline(2, -3.0, 3.0),
    maps.DeepSigmoidal(2),
    maps.LogisticMixture(2),
    maps.MonotoneNetwork(2, 12),
    maps.NormalMixture(2),
    maps.RationalQuadratic(3),
    maps.SumOfSquares(2),
)
EXAMPLES = max(2, hypothesis.settings().max_examples // 3)


def of(name, *, image=False, **options):
    """Register a function that builds a map of vectors, or of images."""

    def register(build):
        MAPS[name] = build, image, options
        return build

    return register


def listed(name, build, **options):
    of(name, **options)(build)


def table(size, rows=60):
    return np.random.default_rng(size).gamma(2.0, size=(rows, size))


def mlp(inputs, outputs, params, dtype, **options):
    return networks.MLP(inputs, (outputs, params), (4,), dtype=dtype, seed=0, **options)


listed("ActNorm", lambda n, d: maps.ActNorm.trainable(n, dtype=d))
listed("LU", lambda n, d: maps.LU.trainable(n, seed=0, dtype=d))
listed("TriangularAffine", lambda n, d: maps.TriangularAffine.trainable(n, dtype=d))


def _velocity(size, dtype):
    field = networks.VectorField(size, (4,), frequency=0.0, dtype=dtype, seed=0)
    for weight in field.weights:  # slow, so that its way back is exact
        weight.assign(0.2 * weight)
    return field


listed(
    "LowRankAffine",
    lambda n, d: maps.LowRankAffine.trainable(n, rank=min(n, 2), seed=0, dtype=d),
)
listed(
    "HouseholderProduct",
    lambda n, d: maps.HouseholderProduct.trainable(n, 2, seed=0, dtype=d),
)
listed("Orthogonal", lambda n, d: maps.Orthogonal.trainable(n, dtype=d))
listed("Banana", lambda n, d: maps.Banana.trainable(n, dtype=d))
listed("Planar", lambda n, d: maps.Planar.trainable(n, seed=0, dtype=d))
listed("Radial", lambda n, d: maps.Radial.trainable(n, seed=0, dtype=d))
listed(
    "Sylvester", lambda n, d: maps.Sylvester.trainable(n, min(n, 2), seed=0, dtype=d)
)
listed(
    "ResidualBlock",
    lambda n, d: maps.ResidualBlock(
        networks.LipschitzMLP(n, (4,), lipschitz=0.5, dtype=d, seed=0)
    ),
)
listed("NeuralODE", lambda n, d: maps.NeuralODE(_velocity(n, d), num_steps=20))
listed("Sphere", lambda n, d: maps.Sphere(), domain=(-1.0, 1.0))
listed("PReLU", lambda n, d: maps.PReLU.trainable(n, dtype=d))
listed("LeakyReLU", lambda n, d: maps.LeakyReLU(tf.constant(0.3, d)))
listed("NormalCDF", lambda n, d: maps.NormalCDF(), domain=(-3.0, 3.0))
listed("PixelSigmoid", lambda n, d: maps.PixelSigmoid(alpha=0.05), domain=(-4.0, 4.0))
listed("MarginalSpline", lambda n, d: maps.MarginalSpline.trainable(n, 4, dtype=d))
listed(
    "MixtureGaussianize", lambda n, d: maps.MixtureGaussianize.trainable(n, 2, dtype=d)
)
listed(
    "RadialGaussianize", lambda n, d: maps.RadialGaussianize.trainable(n, 4, dtype=d)
)


@of("BatchNorm")
def _batch_norm(size, dtype):
    norm = maps.BatchNorm.trainable(size, dtype=dtype)
    norm.adapt(table(size).astype(dtype))
    return norm


@of("Standardize")
def _standardize(size, dtype):
    units = maps.Standardize.trainable(size, dtype=dtype)
    units.adapt(table(size).astype(dtype))
    return units


@of("Permutation")
def _permutation(size, dtype):
    return maps.Permutation(np.random.default_rng(size).permutation(size).tolist())


@of("Rotation")
def _rotation(size, dtype):
    matrix = rotations.haar(size, np.random.default_rng(0))
    return maps.Rotation.trainable(matrix, dtype=dtype)


@of("MarginalGaussianize")
def _marginal_gaussianize(size, dtype):
    return maps.MarginalGaussianize.from_samples(
        table(size), 8, dtype=dtype, trainable=True
    )


@of("HistogramCDF", domain=(0.3, 2.0))
def _histogram(size, dtype):
    return maps.HistogramCDF.from_samples(table(size), 8, dtype=dtype, trainable=True)


@of("MarginalMixture")
def _marginal_mixture(size, dtype):
    return maps.MarginalMixture.fit(table(size), 2, dtype=dtype)


@of("RationalQuadraticSpline")
def _spline(size, dtype):
    params = tf.Variable(noise([size, 3 * 4 - 1], dtype, 4))
    return maps.RationalQuadraticSpline.from_unconstrained(
        params, range_min=-2.0, range_max=2.0
    )


for _transformer in TRANSFORMERS:

    @of(f"Elementwise-{type(_transformer).__name__}")
    def _elementwise(size, dtype, transformer=_transformer):
        params = noise([size, transformer.params_size], dtype, 2)
        return transformer(tf.Variable(params, name="params"))


@of("ConditionalElementwise", condition_shape=(2,))
def _conditional(size, dtype):
    net = mlp(0, size, 2, dtype, condition_shape=2)
    return maps.ConditionalElementwise(maps.Affine(), net)


@of("Amortized", condition_shape=(2,))
def _amortized(size, dtype):
    planar = maps.Planar.trainable(size, seed=0, dtype=dtype)
    count = maps.Amortized.num_parameters(planar)
    return maps.Amortized(planar, mlp(0, 1, count, dtype, condition_shape=2))


@of("Conditioned")
def _conditioned(size, dtype):
    return maps.Conditioned(_conditional(size, dtype), tf.ones([2], dtype))


@of("EmbedCondition", condition_shape=(2,))
def _embedded(size, dtype):
    embedding = networks.ConditionEmbedding((2,), dtype=dtype)
    embedding.adapt(noise([50, 2], dtype, 9))
    return maps.EmbedCondition(_conditional(size, dtype), embedding, 2)


@of("Coupling", smallest=2)
def _coupling(size, dtype):
    kept = size // 2
    mask = [place < kept for place in range(size)]
    return maps.Coupling(maps.Affine(), mlp(kept, size - kept, 2, dtype), mask)


@of("MaskedAutoregressive")
def _autoregressive(size, dtype):
    made = networks.MADE(size, 2, (6,), dtype=dtype, seed=0)
    return maps.MaskedAutoregressive(maps.Affine(), made)


@of("MaskedAutoregressive-attention")
def _attention(size, dtype):
    net = networks.CausalTransformer(size, 2, 4, 1, num_heads=2, dtype=dtype, seed=0)
    return maps.MaskedAutoregressive(maps.Affine(), net)


@of("MaskedAutoregressive-graph")
def _graph(size, dtype):
    # Each coordinate may depend on those after it, but not on the next.
    graph = np.triu(np.ones([size, size], int), 2).tolist()
    made = networks.MADE(size, 2, (6,), adjacency=graph, dtype=dtype, seed=0)
    return maps.MaskedAutoregressive(maps.Affine(), made)


def _turning(size, start):
    """Return a transformer with angles in [-1, 1] at each other coordinate."""
    places = tuple((start + place) % 2 for place in range(size))
    parts = maps.Affine(), maps.CircularSpline(2, -1.0, 1.0)
    return by_column.ByColumn(parts, places), {
        "period": (-1.0, 1.0),
        "periodic": tuple(map(bool, places)),
    }


@of("MaskedAutoregressive-periodic", domain=(-1.0, 1.0))
def _periodic_autoregressive(size, dtype):
    transformer, seen = _turning(size, 0)
    made = networks.MADE(
        *(size, transformer.params_size, (6,)), dtype=dtype, seed=0, **seen
    )
    return maps.MaskedAutoregressive(transformer, made)


@of("Coupling-periodic", smallest=2, domain=(-1.0, 1.0))
def _periodic_coupling(size, dtype):
    kept = size // 2
    (transformer, _), (_, seen) = _turning(size - kept, kept), _turning(kept, 0)
    net = mlp(kept, size - kept, transformer.params_size, dtype, **seen)
    mask = [place < kept for place in range(size)]
    return maps.Coupling(transformer, net, mask)


@of("BlockAutoregressive")
def _block(size, dtype):
    net = networks.BlockNetwork(size, (2, 2), dtype=dtype, seed=0)
    return maps.BlockAutoregressive(net)


@of("Chain")
def _chain(size, dtype):
    parts = maps.ActNorm.trainable(size, dtype=dtype), _permutation(size, dtype)
    return maps.Chain([*parts, maps.TriangularAffine.trainable(size, dtype=dtype)])


@of("Invert")
def _invert(size, dtype):
    return maps.Invert(maps.LU.trainable(size, seed=1, dtype=dtype))


@of("OnFlattened", event_shape=lambda size: (size, 1))
def _on_flattened(size, dtype):
    triangular = maps.TriangularAffine.trainable(size, dtype=dtype)
    return maps.OnFlattened(triangular, (size, 1))


# Maps of images: the size is the number of channels.
listed("Squeeze", lambda n, d: maps.Squeeze(), image=True)
listed("HaarWavelet", lambda n, d: maps.HaarWavelet(), image=True)
listed("CosineTransform", lambda n, d: maps.CosineTransform(), image=True)
listed(
    "InvertibleConv1x1",
    lambda n, d: maps.InvertibleConv1x1.trainable(n, seed=0, dtype=d),
    image=True,
)


def conv(inputs, outputs, dtype):
    return networks.ConvNet(inputs, (outputs, 2), (3,), dtype=dtype, seed=0)


@of("ChannelCoupling", image=True)
def _channels(size, dtype):
    kept = (size + 1) // 2
    mask = [place < kept for place in range(size + 1)]
    return maps.ChannelCoupling(maps.Affine(), conv(kept, size + 1 - kept, dtype), mask)


MAPS["ChannelCoupling"][2]["channels"] = lambda size: size + 1


@of("CheckerboardCoupling", image=True)
def _checkerboard(size, dtype):
    return maps.CheckerboardCoupling(maps.Affine(), conv(size, size, dtype))


@of("MultiScale", image=True)
def _multi_scale(size, dtype):
    levels = [maps.InvertibleConv1x1.trainable(4 * size, seed=0, dtype=dtype)]
    return maps.MultiScale(levels, [])


@st.composite
def drawn_cases(draw, name):
    """Draw a case of a map: its size, its parameters, and the batch of its inputs."""
    build, image, options = MAPS[name]
    options = dict(options)
    size = draw(st.integers(options.pop("smallest", 1), 4))
    event_shape = options.pop("event_shape", lambda size: (size,))(size)
    channels = options.pop("channels", lambda size: size)
    if image:
        sides = [2 * draw(st.integers(1, 2)) for _ in range(2)]
        event_shape = (*sides, channels(size))
    scale, seed = draw(st.sampled_from([0.0, 0.1, 0.5])), draw(st.integers(0, 99))

    def built(dtype):
        bijector = build(size, dtype)
        perturb(bijector, scale, seed)
        return bijector

    case = BijectorCase(built, event_shape, name=name, seed=seed, **options)
    return case, draw(st.sampled_from([(), (1,), (3,), (2, 3), (2, 0)]))


def check(case, leading, dtype):
    """Check shapes, and in float64 the round trip and both log-dets."""
    bijector, given = case.bijector(dtype), case.condition(leading, dtype)
    x = case.points(leading, dtype)
    y = bijector.forward(tf.identity(x), **given)
    back = bijector.inverse(tf.identity(y), **given)
    assert y.shape == bijector.forward_event_shape(x.shape)
    assert back.shape == x.shape
    assert y.dtype == back.dtype == dtype
    ranks = bijector.forward_min_event_ndims, bijector.inverse_min_event_ndims
    rank = max(case.event_ndims, *ranks)
    log_det = registry.forward_log_det(case, bijector, x, **given)
    inverse = bijector.inverse_log_det_jacobian(
        tf.identity(y), event_ndims=rank, **given
    )
    for found in (log_det, inverse):
        assert found.dtype == dtype
        assert np.broadcast_shapes(found.shape, leading) == leading
    for found in (y, back, log_det, inverse):
        assert np.all(np.isfinite(found))
    if dtype == "float64":
        np.testing.assert_allclose(back, x, rtol=1e-6, atol=1e-6)
        inverse = tf.broadcast_to(inverse, leading)
        np.testing.assert_allclose(inverse + log_det, 0.0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(data=st.data())
def test_maps_of_any_shape_are_inverted(name, data):
    case, leading = data.draw(drawn_cases(name))
    check(case, leading, data.draw(st.sampled_from(["float32", "float64"])))


def test_every_public_map_is_drawn():
    names = {name.partition("-")[2] or name for name in MAPS}
    public = [getattr(maps, name) for name in maps.__all__]
    missing = [
        kind.__name__
        for kind in public
        if inspect.isclass(kind)
        and issubclass(kind, (maps.Bijector, maps.Transformer))
        and kind
        not in (maps.Bijector, maps.Transformer, maps.Elementwise, maps.Stochastic)
        and kind.__name__ not in names
    ]
    assert not missing
