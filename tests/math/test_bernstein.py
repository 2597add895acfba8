"""Increasing Bernstein polynomials."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import interpolate

from tfp_flows import bijectors
from tfp_flows.math import bernstein

LOW, HIGH = -2.0, 3.0
X = np.linspace(LOW, HIGH, 41)


def logits(degree, scale=2.0):
    rng = np.random.default_rng(degree)
    return tf.constant(rng.normal(0.0, scale, [degree, 1]))


@pytest.mark.parametrize("degree", [1, 2, 7, 30])
def test_values_and_slopes_are_those_of_scipy(degree):
    weights = logits(degree, 1.0)
    y, log_slope = bernstein.forward(tf.constant(X), weights, LOW, HIGH)
    soft = weights.numpy()[:, 0]
    soft = np.exp(soft / (1.0 + np.abs(soft) / bernstein.LOGIT_BOUND))
    least = bernstein.MIN_STEP / degree
    steps = least + (1.0 - bernstein.MIN_STEP) * soft / soft.sum()
    coefficients = LOW + (HIGH - LOW) * np.concatenate([[0.0], np.cumsum(steps)])
    expected = interpolate.BPoly(coefficients[:, np.newaxis], [LOW, HIGH])
    np.testing.assert_allclose(y, expected(X), atol=1e-13)
    np.testing.assert_allclose(np.exp(log_slope), expected.derivative()(X), rtol=1e-12)


def test_lines_continue_the_ends():
    weights = logits(5)
    outside = tf.constant([LOW - 1.0, LOW, HIGH, HIGH + 2.0])
    y, log_slope = bernstein.forward(tf.cast(outside, tf.float64), weights, LOW, HIGH)
    slopes = np.exp(log_slope)
    np.testing.assert_allclose(y[1:3], [LOW, HIGH], rtol=1e-15)
    assert slopes[0] == slopes[1] != slopes[2] == slopes[3]
    np.testing.assert_allclose(y[0], LOW - slopes[1], rtol=1e-14)
    np.testing.assert_allclose(y[3], HIGH + 2.0 * slopes[2], rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)]
)
@pytest.mark.parametrize("degree", [1, 12, bernstein.MAX_DEGREE])
def test_roots_are_found_to_the_precision_of_their_values(degree, dtype, tolerance):
    weights = tf.cast(logits(degree), dtype)
    x = tf.constant(np.concatenate([X, [-1e6, -3.0, 4.0, 1e6]]), dtype)
    y, log_slope = bernstein.forward(x, weights, LOW, HIGH)
    back, log_det = bernstein.inverse(tf.identity(y), weights, LOW, HIGH)
    error = np.abs(back - x) * np.minimum(np.exp(log_slope), 1.0)
    assert np.all(error <= tolerance * (1.0 + np.abs(x)))
    assert back.dtype == log_det.dtype == dtype


def test_degrees_that_overflow_are_refused():
    for degree, message in ((0, "at least 1"), (101, "at most 100")):
        with pytest.raises(ValueError, match=f"`degree` must be {message}"):
            bijectors.Bernstein(degree)
