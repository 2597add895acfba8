"""Chains, inversions and fixed conditions: what is theirs and not the contract's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.bijectors.toy_maps import Affine, PlainNet, Shear
from tfp_flows.bijectors import Chain, Conditioned, Invert

X = tf.constant([[0.3, -1.2], [2.0, 0.7], [0.0, 0.1]])
C = tf.constant([[1.0, 0.0, 2.0], [0.5, 0.5, 0.5], [-1.0, 3.0, 0.0]])


def parts():
    return [Affine.variable(2, seed=1), Shear.build(), Shear.build(flip=True)]


def test_chain_applies_the_rightmost_part_first():
    chain = Chain([tfb.Exp(), tfb.Scale(2.0)])
    np.testing.assert_allclose(chain.forward(0.5), np.exp(1.0), rtol=1e-6)


@pytest.mark.colab
def test_chain_equals_the_chain_of_tfp():
    bijectors = parts()
    ours, theirs = Chain(bijectors), tfb.Chain(bijectors)
    for method in ("forward", "inverse"):
        found = getattr(ours, method)(X)
        np.testing.assert_allclose(found, getattr(theirs, method)(X), rtol=1e-5)
        found = getattr(ours, f"{method}_log_det_jacobian")(X, 1)
        wanted = getattr(theirs, f"{method}_log_det_jacobian")(X, 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_scalar_parts_count_once_per_coordinate_of_a_vector_part():
    chain = Chain([tfb.Scale(2.0), Affine.variable(2, seed=1), tfb.Scale(3.0)])
    inner = chain.bijectors[1].forward_log_det_jacobian(3.0 * X, 1)
    found = chain.forward_log_det_jacobian(X, 1)
    np.testing.assert_allclose(found, inner + 2 * np.log(6.0), rtol=1e-5)


def test_chain_of_scalar_maps_keeps_scalar_events():
    chain = Chain([tfb.Scale(2.0), tfb.Exp()])
    assert chain.forward_min_event_ndims == 0
    found = chain.forward_log_det_jacobian(X, 1)
    np.testing.assert_allclose(found, tf.reduce_sum(X, -1) + 2 * np.log(2), rtol=1e-6)


def test_empty_chain_is_the_identity():
    chain = Chain([])
    np.testing.assert_array_equal(chain.forward(X), X)
    np.testing.assert_array_equal(chain.inverse_log_det_jacobian(X, 1), 0.0)


def test_chains_nest():
    first, second, third = parts()
    nested = Chain([first, Chain([second, Chain([third])])])
    flat = Chain([first, second, third])
    np.testing.assert_array_equal(nested.forward(X), flat.forward(X))


@pytest.mark.parametrize("wrap", [Chain, tfb.Chain])
def test_variables_are_found_through_chains_and_inversions(wrap):
    shear = Shear.build()
    chain = wrap([Affine.variable(2), Invert(Invert(shear)), tfb.Invert(shear)])
    flow = tfd.TransformedDistribution(tfd.MultivariateNormalDiag([0.0, 0.0]), chain)
    assert len(chain.trainable_variables) == 5
    assert len(flow.trainable_variables) == 5


def test_part_whose_variables_would_not_be_found_is_an_error():
    with pytest.raises(TypeError, match="`net` of `Shear` must be a composite tensor"):
        Chain([Shear.build(net=PlainNet)])


def test_condition_reaches_every_conditional_part_and_no_other():
    one, two = (
        Shear.build(condition_shape=(3,)),
        Shear.build(condition_shape=(3,), seed=4),
    )
    chain = Chain([one, tfb.Scale(2.0), Affine.variable(2), Invert(Chain([two]))])
    assert chain.condition_shape == (3,)
    y = chain.forward(X, condition=C)
    wanted = two.inverse(X, condition=C)
    wanted = 2.0 * chain.bijectors[2].forward(wanted)
    wanted = one.forward(wanted, condition=C)
    np.testing.assert_allclose(y, wanted, rtol=1e-6)
    back = chain.inverse(tf.identity(y), condition=C)
    np.testing.assert_allclose(back, X, atol=1e-5)


@pytest.mark.colab
def test_condition_passes_through_a_distribution_without_nested_names():
    chain = Chain([Shear.build(condition_shape=(3,)), Affine.variable(2)])
    base = tfd.MultivariateNormalDiag([0.0, 0.0])
    flow = tfd.TransformedDistribution(base, chain)
    found = flow.log_prob(X, bijector_kwargs={"condition": C})
    z = chain.inverse(X, condition=C)
    log_det = chain.inverse_log_det_jacobian(X, 1, condition=C)
    np.testing.assert_allclose(found, base.log_prob(z) + log_det, rtol=1e-5)


def test_parts_that_want_other_conditions_are_an_error():
    one, two = Shear.build(condition_shape=(3,)), Shear.build(condition_shape=(2,))
    with pytest.raises(
        ValueError, match=r"`bijectors` must agree .* \(3,\) and \(2,\)"
    ):
        Chain([one, two])


def test_part_that_changes_the_rank_is_an_error():
    with pytest.raises(ValueError, match="`bijectors` must keep the rank"):
        Chain([tfb.Reshape([4], [2, 2])])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`condition` is missing"),
        (
            {"condition": tf.zeros([3, 2])},
            r"`condition` must have trailing shape \(3,\)",
        ),
    ],
)
def test_bad_condition_is_an_error(given, message):
    chain = Invert(Chain([Shear.build(condition_shape=(3,))]))
    for method in (chain.forward, chain.inverse):
        with pytest.raises(ValueError, match=message):
            method(X, **given)


def test_condition_that_is_not_wanted_is_an_error():
    with pytest.raises(ValueError, match="`condition` was given"):
        Chain(parts()).forward(X, condition=C)


def test_wrong_event_is_an_error_in_both_directions():
    chain = Chain(parts())
    for method in (chain.forward, chain.inverse, Invert(chain).forward):
        with pytest.raises(ValueError, match=r"trailing shape \(2,\)"):
            method(tf.zeros([5, 1]))


def test_chain_knows_whether_it_is_increasing():
    assert bool(Chain([tfb.Scale(-2.0), tfb.Scale(-1.0)])._is_increasing())
    assert not bool(Chain([tfb.Scale(-2.0), tfb.Exp()])._is_increasing())
    flow = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), Chain([tfb.Scale(-2.0)]))
    np.testing.assert_allclose(flow.cdf(2.0), 0.8413447, rtol=1e-5)
    np.testing.assert_allclose(flow.quantile(0.8413447), 2.0, rtol=1e-4)


def test_invert_swaps_directions_and_log_dets():
    shear = Shear.build()
    invert = Invert(shear)
    np.testing.assert_array_equal(invert.forward(X), shear.inverse(X))
    np.testing.assert_array_equal(
        invert.forward_log_det_jacobian(X, 1), shear.inverse_log_det_jacobian(X, 1)
    )


def test_conditioned_equals_the_map_given_its_condition():
    shear = Shear.build(condition_shape=(3,))
    fixed = Conditioned(shear, C)
    assert fixed.condition_shape is None
    np.testing.assert_array_equal(fixed.forward(X), shear.forward(X, condition=C))
    found = fixed.inverse_log_det_jacobian(X, 1)
    wanted = shear.inverse_log_det_jacobian(X, 1, condition=C)
    np.testing.assert_array_equal(found, wanted)


def test_batch_of_conditions_is_the_batch_of_a_distribution():
    fixed = Conditioned(Shear.build(condition_shape=(3,)), C)
    base = tfd.MultivariateNormalDiag([0.0, 0.0])
    flow = tfd.TransformedDistribution(base, fixed)
    assert flow.batch_shape == (3,)
    sample = flow.sample(4, seed=[0, 0])
    assert sample.shape == (4, 3, 2)
    assert flow.log_prob(sample).shape == (4, 3)
    assert flow.log_prob(X[0]).shape == (3,)


def test_numpy_condition_keeps_its_precision():
    chain = Chain([Shear.build("float64", (3,))])
    fixed = Conditioned(chain, np.full([3], 0.1))
    assert fixed.condition.dtype == tf.float64


def test_condition_stays_differentiable_when_fixed():
    shear = Shear.build(condition_shape=(3,))
    with tf.GradientTape() as tape:
        tape.watch(C)
        log_det = Conditioned(shear, C).inverse_log_det_jacobian(X, 1)
    assert float(tf.reduce_max(tf.abs(tape.gradient(log_det, C)))) > 0


def test_fixing_what_takes_no_condition_is_an_error():
    with pytest.raises(ValueError, match="`condition` was given"):
        Conditioned(Shear.build(), C)


def test_fixing_a_condition_of_another_shape_is_an_error():
    with pytest.raises(ValueError, match=r"trailing shape \(3,\)"):
        Conditioned(Shear.build(condition_shape=(3,)), tf.zeros([2]))


class Longer(tfb.Bijector):
    """A map of TFP's kind whose output has one coordinate more."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=1, name="longer")

    def _forward_event_shape(self, shape):
        return tf.TensorShape([shape[0] + 1])

    def _inverse_event_shape(self, shape):
        return tf.TensorShape([shape[0] - 1])


@pytest.mark.parametrize("wrap", [lambda b: b, Invert, lambda b: Chain([b])])
def test_event_shapes_are_inferred(wrap):
    bijector = wrap(Chain([Longer(), tfb.Exp()]))
    shape = bijector.inverse_event_shape([3]) if wrap is Invert else None
    shape = shape or bijector.forward_event_shape([3])
    assert shape == (4,)
