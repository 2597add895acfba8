"""A user's own network serves as a conditioner."""

from __future__ import annotations

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfp_flows import bijectors, networks

X = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
CONDITION = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")


def sequential(library, outputs=4):
    dense = library.layers.Dense
    return library.Sequential([dense(6, activation="tanh"), dense(outputs)])


def two_inputs(library):
    layers = library.layers
    inputs = [layers.Input([2]), layers.Input([3])]
    hidden = layers.Dense(6, activation="tanh")(layers.Concatenate()(inputs))
    return library.Model(inputs, layers.Dense(4)(hidden))


class Module(tf.Module):
    """A plain module with variables."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal([5, 4], [0, 1]))

    def __call__(self, x):
        return tf.matmul(x, self.kernel)


def coupling(conditioner):
    return bijectors.Coupling(
        bijectors.Affine(), conditioner, [True, True, False, False]
    )


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_keras_network_conditions_a_map(library):
    network = sequential(library)
    map_ = coupling(networks.as_conditioner(network, 2, (2, 2)))
    x = np.concatenate([X, X], axis=1)
    y = map_.forward(x)
    shift, raw = np.moveaxis(np.reshape(network(X), [5, 2, 2]), -1, 0)
    scale = np.exp(5.0 * np.tanh(raw / 5.0))
    np.testing.assert_allclose(y[:, 2:], X * scale + shift, atol=1e-4)
    np.testing.assert_allclose(map_.inverse(tf.identity(y)), x, atol=1e-5)
    outer = bijectors.Chain([bijectors.Invert(map_)])
    assert len(outer.trainable_variables) == 4
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(outer.forward(x))
    gradients = tape.gradient(loss, outer.trainable_variables)
    assert all(g is not None for g in gradients)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_network_of_two_inputs_gets_the_condition_apart(library):
    network = two_inputs(library)
    conditioner = networks.as_conditioner(network, 2, (2, 2), condition_shape=3)
    wanted = np.reshape(network([X, CONDITION]), [5, 2, 2])
    np.testing.assert_allclose(conditioner(X, CONDITION), wanted, atol=1e-6)
    map_ = coupling(conditioner)
    assert map_.condition_shape == (3,)
    x = np.concatenate([X, X], axis=1)
    y = map_.forward(x, condition=CONDITION)
    back = map_.inverse(tf.identity(y), condition=CONDITION)
    np.testing.assert_allclose(back, x, atol=1e-5)
    assert len(bijectors.Invert(map_).trainable_variables) == 4


def test_network_of_one_input_gets_everything_in_one():
    network = sequential(keras)
    conditioner = networks.as_conditioner(network, 2, (2, 2), condition_shape=(3,))
    both = np.concatenate([X, CONDITION], axis=1)
    wanted = np.reshape(network(both), [5, 2, 2])
    np.testing.assert_allclose(conditioner(X, CONDITION), wanted, atol=1e-6)


def test_function_of_two_arguments_gets_the_condition_apart():
    scale = tf.Variable(2.0)

    def network(x, condition):
        return scale * tf.concat([x, condition[:, :2]], axis=1)

    conditioner = networks.as_conditioner(network, 2, (2, 2), condition_shape=3)
    wanted = 2.0 * np.concatenate([X, CONDITION[:, :2]], axis=1).reshape(5, 2, 2)
    np.testing.assert_allclose(conditioner(X, CONDITION), wanted, atol=1e-6)
    # What a plain function reads is found as well.
    found = bijectors.Chain([coupling(conditioner)]).trainable_variables
    assert [id(v) for v in found] == [id(scale)]


def test_variables_of_a_module_are_found():
    module = Module()
    conditioner = networks.as_conditioner(module, 2, (2, 2), condition_shape=3)
    found = bijectors.Invert(coupling(conditioner)).trainable_variables
    assert [id(v) for v in found] == [id(module.kernel)]


def test_output_of_the_wrong_size_is_refused():
    message = r"must return 4 numbers per event, 2 for each of 2 coordinates, got shape"
    with pytest.raises(ValueError, match=message):
        networks.as_conditioner(sequential(keras, 3), 2, (2, 2))
    with pytest.raises(TypeError, match="`network` must be callable"):
        networks.as_conditioner(3, 2, (2, 2))


def test_conditioner_of_this_package_is_returned_as_it_is():
    mlp = networks.MLP(2, (2, 2), (4,), seed=0)
    assert networks.as_conditioner(mlp, 2, (2, 2)) is mlp
    wrapped = networks.as_conditioner(sequential(keras), 2, (2, 2))
    assert networks.as_conditioner(wrapped, 2, (2, 2)) is wrapped
    with pytest.raises(ValueError, match="`conditioner` must have"):
        networks.as_conditioner(mlp, 2, (2, 3))
    conditional = networks.MLP(2, (2, 2), (4,), condition_shape=3, seed=0)
    assert networks.as_conditioner(conditional, 2, (2, 2), condition_shape=3)


def test_deep_copy_reads_its_own_variables():
    map_ = coupling(networks.as_conditioner(sequential(keras), 2, (2, 2)))
    twin = copy.deepcopy(map_)
    x = np.concatenate([X, X], axis=1)
    wanted = map_.forward(x).numpy()
    np.testing.assert_allclose(twin.forward(x), wanted, atol=1e-6)
    for v in twin.trainable_variables:
        v.assign_add(tf.ones_like(v))
    assert np.abs(twin.forward(x) - wanted).max() > 1e-2
    np.testing.assert_array_equal(map_.forward(x), wanted)


def test_wrapped_network_crosses_a_function_boundary():
    map_ = coupling(networks.as_conditioner(sequential(keras), 2, (2, 2)))
    x = tf.constant(np.concatenate([X, X], axis=1))

    @tf.function(autograph=False)
    def log_det(map_, x):
        return map_.inverse_log_det_jacobian(x, 1)

    wanted = map_.inverse_log_det_jacobian(x, 1)
    np.testing.assert_allclose(log_det(map_, x), wanted, atol=1e-6)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_embedding_standardises_then_applies_the_network(library):
    network = sequential(library, 2)
    embedding = networks.ConditionEmbedding((3,), network)
    condition = 5.0 + 3.0 * CONDITION
    embedding.adapt(condition)
    scaled = (condition - condition.mean(axis=0)) / condition.std(axis=0)
    np.testing.assert_allclose(embedding(condition), network(scaled), atol=1e-5)
    assert embedding.output_shape == (2,)
    assert len(embedding.trainable_variables) == 4
    assert len(embedding.variables) == 6
    assert embedding(condition[0]).shape == [2]


def test_embedding_keeps_components_that_do_not_vary():
    embedding = networks.ConditionEmbedding((2, 2))
    condition = np.random.default_rng(0).normal(size=(50, 2, 2))
    condition[:, 0, 1] = 1e6
    embedding.adapt(condition)
    out = embedding(condition.astype("float32"))
    assert out.shape == [50, 4]
    assert np.all(np.isfinite(out))
    np.testing.assert_allclose(out[:, 1], 0.0, atol=1e-6)


def test_embedding_must_return_vectors():
    with pytest.raises(ValueError, match="`embedding` must return one vector"):
        networks.ConditionEmbedding((3,), lambda c: c[:, None])
