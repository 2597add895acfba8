"""CDFs of mixtures of logistics, and their inverse."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.math.slopes import assert_log_slope
from tfp_flows.math import mixtures


def mixture(count=3, points=7, seed=0):
    rng = np.random.default_rng(seed)
    weights = np.log(rng.dirichlet(np.ones(count)))[:, None]
    locations, scales = rng.normal(size=(2, count, points))
    return [
        tf.constant(np.broadcast_to(v, (count, points)))
        for v in (weights, locations, 0.3 * scales)
    ]


def test_log_odds_of_a_mixture_agree_with_tfp():
    weights, locations, scales = mixture()
    x = tf.constant(np.linspace(-3.0, 3.0, 7))
    distribution = tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.transpose(weights)),
        tfd.Logistic(tf.transpose(locations), tf.exp(tf.transpose(scales))),
    )
    value, log_slope = mixtures.logit_cdf(x, weights, locations, scales)
    log_cdf, log_survival = (
        distribution.log_cdf(x),
        distribution.log_survival_function(x),
    )
    np.testing.assert_allclose(value, log_cdf - log_survival, atol=1e-8)
    wanted = distribution.log_prob(x) - log_cdf - log_survival
    np.testing.assert_allclose(log_slope, wanted, atol=1e-8)


def test_one_component_is_a_straight_line():
    parameters = [tf.constant([[v]], tf.float64) for v in (0.0, 2.0, np.log(3.0))]
    x = tf.constant([-50.0, 0.0, 2.0, 70.0], tf.float64)
    value, log_slope = mixtures.logit_cdf(x, *parameters)
    np.testing.assert_allclose(value, (x - 2.0) / 3.0, atol=1e-12)
    np.testing.assert_allclose(log_slope, -np.log(3.0), atol=1e-12)


def test_log_slopes_are_those_of_autodiff():
    parameters, x = mixture(), np.linspace(-5.0, 5.0, 7)
    assert_log_slope(lambda x: mixtures.logit_cdf(x, *parameters), x)
    assert_log_slope(lambda y: mixtures.logit_cdf_inverse(y, *parameters), x, 1e-8)


@pytest.mark.parametrize("far", [1e2, 1e6, 1e20])
def test_log_odds_are_linear_far_out(far):
    weights, locations, scales = (tf.cast(t, tf.float32) for t in mixture())
    x = tf.fill([7], tf.constant(far))
    for sign in (1.0, -1.0):
        value, log_slope = mixtures.logit_cdf(sign * x, weights, locations, scales)
        widest = np.exp(scales.numpy()).max(axis=0)
        np.testing.assert_allclose(value, sign * far / widest, rtol=0.1)
        np.testing.assert_allclose(np.exp(log_slope), 1.0 / widest, rtol=0.1)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)]
)
def test_inverse_is_undone_and_infinity_stays(dtype, tolerance):
    parameters = [tf.cast(t, dtype) for t in mixture()]
    y = tf.constant([-np.inf, -80.0, -1.0, 0.0, 2.0, 60.0, np.inf], dtype)
    x, log_det = mixtures.logit_cdf_inverse(y, *parameters)
    again, log_slope = mixtures.logit_cdf(x, *parameters)
    np.testing.assert_allclose(again, y, rtol=tolerance, atol=tolerance)
    finite = slice(1, -1)
    np.testing.assert_allclose(log_det[finite], -log_slope[finite], atol=1e-12)


def test_inverse_moves_with_the_locations():
    # All locations shifted by one number shift each root by as much.
    weights, locations, scales = mixture()
    y = tf.constant(np.linspace(-4.0, 4.0, 7))
    with tf.GradientTape() as tape:
        tape.watch(locations)
        x, _ = mixtures.logit_cdf_inverse(y, weights, locations, scales)
    total = tf.reduce_sum(tape.gradient(x, locations), axis=0)
    np.testing.assert_allclose(total, 1.0, rtol=1e-10)


def test_plateau_between_components_far_apart_is_no_nan():
    for dtype, width in ((tf.float32, -3.0), (tf.float64, -5.0)):
        weights = tf.math.log(tf.constant([[0.5], [0.5]], dtype))
        locations = tf.constant([[-8.0], [8.0]], dtype)
        scales = tf.constant([[width], [width]], dtype)
        x = tf.constant([-9.0, -1.0, 0.0, 1.0, 9.0], dtype)
        value, _ = mixtures.logit_cdf(x, weights, locations, scales)
        with tf.GradientTape() as tape:
            tape.watch([value, locations])
            back, log_det = mixtures.logit_cdf_inverse(
                value, weights, locations, scales
            )
        again, _ = mixtures.logit_cdf(back, weights, locations, scales)
        np.testing.assert_allclose(again, value, atol=1e-4)
        for result in (log_det, *tape.gradient(back, [value, locations])):
            assert np.all(np.isfinite(result))
