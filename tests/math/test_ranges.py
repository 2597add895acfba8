"""Maps between the line and ranges: known laws, log-dets, ends."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfp_flows.math import ranges

X = np.linspace(-5.0, 9.0, 29)
MAPS = {
    "interval": (ranges.interval_forward, ranges.interval_inverse, (-2.0, 3.0)),
    "half_line": (ranges.half_line_forward, ranges.half_line_inverse, (0.0, 0.5)),
    "log_line": (ranges.log_line_forward, ranges.log_line_inverse, (0.0, 0.5)),
}


def constants(values, dtype=tf.float64):
    return [tf.constant(v, dtype) for v in values]


def test_uniform_and_exponential_numbers_are_normal_on_the_line():
    x = tf.constant(X)
    y, _ = ranges.interval_forward(x, *constants((0.0, 1.0)))
    np.testing.assert_allclose(y, stats.norm.cdf(X), rtol=1e-12)
    y, _ = ranges.half_line_forward(x, *constants((0.0, 1.0)))
    np.testing.assert_allclose(y, -stats.norm.logsf(X), rtol=1e-10)
    y, _ = ranges.log_line_forward(x, *constants((1.0, 2.0)))
    np.testing.assert_allclose(y, 1.0 + 2.0 * np.exp(X), rtol=1e-12)


@pytest.mark.parametrize("name", MAPS)
def test_log_dets_are_those_of_the_slope(name):
    forward, inverse, limits = MAPS[name]
    x = tf.constant(X[X < 5.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = forward(x, *constants(limits))
    np.testing.assert_allclose(log_det, tf.math.log(tape.gradient(y, x)), atol=1e-8)
    back, backward = inverse(y, *constants(limits))
    np.testing.assert_allclose(back, x, atol=1e-7)
    np.testing.assert_allclose(backward, -log_det, atol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("name", MAPS)
def test_a_bound_has_a_finite_density_and_beyond_it_is_none(name, dtype):
    _, inverse, limits = MAPS[name]
    low = limits[0]
    values = tf.constant([low, low - 1e-3, np.nan, np.inf], dtype)
    x, log_det = inverse(values, *constants(limits, dtype))
    assert np.isfinite(x[0])
    assert np.isfinite(log_det[0])
    assert log_det[1] == -np.inf
    assert np.isnan(x[2])
    assert not np.isnan(x[3])


def test_the_far_tail_of_an_amount_is_that_of_its_series():
    x = tf.constant([7.99, 8.01, 30.0, 60.0], tf.float64)
    _, log_det = ranges.half_line_forward(x, *constants((0.0, 1.0)))
    expected = stats.norm.logpdf(x) - stats.norm.logsf(x)
    np.testing.assert_allclose(log_det, expected, atol=1e-9)


def test_shares_near_an_upper_bound_keep_their_digits():
    y = tf.constant(1.0 - 1e-6, tf.float32)
    x, _ = ranges.interval_inverse(y, *constants((0.0, 1.0), tf.float32))
    np.testing.assert_allclose(x, stats.norm.isf(1.0 - float(y)), rtol=1e-4)
