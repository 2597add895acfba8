"""Integrals of positive networks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tests.math.far import assert_inverse_holds_far_out
from tests.math.slopes import assert_log_slope
from tfp_flows.math import lines, monotone_network

LOW, HIGH, UNITS = -4.0, 6.0, 3


def numbers(points=1, scale=1.0):
    rng = np.random.default_rng(points)
    return tf.constant(rng.normal(0.0, scale, [2 + 3 * UNITS, points]))


def forward(x, params, num_nodes):
    function = monotone_network.integral(num_nodes, LOW, HIGH)
    return lines.forward(function, x, [params], LOW, HIGH)


@pytest.mark.parametrize(("num_nodes", "scale"), [(8, 2.0), (32, 2.0), (64, 10.0)])
def test_values_are_integrals_and_no_unit_is_too_sharp_for_the_nodes(num_nodes, scale):
    params = numbers(scale=scale)
    x = np.array([LOW, -1.0, 1.0, 3.3, HIGH])
    y, log_slope = forward(tf.constant(x), params, num_nodes)
    shift, raw, bends, centres = np.split(params.numpy()[:, 0], [1, UNITS + 2, -UNITS])
    weights = raw / (1.0 + np.abs(raw).sum() / monotone_network.LOG_SLOPE_BOUND)
    bends = monotone_network.max_bend(num_nodes, LOW, HIGH) / (1.0 + np.exp(-bends))

    def slope(t):
        return np.exp(weights[0] + np.sum(weights[1:] * np.tanh(bends * (t - centres))))

    wanted = [shift[0] + 1.0 + integrate.quad(slope, 1.0, end)[0] for end in x]
    np.testing.assert_allclose(y, wanted, rtol=2e-6 if num_nodes == 8 else 2e-7)
    np.testing.assert_allclose(np.exp(log_slope), [slope(t) for t in x], rtol=1e-12)


def test_log_slopes_are_those_of_autodiff():
    params, x = numbers(31), np.linspace(-9.0, 9.0, 31)
    assert_log_slope(lambda x: forward(x, params, 8), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverse_holds_far_out(dtype):
    function = monotone_network.integral(32, LOW, HIGH)
    assert_inverse_holds_far_out(
        lambda x, p: forward(x, p, 32),
        lambda y, p: lines.inverse(function, y, [p], LOW, HIGH),
        tf.cast(numbers(400), dtype),
    )
