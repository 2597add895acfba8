"""The leaky rectifier."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.slopes import assert_log_slope
from tfp_flows.math import leaky


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_slopes_on_both_sides(dtype):
    log_slope = tf.constant(np.log(0.1), dtype)
    x = tf.constant([-2.0, -0.0, 0.0, 3.0], dtype)
    y, log_det = leaky.forward(x, log_slope)
    assert y.dtype == log_det.dtype == dtype
    np.testing.assert_allclose(y, [-0.2, 0.0, 0.0, 3.0], atol=1e-7)
    np.testing.assert_allclose(log_det, [np.log(0.1), 0.0, 0.0, 0.0], atol=1e-6)
    back, inverse_log_det = leaky.inverse(y, log_slope)
    np.testing.assert_allclose(back, x, atol=1e-6)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-6)


def test_log_slopes_are_those_of_autodiff_for_steep_and_flat_maps():
    x = [-3.0, -1e-3, 1e-3, 2.0]
    for slope in (-2.0, 0.0, 1.5):
        log_slope = tf.constant(slope, tf.float64)
        assert_log_slope(lambda x, s=log_slope: leaky.forward(x, s), x)
        assert_log_slope(lambda y, s=log_slope: leaky.inverse(y, s), x)


def test_each_coordinate_has_its_slope():
    y, log_det = leaky.forward(tf.constant([[-1.0, -1.0]]), tf.constant([0.0, 1.0]))
    np.testing.assert_allclose(y, [[-1.0, -np.e]], rtol=1e-6)
    np.testing.assert_allclose(log_det, [[0.0, 1.0]])
    assert np.isnan(leaky.forward(tf.constant(np.nan), tf.constant(1.0))[0])
