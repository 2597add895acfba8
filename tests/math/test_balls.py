"""Radial maps of points around the origin."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import balls


def points(dtype, *, scale=1.0, size=3):
    rng = np.random.default_rng(0)
    return tf.constant(scale * rng.normal(size=(40, size)), dtype)


@pytest.mark.parametrize("stretch", [1e-6, 0.2, 1.0, 50.0])
@pytest.mark.parametrize("radius", [1e-3, 1.0, 1e3])
def test_inverse_undoes_forward_with_all_digits(radius, stretch):
    for scale in (1e-4, 1.0, 1e3, 1e30):
        x = points(tf.float32, scale=scale)
        given = tf.constant(radius), tf.constant(stretch)
        y, log_det = balls.forward(x, *given)
        back, inverse_log_det = balls.inverse(y, *given)
        assert np.all(np.isfinite(y))
        # A steep way back makes of one rounding many.
        worst = max(1.0, 1.0 / stretch)
        np.testing.assert_allclose(back, x, rtol=2e-6 * worst)
        np.testing.assert_allclose(log_det, -inverse_log_det, atol=1e-5 * worst)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_log_det_is_that_of_autodiff(size):
    x = points(tf.float64, size=size)
    given = tf.constant(0.7, x.dtype), tf.constant(0.1, x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = balls.forward(x, *given)
    jacobian = tape.batch_jacobian(y, x)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], atol=1e-12)


def test_centre_is_kept_with_finite_derivatives():
    x = tf.zeros([1, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = balls.forward(x, tf.constant(1.0), tf.constant(0.5))
        total = tf.reduce_sum(y) + tf.reduce_sum(log_det)
    np.testing.assert_allclose(tape.gradient(total, x), [[0.5, 0.5]])
    np.testing.assert_allclose(log_det, 2 * np.log(0.5), rtol=1e-6)
