"""A network that sees any coordinates, and no others."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import bijectors, networks

SIZE, PARAMS = 4, 3


@pytest.fixture
def network():
    """Return a network whose last layer is not zero."""
    net = networks.AnyOrder(
        SIZE, PARAMS, (8, 8), residual=True, condition_shape=(2,), seed=0
    )
    rng = np.random.default_rng(0)
    for weight in net.weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return net


def _inputs(count=5):
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(size=(SIZE, count)), tf.float32)
    seen = tf.constant(rng.uniform(size=(SIZE, count)) < 0.5)
    condition = tf.constant(rng.normal(size=(2, count)), tf.float32)
    return x, seen, condition


def test_what_is_not_seen_has_no_influence(network):
    x, seen, condition = _inputs()
    params = network.given(x, seen, condition)
    hidden = tf.where(seen, x, np.nan)
    np.testing.assert_array_equal(network.given(hidden, seen, condition), params)
    moved = network.given(x + 1.0, seen, condition)
    assert np.abs(moved - params).min(axis=(0, 1)).max() > 1e-3


def test_zeros_that_are_seen_are_no_gaps(network):
    x, _, condition = _inputs()
    none = tf.zeros_like(x, tf.bool)
    params = network.given(0.0 * x, none, condition)
    assert np.abs(network.given(0.0 * x, ~none, condition) - params).max() > 1e-3


def test_parameters_of_places_are_those_of_all(network):
    x, seen, condition = _inputs()
    whole = network.given(x, seen, condition)
    each = tf.repeat(seen[:, tf.newaxis], 2, axis=1)
    some = network.of_places(x, each, [3, 1], condition)
    np.testing.assert_allclose(some, tf.gather(whole, [3, 1], axis=1), atol=1e-5)


def test_without_masks_the_order_is_from_left_to_right(network):
    x, _, condition = _inputs(1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        params = network.columns(x, condition)[0, :, 0]
    jacobian = tape.jacobian(params, x)[:, :, 0].numpy()
    assert not np.triu(jacobian).any()
    assert np.abs(jacobian[np.tril_indices(SIZE, -1)]).min() > 0.0
    assert network.order == (0, 1, 2, 3)


def test_map_inverts_itself_by_one_coordinate_after_the_other():
    affine = bijectors.Affine()
    net = networks.AnyOrder(SIZE, affine.params_size, (8,), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    for weight in net.weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    layer = bijectors.MaskedAutoregressive(affine, net)
    z = tf.constant(rng.normal(size=(6, SIZE)))
    x = layer.forward(z)
    log_det = layer.forward_log_det_jacobian(z, 1)
    np.testing.assert_allclose(layer.inverse(tf.identity(x)), z, atol=1e-9)
    back = layer.inverse_log_det_jacobian(tf.identity(x), 1)
    np.testing.assert_allclose(back, -log_det, atol=1e-9)
