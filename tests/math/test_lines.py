"""Functions that go on as straight lines."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.slopes import assert_log_slope
from tfp_flows.math import lines

LOW, HIGH = -1.0, 2.0
BEND = tf.constant([0.3], tf.float64)


def bent(x, bend):
    """Return `exp(bend * x)`, whose slope is the steeper the further right."""
    return tf.exp(bend * x), tf.math.log(bend) + bend * x


def test_outside_a_line_has_value_and_slope_of_the_end():
    x = tf.constant([-5.0, LOW, 0.5, HIGH, 100.0], tf.float64)
    y, log_slope = lines.forward(bent, x, [BEND], LOW, HIGH)
    ends = np.exp(0.3 * np.array([LOW, HIGH]))
    wanted = [ends[0] * (1.0 - 0.3 * 4.0), *np.exp(0.3 * x[1:4].numpy())]
    np.testing.assert_allclose(y, [*wanted, ends[1] * (1.0 + 0.3 * 98.0)], rtol=1e-14)
    clipped = np.clip(x, LOW, HIGH)
    np.testing.assert_allclose(log_slope, np.log(0.3) + 0.3 * clipped, rtol=1e-14)
    assert_log_slope(lambda x: lines.forward(bent, x, [BEND], LOW, HIGH), x)


@pytest.mark.parametrize(("dtype", "eps"), [("float32", 1e-7), ("float64", 1e-15)])
def test_inverse_finds_what_lies_inside_and_far_outside(dtype, eps):
    x = tf.constant([-1e6, -100.0, LOW, 0.0, HIGH, 100.0, 1e6], dtype)
    bend = [tf.cast(BEND, dtype)]
    y, log_slope = lines.forward(bent, x, bend, LOW, HIGH)
    back, log_det = lines.inverse(bent, y, bend, LOW, HIGH)
    np.testing.assert_allclose(back, x, rtol=20 * eps, atol=20 * eps)
    np.testing.assert_allclose(log_det, -log_slope, atol=20 * eps)
