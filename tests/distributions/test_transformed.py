"""The distribution of a flow: slices, errors, pickles, and conditions that train."""

from __future__ import annotations

import copy
import functools
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.bijectors.toy_maps import Shear
from tests.flows import small
from tfp_flows import bijectors as maps
from tfp_flows import distributions

X = np.array([0.1, 0.2], "float32")
C = np.random.default_rng(0).normal(size=(3, 4, 1)).astype("float32")


def pickled(value):
    return pickle.loads(pickle.dumps(value))


@functools.cache
def flow(base="normal"):
    return small.perturbed(small.build("realnvp", 2, 1, base=base, num_layers=1))


@pytest.mark.parametrize(
    "places", [1, (0, 2), (slice(1, 3), -1), (..., 0), (None, 2), np.int64(1), (1, ...)]
)
def test_slices_of_conditions_are_densities_of_those_conditions(places):
    density = flow(base="gaussian-mixture").distribution(C)
    part = density[places]
    wanted = density.log_prob(X)[places]
    assert isinstance(part, distributions.FlowDistribution)
    assert part.batch_shape == wanted.shape
    np.testing.assert_allclose(part.log_prob(X), wanted, rtol=1e-6)
    assert part.sample(5, seed=[0, 1]).shape == (5, *wanted.shape, 2)


@pytest.mark.colab
def test_slices_keep_the_variables_of_the_flow():
    density = flow(base="diagonal-normal").distribution(C)
    known = {id(v) for v in density.trainable_variables}
    assert {id(v) for v in density[0][1:3].trainable_variables} == known


def test_slices_of_slices_and_copies():
    density = flow().distribution(C)
    wanted = density.log_prob(X)[1, 2]
    np.testing.assert_allclose(density[1][2].log_prob(X), wanted, rtol=1e-6)
    np.testing.assert_allclose(density[1].copy()[2].log_prob(X), wanted, rtol=1e-6)


def test_index_may_be_known_only_when_a_graph_runs():
    density = flow().distribution(C[0])

    @tf.function(autograph=False)
    def member(i):
        return density[i].log_prob(X)

    wanted = density.log_prob(X)
    np.testing.assert_allclose(member(tf.constant(2)), wanted[2], rtol=1e-6)


@pytest.mark.parametrize(
    ("places", "error", "match"),
    [
        (3, IndexError, "index 3 is out of range .* Pass -3 to 2"),
        (tf.constant(-4), IndexError, "index -4 is out of range"),
        ((0, 4), IndexError, "4 in dimension 1"),
        ((0, 0, 0), IndexError, r"batch_shape \(3, 4\), got 3 indices"),
        ((..., 0, ...), IndexError, "several"),
        (0.5, TypeError, "must be an integer"),
        ("a", TypeError, "must be an integer"),
        (True, TypeError, "must be an integer"),
    ],
)
def test_wrong_indices_are_errors(places, error, match):
    with pytest.raises(error, match=match):
        flow().distribution(C)[places]


def test_density_without_a_batch_cannot_be_sliced():
    with pytest.raises(IndexError, match="no batch to slice"):
        small.build("maf", 2).distribution()[0]
    with pytest.raises(IndexError, match="no batch to slice"):
        small.build("maf", 2).bijector()[0]


def test_batches_of_bases_and_parameters_slice_as_those_of_tfp():
    params = np.random.default_rng(1).normal(size=(4, 1, 2, 2)).astype("float32")
    chain = maps.Chain(
        [maps.Affine()(params), maps.Conditioned(flow().bijector(), C[:, 0])]
    )
    density = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(np.ones([3, 2], "float32") * C[:, 0]), chain
    )
    log_prob = density.log_prob(X)
    assert density.batch_shape == (4, 3)
    for places in (2, (slice(None), 1), (..., -1), (None, 0, slice(1, 3))):
        part = density[places]
        assert part.batch_shape == log_prob[places].shape
        np.testing.assert_allclose(part.log_prob(X), log_prob[places], rtol=1e-5)


def test_maps_that_state_nothing_of_their_parameters_serve_every_base():
    bases = tfd.MultivariateNormalDiag(np.float32([[0.0, 1.0], [2.0, 3.0]]))
    density = tfd.TransformedDistribution(bases, Shear.build())
    wanted = density.log_prob(X)[1]
    np.testing.assert_allclose(density[1].log_prob(X), wanted, rtol=1e-6)


@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
@pytest.mark.parametrize("base", distributions.BASES)
def test_used_distributions_copy_with_variables_of_their_own(way, base):
    density = small.perturbed(small.build("nice", 2, base=base)).distribution()
    wanted = density.log_prob(X)
    twin = way(density)
    assert len(twin.variables) == len(density.variables)
    for variable in density.variables:
        variable.assign(tf.zeros_like(variable))
    np.testing.assert_array_equal(twin.log_prob(X), wanted)


@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
def test_copies_train_the_network_of_their_embedding(way):
    network = keras.Sequential([keras.layers.Dense(2, "tanh")])
    made = small.perturbed(small.build("nice", 2, 1, embedding=network))
    density = made.distribution(C[0])
    twin = way(density)
    np.testing.assert_allclose(twin.log_prob(X), density.log_prob(X), rtol=1e-6)
    assert len(twin.trainable_variables) == len(density.trainable_variables)
    with tf.GradientTape() as tape:
        log_prob = twin.log_prob(X)
    gradients = tape.gradient(log_prob, twin.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


CONDITIONS = {
    "variable": tf.Variable,
    "transformed": lambda c: tfp.util.TransformedVariable(c, tfb.Shift(1.0)),
    "keras": keras.Variable,
}


@pytest.mark.parametrize("kind", CONDITIONS)
def test_condition_that_is_a_variable_is_read_at_each_use_and_trained(kind):
    made = flow()
    given = CONDITIONS[kind](C[0])
    density = made.distribution(given)
    with tf.GradientTape() as tape:
        log_prob = density.log_prob(X)
    trained = [v for v in density.trainable_variables if v.shape == (4, 1)]
    assert len(trained) == 1
    assert np.any(tape.gradient(log_prob, trained[0]))
    given.assign(C[1])
    wanted = made.distribution(C[1]).log_prob(X)
    np.testing.assert_allclose(density.log_prob(X), wanted, rtol=1e-5)


def test_condition_that_is_a_function_is_refused():
    with pytest.raises(TypeError, match=r"`condition` must be numbers.*DeferredTensor"):
        flow().distribution(lambda: C)


def test_a_variable_given_as_condition_of_a_call_is_never_remembered():
    chain = flow().bijector()
    given = tf.Variable(C[0, 0])
    x = tf.constant(X)
    chain.inverse(x, condition=given)
    given.assign_add([1.0])
    found = chain.inverse(x, condition=given)
    wanted = chain.inverse(tf.identity(x), condition=given.value())
    np.testing.assert_array_equal(found, wanted)


def test_divergences_have_the_batch_of_the_conditions():
    flow = small.perturbed(small.build("maf", 2, 1))
    conditions = np.array([[-1.0], [0.0], [2.0]], "float32")
    density, other = flow.distribution(conditions), flow.distribution(conditions + 1.0)
    np.testing.assert_array_equal(tfd.kl_divergence(density, density), np.zeros(3))
    independent = tfd.Independent(density, 1)
    assert float(tfd.kl_divergence(independent, independent)) == 0.0
    plain = tfd.MultivariateNormalDiag([0.0, 0.0])
    for pair in ((density, other), (density, plain), (plain, density)):
        with pytest.raises(NotImplementedError):
            tfd.kl_divergence(*pair)
    trained = small.perturbed(small.build("maf", 2, 1), seed=5)
    with pytest.raises(NotImplementedError, match=r"Average a\.log_prob"):
        tfd.kl_divergence(density, trained.distribution(conditions))
