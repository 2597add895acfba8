"""Every bijector as a named case of the contract suite.

Parameters are away from their initial values, so that nothing is tested at the
identity only.
"""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.bijectors import image_cases, mixture_cases, spline_cases
from tests.bijectors.toy_maps import Affine as ToyAffine
from tests.bijectors.toy_maps import Shear, noise
from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.bijectors.transformers import by_column
from tfp_flows.math.linear import rotations
from tfp_flows.testing import BijectorCase, perturb

CASES: dict[str, BijectorCase] = {
    **image_cases.CASES,
    **mixture_cases.CASES,
    **spline_cases.CASES,
}
BATCH = {"event_shape": "a batch of parameters broadcasts, as in tfb.Scale"}
DENSE = {"infinite_inputs": "a sum of infinite terms of both signs is no number"}


def case(name, event_shape, **options):
    """Register a function of the dtype that builds a map."""

    def register(build):
        CASES[name] = BijectorCase(build, event_shape, name=name, **options)
        return build

    return register


@case("chain", (2,))
def _chain(dtype):
    return maps.Chain(
        [
            ToyAffine.variable(2, dtype, 1),
            Shear.build(dtype),
            Shear.build(dtype, flip=True),
        ]
    )


@case("chain_empty", (2,))
def _chain_empty(dtype):
    return maps.Chain([])


@case("chain_conditional", (2,), condition_shape=(3,))
def _chain_conditional(dtype):
    parts = [Shear.build(dtype, (3,), seed, flip=seed == 5) for seed in (3, 5)]
    inverted = maps.Invert(parts[0])
    nested = maps.Chain([parts[1], ToyAffine.variable(2, dtype, 7)])
    return maps.Chain([nested, inverted])


@case("chain_checkpoint", (2,), condition_shape=(3,))
def _chain_checkpoint(dtype):
    blocks = []
    for seed in range(3):
        net = networks.MLP(
            1, (1, 2), (4,), condition_shape=(3,), dtype=dtype, seed=seed
        )
        coupling = maps.Coupling(maps.Affine(), net, [True, False])
        blocks += [coupling, maps.Permutation((1, 0) if seed else (0, 1))]
    first = ToyAffine.variable(2, dtype, 1)
    return _perturbed(maps.Chain([first, *blocks], checkpoint=True))


@case("chain_with_tfb", (2,))
def _chain_with_tfb(dtype):
    scale = tfb.Scale(tf.constant([0.5, 2.0], dtype))
    return maps.Chain([scale, Shear.build(dtype), tfb.Shift(tf.ones([2], dtype))])


@case("invert", (2,))
def _invert(dtype):
    return maps.Invert(_chain(dtype))


@case("conditioned", (2,))
def _conditioned(dtype):
    return maps.Conditioned(_chain_conditional(dtype), tf.ones([3], dtype))


def _perturbed(bijector, scale=0.3):
    perturb(bijector, scale, seed=1)
    return bijector


def _elementwise(transformer):
    def build(dtype):
        params = noise([transformer.params_size], dtype, 2)
        return transformer(tf.Variable(params, name="params"))

    return build


case("elementwise_additive", ())(_elementwise(maps.Additive()))
case("elementwise_affine", ())(_elementwise(maps.Affine()))
case("elementwise_spline", (), edges=(-5.0, 5.0))(
    _elementwise(maps.RationalQuadratic(4))
)
case("elementwise_bernstein", (), edges=(-5.0, 5.0))(_elementwise(maps.Bernstein(6)))
case("elementwise_mixture", ())(_elementwise(maps.LogisticMixture(3)))
case("elementwise_squares", (), edges=(-5.0, 5.0))(_elementwise(maps.SumOfSquares(2)))
case("elementwise_sigmoids", ())(_elementwise(maps.DeepSigmoidal(3)))
case("elementwise_dense_sigmoids", ())(
    _elementwise(maps.DeepSigmoidal(2, 2, dense=True))
)
case(
    "elementwise_circular",
    (),
    edges=(-2.0, 2.0),
    domain=(-2.0, 2.0),
    codomain=(-2.0, 2.0),
    support=(-math.inf, math.inf),  # the identity outside of the circle
    skip={"is_increasing": "it goes around a circle"},
)(_elementwise(maps.CircularSpline(3, -2.0, 2.0)))
case("elementwise_network", (), edges=(-5.0, 5.0))(
    _elementwise(maps.MonotoneNetwork(3, 16))
)


@case("elementwise_vector", (3,), skip=BATCH)
def _elementwise_vector(dtype):
    return maps.Affine()(tf.Variable(noise([3, 2], dtype, 5)))


@case("conditional_elementwise", (1,), condition_shape=(2,))
def _conditional_elementwise(dtype):
    net = networks.MLP(0, (1, 2), (6,), condition_shape=2, dtype=dtype, seed=0)
    return _perturbed(maps.ConditionalElementwise(maps.Affine(), net))


@case("coupling_affine", (3,))
def _coupling_affine(dtype):
    net = networks.MLP(1, (2, 2), (6,), dtype=dtype, seed=0)
    return _perturbed(maps.Coupling(maps.Affine(), net, [True, False, False]))


@case("coupling_spline", (2,), edges=(-3.0, 3.0))
def _coupling_spline(dtype):
    transformer = maps.RationalQuadratic(4, -3.0, 3.0)
    net = networks.MLP(
        1, (1, transformer.params_size), (6, 6), residual=True, dtype=dtype, seed=0
    )
    # Steeper, and float32 could not hold the round trip to the suite's bound.
    return _perturbed(maps.Coupling(transformer, net, [False, True]), 0.1)


@case("coupling_conditional", (3,), condition_shape=(2,))
def _coupling_conditional(dtype):
    transformer = maps.RationalQuadratic(4, tails="linear")
    shape = (1, transformer.params_size)
    net = networks.MLP(2, shape, (6,), condition_shape=2, dtype=dtype, seed=0)
    mask = [True, False, True]
    return _perturbed(maps.Coupling(transformer, net, mask))


@case("coupling_keras", (2,), condition_shape=(2,))
def _coupling_keras(dtype):
    kernel = keras.initializers.RandomNormal(stddev=0.3, seed=0)
    layers = [
        keras.layers.Dense(5, "tanh", kernel_initializer=kernel, dtype=dtype),
        keras.layers.Dense(2, kernel_initializer=kernel, dtype=dtype),
    ]
    net = networks.as_conditioner(
        keras.Sequential(layers), 1, (1, 2), condition_shape=2, dtype=dtype
    )
    return maps.Chain([maps.Coupling(maps.Affine(), net, [True, False])])


@case("autoregressive_affine", (3,))
def _autoregressive_affine(dtype):
    made = networks.MADE(3, 2, (6,), dtype=dtype, seed=0, order="right-to-left")
    return _perturbed(maps.MaskedAutoregressive(maps.Affine(), made))


@case("autoregressive_spline", (2,), condition_shape=(2,))
def _autoregressive_spline(dtype):
    transformer = maps.RationalQuadratic(4)
    made = networks.MADE(
        2, transformer.params_size, (6,), condition_shape=2, dtype=dtype, seed=0
    )
    return _perturbed(maps.MaskedAutoregressive(transformer, made))


@case("autoregressive_attention", (4,), condition_shape=(2,))
def _autoregressive_attention(dtype):
    net = networks.CausalTransformer(
        *(4, 2, 4, 1),
        num_heads=2,
        token_size=2,
        order=(3, 1, 2, 0),
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return _perturbed(maps.MaskedAutoregressive(maps.Affine(), net))


@case("autoregressive_convolution", (4,), condition_shape=(2,))
def _autoregressive_convolution(dtype):
    net = networks.CausalConvolution(
        *(4, 2, 4),
        dilations=(1, 1),
        token_size=2,
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return _perturbed(maps.MaskedAutoregressive(maps.Affine(), net))


# Coordinate 2 depends on 0 and 1, these on each other not at all.
GRAPH = [[0, 0, 0], [0, 0, 0], [1, 1, 0]]


@case("autoregressive_graph", (3,), condition_shape=(2,))
def _autoregressive_graph(dtype):
    made = networks.MADE(
        *(3, 2, (6,)), adjacency=GRAPH, condition_shape=2, dtype=dtype, seed=0
    )
    return _perturbed(maps.MaskedAutoregressive(maps.Affine(), made))


# An angle in [-1, 1], which networks see by its cosine and sine, and numbers.
ANGLES = {
    "edges": (-1.0, 1.0),
    "domain": (-1.0, 1.0),
    "support": (-math.inf, math.inf),  # the identity outside of the circle
    "quadrature": False,  # the plane would wind around the circle
    "skip": {"infinite_inputs": "infinity is no angle: it has no cosine"},
}


def _by_column(places):
    parts = maps.Affine(), maps.CircularSpline(3, -1.0, 1.0)
    return by_column.ByColumn(parts, places)


@case("autoregressive_periodic", (2,), condition_shape=(2,), **ANGLES)
def _autoregressive_periodic(dtype):
    transformer = _by_column((0, 1))
    made = networks.MADE(
        *(2, transformer.params_size, (6,)),
        period=(-1.0, 1.0),
        periodic=(False, True),
        order="right-to-left",
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return _perturbed(maps.MaskedAutoregressive(transformer, made))


@case("coupling_periodic", (3,), **ANGLES)
def _coupling_periodic(dtype):
    transformer = _by_column((1, 0))
    net = networks.MLP(
        1, (2, transformer.params_size), (6,), period=(-1.0, 1.0), dtype=dtype, seed=0
    )
    return _perturbed(maps.Coupling(transformer, net, [True, False, False]))


@case("invert_autoregressive", (2,))
def _invert_autoregressive(dtype):
    made = networks.MADE(2, 2, (6,), dtype=dtype, seed=0)
    affine = maps.Affine()
    return maps.Invert(_perturbed(maps.MaskedAutoregressive(affine, made)))


@case("block_autoregressive", (2,), condition_shape=(2,))
def _block_autoregressive(dtype):
    net = networks.BlockNetwork(
        2, (3, 3), ranks="right-to-left", condition_shape=2, dtype=dtype, seed=0
    )
    return _perturbed(maps.BlockAutoregressive(net), 0.05)


# Linear maps, without a network.


@case("act_norm", (3,))
def _act_norm(dtype):
    return _perturbed(maps.ActNorm.trainable(3, dtype=dtype), 1.0)


@case("act_norm_adapted", (2,))
def _act_norm_adapted(dtype):
    norm = maps.ActNorm.trainable(2, dtype=dtype)
    norm.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -40.0])
    return norm


@case("act_norm_image", (2, 2, 3))
def _act_norm_image(dtype):
    return _perturbed(maps.ActNorm.trainable(3, event_ndims=3, dtype=dtype), 1.0)


@case("batch_norm", (2,))
def _batch_norm(dtype):
    norm = maps.BatchNorm.trainable(2, dtype=dtype)
    norm.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -4.0])
    return _perturbed(norm)


# From two numbers to a vector of three; tests of `math.spheres` compare the log-det
# with areas by autodiff.
SPHERE = {
    "event_shape": "it takes vectors of any size",
    "leading_shapes": "the check gives vectors of its own size to the inverse",
    "finite_gradients": "the check joins vectors of both sizes",
    "log_det": "it is by area: the matrix of slopes is not square",
    "mass": "it is one over the sphere, not over the plane",
    "huge_inputs": "what is no unit vector has density 0",
    "unknown_shapes": "it says that vectors must have a known size",
}


@case("sphere", (2,), domain=(-1.0, 1.0), skip=SPHERE)
def _sphere(dtype):
    return maps.Sphere()


@case("standardize", (2,))
def _standardize(dtype):
    units = maps.Standardize.trainable(2, dtype=dtype)
    units.adapt(noise([50, 2], dtype, 8) * [0.1, 5.0] + [3.0, -40.0])
    return units


@case("standardize_image", (2, 2, 1))
def _standardize_image(dtype):
    units = maps.Standardize.trainable((2, 2, 1), dtype=dtype)
    units.adapt(noise([50, 2, 2, 1], dtype, 8) * 3.0 + 1.0)
    return units


@case("permutation", (4,))
def _permutation(dtype):
    return maps.Permutation((2, 0, 3, 1))


@case("lu", (3,), skip=DENSE)
def _lu(dtype):
    return _perturbed(maps.LU.trainable(3, init="orthogonal", seed=0, dtype=dtype), 0.5)


@case("lu_1x1", (2, 2, 3), skip=DENSE)
def _lu_1x1(dtype):
    return _perturbed(maps.LU.trainable(3, seed=0, dtype=dtype, use_shift=False))


@case("triangular", (2,), skip=DENSE)
def _triangular(dtype):
    return _perturbed(maps.TriangularAffine.trainable(2, dtype=dtype), 0.7)


@case("triangular_upper", (3,), skip=DENSE)
def _triangular_upper(dtype):
    return _perturbed(maps.TriangularAffine.trainable(3, lower=False, dtype=dtype), 0.7)


@case("low_rank", (3,), skip=DENSE)
def _low_rank(dtype):
    return _perturbed(maps.LowRankAffine.trainable(3, rank=2, seed=0, dtype=dtype))


@case("householder", (3,), skip=DENSE)
def _householder(dtype):
    return _perturbed(maps.HouseholderProduct.trainable(3, 2, seed=0, dtype=dtype))


@case("orthogonal", (3,), skip=DENSE)
def _orthogonal(dtype):
    return _perturbed(maps.Orthogonal.trainable(3, dtype=dtype), 0.5)


@case("orthogonal_two", (2,), skip=DENSE)
def _orthogonal_two(dtype):
    return _perturbed(maps.Orthogonal.trainable(2, dtype=dtype), 0.5)


@case("leaky_relu", (2,))
def _leaky_relu(dtype):
    return maps.LeakyReLU(tf.constant(0.3, dtype))


@case("prelu", ())
def _prelu(dtype):
    return _perturbed(maps.PReLU.trainable(negative_slope=0.5, dtype=dtype))


@case("prelu_vector", (3,), skip=BATCH)
def _prelu_vector(dtype):
    return _perturbed(maps.PReLU.trainable(3, dtype=dtype))


# Maps that add a bend.


@case(
    "banana",
    (3,),
    skip={
        "huge_inputs": "the square of 1e30 is beyond float32",
        "infinite_inputs": "inf - inf is not a number",
    },
)
def _banana(dtype):
    return _perturbed(maps.Banana.trainable(3, dtype=dtype), 0.5)


@case("planar", (3,))
def _planar(dtype):
    return _perturbed(maps.Planar.trainable(3, seed=0, dtype=dtype), 0.5)


@case("radial", (2,))
def _radial(dtype):
    return _perturbed(maps.Radial.trainable(2, seed=0, dtype=dtype), 0.5)


@case("sylvester", (3,), skip=DENSE)
def _sylvester(dtype):
    return _perturbed(maps.Sylvester.trainable(3, 2, seed=0, dtype=dtype))


@case("sylvester_householder", (2,), skip=DENSE)
def _sylvester_householder(dtype):
    map_ = maps.Sylvester.trainable(2, kind="householder", seed=0, dtype=dtype)
    return _perturbed(map_)


@case("sylvester_triangular", (2,), skip=DENSE)
def _sylvester_triangular(dtype):
    map_ = maps.Sylvester.trainable(2, kind="triangular", seed=0, dtype=dtype)
    return _perturbed(map_)


def _contraction(dtype, **options):
    # A small bound, as each step towards an inverse is a pass op by op.
    net = networks.LipschitzMLP(2, (3,), lipschitz=0.5, dtype=dtype, seed=0, **options)
    perturb(net, 0.7, seed=2)
    return net


@case("residual_block", (2,), condition_shape=(2,))
def _residual_block(dtype):
    return maps.ResidualBlock(_contraction(dtype, condition_shape=2))


@case("residual_block_sin", (2,))
def _residual_block_sin(dtype):
    net = _contraction(dtype, activation="sin")
    return maps.ResidualBlock(net)


@case("neural_ode", (2,), condition_shape=(2,))
def _neural_ode(dtype):
    # Slow and smooth, so that three steps are right to the digits of float64.
    net = networks.VectorField(
        2,
        (3,),
        activation="tanh",
        num_frequencies=0,
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    net.weights[2].assign(0.2 * net.weights[2])  # of the time
    return maps.NeuralODE(_perturbed(net, 0.04), num_steps=3, method="dopri5")


def _amortized(bijector, dtype):
    count = maps.Amortized.num_parameters(bijector)
    net = networks.MLP(0, (1, count), (4,), condition_shape=2, dtype=dtype, seed=0)
    return _perturbed(maps.Amortized(bijector, net))


@case("amortized", (2,), condition_shape=(2,))
def _amortized_planar(dtype):
    return _amortized(maps.Planar.trainable(2, seed=0, dtype=dtype), dtype)


@case("amortized_sylvester", (2,), condition_shape=(2,), skip=DENSE)
def _amortized_sylvester(dtype):
    bijector = maps.Sylvester.trainable(2, 2, kind="householder", seed=0, dtype=dtype)
    return _amortized(bijector, dtype)


# Wrappers for other events and conditions.


@case("on_flattened", (2, 1), skip=DENSE)
def _on_flattened(dtype):
    return maps.OnFlattened(_triangular(dtype), (2, 1))


@case("on_flattened_scalar", (), condition_shape=(2,))
def _on_flattened_scalar(dtype):
    return maps.OnFlattened(_conditional_elementwise(dtype), ())


@case("embed_condition", (2,), condition_shape=(2,))
def _embed_condition(dtype):
    embedding = networks.ConditionEmbedding((2,), dtype=dtype)
    embedding.adapt(noise([50, 2], dtype, 9) * 3.0 + 1.0)
    return maps.EmbedCondition(Shear.build(dtype, (2,)), embedding, 2)


@case("embed_condition_in_chain", (2,), condition_shape=(2,))
def _embed_condition_in_chain(dtype):
    return maps.Chain([_embed_condition(dtype)])


# Maps of a Gaussianization.


@case("rotation", (3,), skip=DENSE)
def _rotation(dtype):
    matrix = rotations.haar(3, np.random.default_rng(0))
    return _perturbed(maps.Rotation.trainable(matrix, dtype=dtype), 0.5)


@case("rotation_fixed", (2,), skip=DENSE)
def _rotation_fixed(dtype):
    return maps.Rotation(tf.constant([[0.0, 1.0], [1.0, 0.0]], dtype))


@case("marginal_spline", (2,))
def _marginal_spline(dtype):
    return _perturbed(maps.MarginalSpline.trainable(2, 5, dtype=dtype))


@case("marginal_spline_one", (1,))
def _marginal_spline_one(dtype):
    return _perturbed(maps.MarginalSpline.trainable(1, 4, dtype=dtype))


@case("radial_gaussianize", (2,), skip=DENSE)
def _radial_gaussianize(dtype):
    return _perturbed(maps.RadialGaussianize.trainable(2, 4, dtype=dtype), 0.1)


@case("coupling_table", (3,))
def _coupling_table(dtype):
    table = networks.Table((2, 2), 7, dtype=dtype)
    return _perturbed(maps.Coupling(maps.Affine(), table, [True, False, False]))


@case("mixture_gaussianize", (2,), skip=DENSE)
def _mixture_gaussianize(dtype):
    mixture = maps.MixtureGaussianize.trainable(2, 3, dtype=dtype)
    return _perturbed(mixture, 0.4)


def _skewed(rows=400):
    rng = np.random.default_rng(0)
    return np.stack([rng.gamma(2.0, size=rows), rng.uniform(-2, 2, size=rows)], 1)


# The densities of tables are steps, which the rule of the suite does not resolve.
@case("marginal_gaussianize", (2,), quadrature=False)
def _marginal_gaussianize(dtype):
    return maps.MarginalGaussianize.from_samples(
        _skewed(), 12, dtype=dtype, trainable=True
    )


@case("marginal_gaussianize_kernel", (2,), quadrature=False)
def _marginal_gaussianize_kernel(dtype):
    return maps.MarginalGaussianize.from_samples(
        _skewed(), 30, bandwidth=0.3, dtype=dtype
    )


@case("histogram_cdf", (2,), domain=(0.1, 1.9), codomain=(0.0, 1.0), quadrature=False)
def _histogram_cdf(dtype):
    return maps.HistogramCDF.from_samples(_skewed(), 12, dtype=dtype, trainable=True)


@case("normal_cdf", (), domain=(-3.0, 3.0), codomain=(0.0, 1.0))
def _normal_cdf(dtype):
    return maps.NormalCDF()
