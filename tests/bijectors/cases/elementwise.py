"""Maps of single numbers as named cases of the contract suite."""

from __future__ import annotations

import math

import tensorflow as tf

from tests.bijectors.cases.registry import BATCH, Cases, perturbed
from tests.bijectors.toy_maps import noise
from tfp_flows import bijectors as maps
from tfp_flows import networks

CASES = Cases()


def _elementwise(transformer):
    def build(dtype):
        params = noise([transformer.params_size], dtype, 2)
        return transformer(tf.Variable(params, name="params"))

    return build


CASES.add("elementwise_additive", ())(_elementwise(maps.Additive()))


CASES.add("elementwise_affine", ())(_elementwise(maps.Affine()))


CASES.add("elementwise_spline", (), edges=(-5.0, 5.0))(
    _elementwise(maps.RationalQuadratic(4))
)


CASES.add("elementwise_bernstein", (), edges=(-5.0, 5.0))(
    _elementwise(maps.Bernstein(6))
)


CASES.add("elementwise_mixture", ())(_elementwise(maps.LogisticMixture(3)))


CASES.add("elementwise_normals", ())(_elementwise(maps.NormalMixture(3)))


CASES.add("elementwise_squares", (), edges=(-5.0, 5.0))(
    _elementwise(maps.SumOfSquares(2))
)


CASES.add("elementwise_sigmoids", ())(_elementwise(maps.DeepSigmoidal(3)))


CASES.add("elementwise_dense_sigmoids", ())(
    _elementwise(maps.DeepSigmoidal(2, 2, dense=True))
)


CASES.add(
    "elementwise_circular",
    (),
    edges=(-2.0, 2.0),
    domain=(-2.0, 2.0),
    codomain=(-2.0, 2.0),
    support=(-math.inf, math.inf),  # the identity outside of the circle
    skip={"is_increasing": "it goes around a circle"},
)(_elementwise(maps.CircularSpline(3, -2.0, 2.0)))


CASES.add("elementwise_network", (), edges=(-5.0, 5.0))(
    _elementwise(maps.MonotoneNetwork(3, 16))
)


@CASES.add("elementwise_vector", (3,), skip=BATCH)
def _elementwise_vector(dtype):
    return maps.Affine()(tf.Variable(noise([3, 2], dtype, 5)))


@CASES.add("conditional_elementwise", (1,), condition_shape=(2,))
def conditional_elementwise(dtype):
    net = networks.MLP(0, (1, 2), (6,), condition_shape=2, dtype=dtype, seed=0)
    return perturbed(maps.ConditionalElementwise(maps.Affine(), net))


@CASES.add("leaky_relu", (2,))
def _leaky_relu(dtype):
    return maps.LeakyReLU(tf.constant(0.3, dtype))


@CASES.add("prelu", ())
def _prelu(dtype):
    return perturbed(maps.PReLU.trainable(negative_slope=0.5, dtype=dtype))


@CASES.add("prelu_vector", (3,), skip=BATCH)
def _prelu_vector(dtype):
    return perturbed(maps.PReLU.trainable(3, dtype=dtype))
