"""The Rosenblatt transform of a Gaussian mixture."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import distributions as tfd

from tfp_flows.math.gaussianization import rosenblatt

RNG = np.random.default_rng(0)


def mixture(count, size):
    shapes = [count], [count, size], [count, size], [count, size, size]
    return [tf.constant(0.5 * RNG.normal(size=shape)) for shape in shapes]


def factors_of(parameters):
    _, _, log_diagonals, lower = (part.numpy() for part in parameters)
    return np.tril(lower, -1) + np.eye(lower.shape[-1]) * np.exp(log_diagonals)[:, None]


def test_one_component_is_whitened():
    parameters, x = mixture(1, 3), RNG.normal(size=(6, 3))
    z, log_det = rosenblatt.gaussianize(tf.constant(x), *parameters)
    wanted = (x - parameters[1].numpy()) @ factors_of(parameters)[0].T
    np.testing.assert_allclose(z, wanted, atol=1e-9)
    diagonals = np.broadcast_to(parameters[2], [6, 3])
    np.testing.assert_allclose(log_det, diagonals, atol=1e-9)


def test_one_coordinate_is_the_quantile_of_the_cdf():
    parameters, x = mixture(3, 1), np.linspace(-4.0, 4.0, 20)
    z, log_det = rosenblatt.gaussianize(tf.constant(x[:, np.newaxis]), *parameters)
    logits, means, log_diagonals, _ = (part.numpy() for part in parameters)
    weights, slopes = special.softmax(logits), np.exp(log_diagonals[:, 0])
    u = (x[:, np.newaxis] - means[:, 0]) * slopes
    np.testing.assert_allclose(
        z[:, 0], special.ndtri(special.ndtr(u) @ weights), atol=1e-9
    )
    density = (stats.norm.pdf(u) * slopes) @ weights
    np.testing.assert_allclose(
        log_det[:, 0], np.log(density) - stats.norm.logpdf(z[:, 0]), atol=1e-9
    )


def test_the_density_under_the_normal_one_is_that_of_the_mixture():
    parameters, x = mixture(3, 4), tf.constant(2.0 * RNG.normal(size=(10, 4)))
    z, log_det = rosenblatt.gaussianize(x, *parameters)
    found = tf.reduce_sum(stats.norm.logpdf(z) + log_det, axis=-1)
    roots = np.linalg.inv(factors_of(parameters))
    distribution = tfd.MixtureSameFamily(
        tfd.Categorical(logits=parameters[0]),
        tfd.MultivariateNormalTriL(parameters[1], tf.constant(roots)),
    )
    np.testing.assert_allclose(found, distribution.log_prob(x), atol=1e-8)


def test_log_dets_are_the_diagonal_of_a_triangular_jacobian():
    parameters, x = mixture(2, 3), tf.constant(RNG.normal(size=(1, 3)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = rosenblatt.gaussianize(x, *parameters)
    jacobian = tape.jacobian(z, x).numpy().reshape(3, 3)
    np.testing.assert_allclose(np.triu(jacobian, 1), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.log(np.diag(jacobian)), log_det[0], atol=1e-8)


def test_coordinates_beyond_the_box_go_straight_on():
    parameters, far = mixture(2, 2), rosenblatt.BOX
    x = tf.constant([[far, 0.3], [far + 7.0, 0.3], [-far - 2.0, 0.3]], tf.float64)
    z, log_det = rosenblatt.gaussianize(x, *parameters)
    np.testing.assert_allclose(z[1, 0] - z[0, 0], 7.0, rtol=1e-9)
    np.testing.assert_allclose(z[1, 1], z[0, 1])
    np.testing.assert_array_equal(log_det[1:, 0], 0.0)
    np.testing.assert_array_equal(rosenblatt.clipped(x)[2], [-far, 0.3])


def test_only_what_lies_below_the_diagonal_is_used():
    matrix = tf.constant(RNG.normal(size=(2, 3, 3)))
    np.testing.assert_array_equal(
        rosenblatt.strictly_lower(matrix), np.tril(matrix, -1)
    )
