"""The convolutional conditioner: heads, blocks, positions, conditions, precision."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import tensorflow as tf

from tests.networks.test_masked import stirred
from tfp_flows import _context, networks

X = np.random.default_rng(0).normal(size=(3, 5, 4, 2)).astype("float32")
CONDITION = np.random.default_rng(1).normal(size=(3, 2)).astype("float32")


def conv(units=(4, 4), **options):
    return networks.ConvNet(2, (3, 2), units, **{"seed": 0, **options})


@pytest.mark.parametrize("residual", [False, True])
def test_untrained_network_gives_its_initial_output_everywhere(residual):
    out = conv(residual=residual, initial_output=[1.0, -2.0])(X)
    np.testing.assert_array_equal(out, np.broadcast_to([1.0, -2.0], (3, 5, 4, 3, 2)))


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_reach_every_weight_once_the_head_has_moved(residual):
    network = stirred(conv(residual=residual, condition_shape=2, activation="tanh"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(network(X, CONDITION)))
    for v, g in zip(network.weights, tape.gradient(loss, network.weights), strict=True):
        assert np.abs(g).max() > 0.0, v.name


def test_pixels_further_away_than_the_kernels_reach_have_no_effect():
    network = stirred(conv(activation="tanh"))
    other = X.copy()
    other[:, 0, 0] += 1.0
    moved = np.abs(network(other) - network(X)).max((0, 3, 4))
    assert moved[2, 2] > 0.0
    assert moved[3:].max() == moved[:, 3:].max() == 0.0


def test_positions_tell_pixels_apart():
    flat = np.ones([1, 9, 9, 2], "float32")
    inside = slice(3, 6)  # out of reach of the padding
    plain = stirred(conv())(flat)[0, inside, inside]
    placed = stirred(conv(positions=True))(flat)[0, inside, inside]
    assert np.ptp(plain, axis=(0, 1)).max() < 1e-6 < np.ptp(placed, axis=(0, 1)).max()
    one = stirred(conv(positions=True))(flat[:, :1, :1])
    assert np.isfinite(one).all()


def test_columns_are_images_of_one_pixel():
    network = stirred(conv(condition_shape=2))
    pixels = X[:, 0, 0]
    found = network.columns(pixels.T, tf.constant(CONDITION.T))
    expected = network(pixels[:, None, None], CONDITION)[:, 0, 0]
    np.testing.assert_allclose(tf.transpose(found), expected, atol=1e-6)


def test_leading_dimensions_and_batches_agree():
    network = stirred(conv(condition_shape=2))
    one = network(X[0], CONDITION[0])
    np.testing.assert_allclose(one, network(X, CONDITION)[0], atol=1e-6)
    many = network(X[:, None], CONDITION[:, None])
    assert many.shape.as_list() == [3, 1, 5, 4, 3, 2]


def test_dropout_acts_in_training_only():
    network = stirred(conv(dropout=0.5))
    first = network(X)
    np.testing.assert_array_equal(network(X), first)
    with _context.training_scope(True):
        assert np.abs(network(X) - first).max() > 0.0


def test_half_precision_is_used_inside_only():
    full, half = stirred(conv()), stirred(conv(compute_dtype="bfloat16"))
    assert half(X).dtype == tf.float32
    error = np.abs(half(X) - full(X)).max() / np.abs(full(X)).max()
    assert 0.0 < error < 0.02


def test_copies_have_weights_of_their_own():
    network = stirred(conv())
    twin = copy.deepcopy(network)
    np.testing.assert_array_equal(twin(X), network(X))
    twin.weights[0].assign_add(tf.ones_like(twin.weights[0]))
    assert np.abs(twin(X) - network(X)).max() > 0.0


def test_what_a_network_refuses():
    with pytest.raises(ValueError, match="`hidden_units` of a residual network"):
        conv((4, 8), residual=True)
    with pytest.raises(ValueError, match="`kernel_size` must be odd"):
        conv(kernel_size=2)
    with pytest.raises(ValueError, match="`x`"):
        conv()(X[..., :1])
    with pytest.raises(ValueError, match="`condition` is missing"):
        conv(condition_shape=2)(X)
