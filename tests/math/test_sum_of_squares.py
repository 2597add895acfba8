"""Integrals of sums of squared polynomials."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.far import assert_inverse_holds_far_out
from tests.math.slopes import assert_log_slope
from tfp_flows.math import lines, sum_of_squares

LOW, HIGH = -2.0, 3.0
X = np.linspace(LOW, HIGH, 31)


def numbers(degree, squares=2, scale=1.0, points=1):
    rng = np.random.default_rng(degree)
    size = 1 + squares * (degree + 1)
    return tf.constant(rng.normal(0.0, scale, [size, points]))


def forward(x, params, degree):
    function = sum_of_squares.polynomial(degree, LOW, HIGH)
    return lines.forward(function, x, [params], LOW, HIGH)


@pytest.mark.parametrize("degree", [0, 1, 4, 20])
def test_values_are_those_of_numpys_polynomials(degree):
    params = numbers(degree)
    y, log_slope = forward(tf.constant(X), params, degree)
    raw = params.numpy()[1:, 0]
    coefficients = raw / (1.0 + np.abs(raw) / sum_of_squares.COEFFICIENT_BOUND)
    first, second = np.split(coefficients, 2)
    first[0] += 1.0
    poly = np.polynomial.Polynomial
    slope = sum_of_squares.MIN_SLOPE + (1.0 - sum_of_squares.MIN_SLOPE) * (
        poly(first) ** 2 + poly(second) ** 2
    )
    u = (X - 0.5) / 2.5
    wanted = params.numpy()[0, 0] + 0.5 + 2.5 * slope.integ()(u)
    np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(np.exp(log_slope), slope(u), rtol=1e-11)


def test_log_slopes_are_those_of_autodiff():
    params = numbers(3, points=len(X))
    assert_log_slope(lambda x: forward(x, params, 3), 3.0 * X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverse_holds_far_out(dtype):
    params = numbers(4, points=400)
    function = sum_of_squares.polynomial(4, LOW, HIGH)
    assert_inverse_holds_far_out(
        lambda x, p: forward(x, p, 4),
        lambda y, p: lines.inverse(function, y, [p], LOW, HIGH),
        tf.cast(params, dtype),
    )
