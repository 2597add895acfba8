"""Every bijector as a named case of the contract suite.

Parameters are away from their initial values, so that nothing is tested at the
identity only.
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.bijectors.toy_maps import Affine, PlainNet, Shear, noise
from tfp_flows import networks
from tfp_flows.bijectors import (
    autoregressive,
    compose,
    coupling,
    elementwise,
    spline,
    transformers,
)
from tfp_flows.testing import BijectorCase, Tolerances, perturb

CASES: dict[str, BijectorCase] = {}
BATCH = {"event_shape": "a batch of parameters broadcasts, as in tfb.Scale"}


def case(name, event_shape, **options):
    """Register a function of the dtype that builds a map."""

    def register(build):
        CASES[name] = BijectorCase(build, event_shape, name=name, **options)
        return build

    return register


@case("chain", (2,))
def _chain(dtype):
    return compose.Chain(
        [Affine.variable(2, dtype, 1), Shear.build(dtype), Shear.build(dtype, flip=True)]
    )


@case("chain_empty", (2,))
def _chain_empty(dtype):
    return compose.Chain([])


@case("chain_conditional", (2,), condition_shape=(3,))
def _chain_conditional(dtype):
    parts = [Shear.build(dtype, (3,), seed, flip=seed == 5) for seed in (3, 5)]
    inverted = compose.Invert(parts[0])
    nested = compose.Chain([parts[1], Affine.variable(2, dtype, 7)])
    return compose.Chain([nested, inverted])


@case("chain_with_tfb", (2,))
def _chain_with_tfb(dtype):
    scale = tfb.Scale(tf.constant([0.5, 2.0], dtype))
    return compose.Chain([scale, Shear.build(dtype), tfb.Shift(tf.ones([2], dtype))])


@case("invert", (2,))
def _invert(dtype):
    return compose.Invert(_chain(dtype))


@case("conditioned", (2,))
def _conditioned(dtype):
    return compose.Conditioned(_chain_conditional(dtype), tf.ones([3], dtype))


@case("chain_plain_network", (2,), composite=False)
def _chain_plain_network(dtype):
    return compose.Chain([Shear.build(dtype, net=PlainNet)])


def _perturbed(bijector, scale=0.3):
    perturb(bijector, scale, seed=1)
    return bijector


def _knots(tails, dtype):
    slopes = noise([spline.num_slopes(5, tails)], dtype, 3)
    return spline.RationalQuadraticSpline(
        bin_widths=tf.Variable(tf.exp(noise([5], dtype, 1)), name="widths"),
        bin_heights=tf.Variable(tf.exp(noise([5], dtype, 2)), name="heights"),
        knot_slopes=tf.Variable(tf.exp(slopes), name="slopes"),
        range_min=tf.constant(-3.0, dtype),
        range_max=tf.constant(3.0, dtype),
        tails=tails,
    )


@case("spline", (), edges=(-3.0, 3.0))
def _spline(dtype):
    return _knots("identity", dtype)


@case("spline_linear", (), edges=(-3.0, 3.0))
def _spline_linear(dtype):
    return _knots("linear", dtype)


@case("spline_circular", (), edges=(-3.0, 3.0), domain=(-3.0, 3.0), codomain=(-3.0, 3.0))
def _spline_circular(dtype):
    return _knots("circular", dtype)


@case("spline_vector", (2,), edges=(-2.0, 2.0), skip=BATCH)
def _spline_vector(dtype):
    params = noise([2, 3 * 4 - 1], dtype, 4)
    return spline.RationalQuadraticSpline.from_unconstrained(
        params, range_min=-2.0, range_max=2.0
    )


def _elementwise(transformer):
    def build(dtype):
        params = noise([transformer.params_size], dtype, 2)
        return transformer(tf.Variable(params, name="params"))

    return build


case("elementwise_additive", ())(_elementwise(transformers.Additive()))
case("elementwise_affine", ())(_elementwise(transformers.Affine()))
case("elementwise_spline", (), edges=(-5.0, 5.0))(
    _elementwise(transformers.RationalQuadratic(4))
)
case("elementwise_mixture", ())(_elementwise(transformers.LogisticMixture(3)))


@case("elementwise_vector", (3,), skip=BATCH)
def _elementwise_vector(dtype):
    return transformers.Affine()(tf.Variable(noise([3, 2], dtype, 5)))


@case("conditional_elementwise", (1,), condition_shape=(2,))
def _conditional_elementwise(dtype):
    net = networks.MLP(0, (1, 2), (6,), condition_shape=2, dtype=dtype, seed=0)
    return _perturbed(elementwise.ConditionalElementwise(transformers.Affine(), net))


@case("coupling_affine", (3,))
def _coupling_affine(dtype):
    net = networks.MLP(1, (2, 2), (6,), dtype=dtype, seed=0)
    return _perturbed(
        coupling.Coupling(transformers.Affine(), net, [True, False, False])
    )


@case("coupling_spline", (2,), edges=(-3.0, 3.0))
def _coupling_spline(dtype):
    transformer = transformers.RationalQuadratic(4, -3.0, 3.0)
    net = networks.MLP(
        1, (1, transformer.params_size), (6, 6), residual=True, dtype=dtype, seed=0
    )
    # Steeper, and float32 could not hold the round trip to the suite's bound.
    return _perturbed(coupling.Coupling(transformer, net, [False, True]), 0.1)


@case("coupling_conditional", (4,), condition_shape=(2,))
def _coupling_conditional(dtype):
    transformer = transformers.RationalQuadratic(4, tails="linear")
    shape = (2, transformer.params_size)
    net = networks.MLP(2, shape, (6,), condition_shape=2, dtype=dtype, seed=0)
    mask = [True, False, True, False]
    return _perturbed(coupling.Coupling(transformer, net, mask))


@case("coupling_mixture", (2,))
def _coupling_mixture(dtype):
    net = networks.MLP(1, (1, 6), (6,), dtype=dtype, seed=0)
    mixture = transformers.LogisticMixture(2)
    return _perturbed(coupling.Coupling(mixture, net, [True, False]))


@case("autoregressive_affine", (3,))
def _autoregressive_affine(dtype):
    made = networks.MADE(3, 2, (6,), dtype=dtype, seed=0, order="right-to-left")
    return _perturbed(
        autoregressive.MaskedAutoregressive(transformers.Affine(), made)
    )


@case("autoregressive_spline", (2,), condition_shape=(2,))
def _autoregressive_spline(dtype):
    transformer = transformers.RationalQuadratic(4)
    made = networks.MADE(
        2,
        transformer.params_size,
        (6, 6),
        residual=True,
        condition_shape=2,
        dtype=dtype,
        seed=0,
    )
    return _perturbed(autoregressive.MaskedAutoregressive(transformer, made))


@case("invert_autoregressive", (2,))
def _invert_autoregressive(dtype):
    made = networks.MADE(2, 2, (6,), dtype=dtype, seed=0)
    affine = transformers.Affine()
    return compose.Invert(
        _perturbed(autoregressive.MaskedAutoregressive(affine, made))
    )
