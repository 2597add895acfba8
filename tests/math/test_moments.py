"""Means and deviations of data, and of batches."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import moments


def test_channels_broadcast_with_images():
    one, many = tf.zeros([3]), tf.zeros([5, 3])
    assert moments.expand_channels(one, 3).shape == [3]
    assert moments.expand_channels(many, 3).shape == [5, 1, 1, 3]
    assert moments.expand_channels(many, 1).shape == [5, 3]


def test_positions_of_an_event_are_counted():
    images = tf.zeros([2, 4, 5, 3])
    assert moments.num_positions(images, 3) == 20.0
    assert isinstance(moments.num_positions(images, 3), float)
    assert moments.num_positions(images, 1) == 1.0
    unknown = tf.function(
        lambda x: moments.num_positions(x, 3),
        input_signature=[tf.TensorSpec([None, None, None, 3])],
    )
    assert float(unknown(images)) == 20.0


@pytest.mark.parametrize(
    ("rank", "batch", "event", "kept", "axes"),
    [
        (2, 0, 1, 1, [0]),
        (4, 0, 3, 1, [0, 1, 2]),
        (4, 0, 3, 3, [0]),
        (4, 1, 1, 1, [0, 1]),
        (5, 1, 3, 1, [0, 2, 3]),
        (6, 1, 3, 1, [0, 1, 3, 4]),
    ],
)
def test_axes_to_average_leave_batches_and_channels(rank, batch, event, kept, axes):
    found = moments.sample_axes(rank, batch_ndims=batch, event_ndims=event, kept=kept)
    assert found == axes


def test_moments_keep_their_digits_far_from_zero():
    y = 1e7 + np.random.default_rng(0).normal(size=(1000, 2)) * [1.0, 0.0]
    mean, deviation = moments.location_and_scale(tf.constant(y), [0])
    np.testing.assert_allclose(mean, y.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation, [y[:, 0].std(), 1.0], rtol=1e-6)
    rounded, rest = moments.split_location(mean, tf.float32)
    assert rounded.dtype == rest.dtype == tf.float32
    total = np.float64(rounded) + np.float64(rest)
    np.testing.assert_allclose(total, mean, rtol=1e-12)


def test_deviations_below_rounding_are_those_of_a_constant():
    tiny = 1e6 + np.array([0.0, 1e-3, -1e-3])[:, np.newaxis]
    # In float32 neighbours of 1e6 are 0.06 apart; in float64 this is signal.
    for dtype, wanted in ((tf.float32, 1.0), (tf.float64, tiny.std())):
        _, deviation = moments.location_and_scale(tf.constant(tiny, dtype), [0])
        np.testing.assert_allclose(deviation, [wanted], rtol=1e-4)
    missing = tf.constant([[1.0, 1.0], [np.nan, 3.0]])
    mean, deviation = moments.location_and_scale(missing, [0])
    assert np.isnan(mean[0])
    assert np.isnan(deviation[0])
    np.testing.assert_allclose([mean[1], deviation[1]], [2.0, 1.0])
    mean, deviation = moments.location_and_scale(tf.constant([[1], [3]]), [0])
    np.testing.assert_allclose([mean[0], deviation[0]], [2.0, 1.0])


def test_normalized_batches_have_the_moments_and_gradients_of_theory():
    rng = np.random.default_rng(0)
    y, weights = tf.constant(rng.normal(3.0, 2.0, [50, 2])), rng.normal(size=[50, 2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        centred, mean, variance = moments.normalize(y, [0])
        weighted = tf.reduce_sum(weights * centred)
    np.testing.assert_allclose(mean, y.numpy().mean(axis=0, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(variance, y.numpy().var(axis=0, keepdims=True))
    np.testing.assert_allclose(centred, y - mean, atol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(weighted, y), weights - weights.mean(axis=0), atol=1e-12
    )
    np.testing.assert_allclose(tape.gradient(mean, y), 1.0 / 50.0)
    np.testing.assert_allclose(tape.gradient(variance, y), 2.0 * centred / 50.0)


def test_normalized_batches_keep_their_digits_far_from_zero():
    near = np.random.default_rng(1).normal(size=[1000, 1]).astype("float32")
    far = tf.constant(near + np.float32(2.0**17))
    centred, _, variance = moments.normalize(far, [0])
    np.testing.assert_allclose(variance, [[near.var()]], rtol=1e-2)
    assert abs(float(tf.reduce_mean(centred))) < 1e-5


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1.0, 1e150, 1e200])
def test_deviations_of_any_size(size):
    y = size * np.array([[1.0, -2.0], [3.0, 2.0]])
    mean, deviation = moments.location_and_scale(tf.constant(y), [0])
    np.testing.assert_allclose(mean, [2.0 * size, 0.0], atol=1e-12 * size)
    np.testing.assert_allclose(deviation, [size, 2.0 * size], rtol=1e-12)
