"""Leaky rectifiers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors.elementwise import prelu
from tfp_flows.math import leaky


def test_leaky_relu_scales_negative_numbers_only():
    bijector = prelu.LeakyReLU(0.25)
    x = tf.constant([-4.0, -0.0, 0.0, 4.0], tf.float64)
    np.testing.assert_array_equal(bijector.forward(x), [-1.0, 0.0, 0.0, 4.0])
    log_det = bijector.forward_log_det_jacobian(tf.identity(x), event_ndims=0)
    np.testing.assert_allclose(log_det, [np.log(0.25), 0, 0, 0])
    y, _ = leaky.forward(x, tf.constant(np.log(0.25)))
    np.testing.assert_allclose(leaky.inverse(y, tf.constant(np.log(0.25)))[0], x)


def test_prelu_starts_at_its_slope_and_keeps_it_positive():
    bijector = prelu.PReLU.trainable(3, negative_slope=0.25)
    x = -tf.ones([2, 3])
    np.testing.assert_allclose(bijector.forward(x), -0.25 * np.ones([2, 3]), rtol=1e-5)
    bijector.log_slope.assign([-1e6, 0.0, 1e6])
    y = tf.identity(bijector.forward(x))
    assert np.all(y < 0)
    np.testing.assert_allclose(bijector.inverse(y), x, rtol=1e-5)


def test_slope_checks_of_tensors_run_under_validate_args():
    wrong = tf.constant([-1.0, 1.0])
    prelu.LeakyReLU(wrong)
    with pytest.raises(ValueError, match="`negative_slope` must be positive"):
        prelu.LeakyReLU(wrong, validate_args=True)


def test_transformed_variables_stay_trainable():
    slope = tfp.util.TransformedVariable(0.5, tfb.Exp())
    bijector = prelu.LeakyReLU(slope)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bijector.forward([-1.0, 1.0]))
    (gradient,) = tape.gradient(loss, bijector.trainable_variables)
    np.testing.assert_allclose(gradient, -0.5)
