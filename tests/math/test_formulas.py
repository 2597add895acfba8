"""Formulas against what other software, or high precision, says."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.math import leaky, mixtures, moments
from tfp_flows.math.splines import rational_quadratic


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


@pytest.mark.parametrize("far", [1e2, 1e6, 1e20])
def test_log_odds_are_linear_far_out(far):
    weights, locations, scales = (tf.cast(t, tf.float32) for t in mixture())
    x = tf.fill([7], tf.constant(far))
    for sign in (1.0, -1.0):
        value, log_slope = mixtures.logit_cdf(sign * x, weights, locations, scales)
        widest = np.exp(scales.numpy()).max(axis=0)
        np.testing.assert_allclose(value, sign * far / widest, rtol=0.1)
        np.testing.assert_allclose(np.exp(log_slope), 1.0 / widest, rtol=0.1)


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


def test_knots_are_pinned_to_the_ends():
    logits = tf.constant(np.random.default_rng(0).normal(size=(9, 4)), tf.float32)
    sizes = rational_quadratic.bin_sizes(logits, 1e-3, 4.5)
    assert float(tf.reduce_min(sizes)) >= 1e-3
    knots = rational_quadratic.knots(sizes, tf.constant(-7.3), tf.constant(0.1))
    np.testing.assert_array_equal(knots[0], np.full(4, np.float32(-7.3)))
    np.testing.assert_array_equal(knots[-1], np.full(4, np.float32(0.1)))
    assert np.all(np.diff(knots, axis=0) > 0.0)


def test_inverse_has_its_slope_at_the_centre_of_a_straight_bin():
    # There the term whose sign picks a branch is zero.
    y, ends = tf.constant([0.5, 1.0], tf.float64), [0.0, 1.0, 0.0, 2.0, 2.0, 2.0]
    with tf.GradientTape() as outer:
        outer.watch(y)
        with tf.GradientTape() as tape:
            tape.watch(y)
            x, _ = rational_quadratic.inverse_in_bin(
                y, *[tf.constant(e, y.dtype) for e in ends]
            )
        slope = tape.gradient(x, y)
    np.testing.assert_allclose(x, y / 2.0, atol=1e-15)
    np.testing.assert_allclose(slope, 0.5, atol=1e-15)
    np.testing.assert_allclose(outer.gradient(slope, y), 0.0, atol=1e-14)


def test_squashing_is_bounded_and_starts_with_slope_one():
    x = tf.constant([-1e30, -1.0, 0.0, 1e-3, 1e30])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = rational_quadratic.soft_clip(x, 2.0)
    np.testing.assert_allclose(y, [-2.0, -2.0 / 3.0, 0.0, 1e-3, 2.0], rtol=1e-3)
    slope = tape.gradient(y, x).numpy()
    assert slope[2] == 1.0
    assert np.all(np.isfinite(slope))


def test_leaky_map_and_its_inverse():
    x = tf.constant([-2.0, -0.0, 0.0, 3.0])
    y, log_det = leaky.forward(x, tf.constant(np.log(0.1), tf.float32))
    np.testing.assert_allclose(y, [-0.2, 0.0, 0.0, 3.0], atol=1e-7)
    np.testing.assert_allclose(log_det, [np.log(0.1), 0.0, 0.0, 0.0], atol=1e-6)
    back, _ = leaky.inverse(y, tf.constant(np.log(0.1), tf.float32))
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_moments_keep_their_digits_far_from_zero():
    y = 1e7 + np.random.default_rng(0).normal(size=(1000, 2)) * [1.0, 0.0]
    mean, deviation = moments.location_and_scale(tf.constant(y), [0])
    np.testing.assert_allclose(mean, y.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation, [y[:, 0].std(), 1.0], rtol=1e-6)
    rounded, rest = moments.split_location(mean, tf.float32)
    total = np.float64(rounded) + np.float64(rest)
    np.testing.assert_allclose(total, mean, rtol=1e-12)
