"""Splines of angles."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tests.math.slopes import assert_log_slope
from tfp_flows.math import circular

LOW, HIGH, BINS = 0.0, 360.0, 4
X = np.linspace(LOW, HIGH, 721)


def numbers(phase=2.0, dtype="float64"):
    rng = np.random.default_rng(0)
    params = rng.normal(size=[circular.num_params(BINS), 1])
    params[-1] = phase
    return tf.constant(params, dtype)


def forward(x, params):
    return circular.forward(x, params, BINS, LOW, HIGH)


def test_map_goes_once_around_the_circle_without_a_step():
    y, log_slope = (value.numpy() for value in forward(tf.constant(X), numbers()))
    assert np.all((y >= LOW) & (y <= HIGH))
    steps = np.diff(y)
    assert np.sum(steps < 0.0) == 1  # where it wraps
    np.testing.assert_allclose(np.sum(np.where(steps < 0, steps + 360, steps)), 360)
    assert np.all((steps + 360.0) % 360.0 > 0.0)
    # Both ends are one point, of one value and one slope, and the shift moves it.
    np.testing.assert_allclose([y[0], log_slope[0]], [y[-1], log_slope[-1]])
    np.testing.assert_allclose(y[0], np.degrees(2.0))


def test_density_of_a_uniform_angle_integrates_to_one_on_the_circle():
    _, log_slope = circular.inverse(tf.constant(X), numbers(), BINS, LOW, HIGH)
    np.testing.assert_allclose(
        integrate.trapezoid(np.exp(log_slope), X) / 360.0, 1.0, 1e-4
    )


def test_phase_of_a_whole_turn_is_none():
    one, other = (forward(tf.constant(X), numbers(p))[0] for p in (2.0, 2 - 4 * np.pi))
    np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 3e-3), ("float64", 1e-9)])
@pytest.mark.parametrize("phase", [0.0, 2.0, -40.0])
def test_inverse_goes_back_and_what_is_no_angle_stays(phase, dtype, atol):
    x = tf.constant([-5.0, 0.5, 90.0, 359.9, 361.0, np.inf, np.nan], dtype)
    params = numbers(phase, dtype)
    y, log_slope = forward(x, params)
    back, log_det = circular.inverse(y, params, BINS, LOW, HIGH)
    np.testing.assert_allclose(back, x, atol=atol)
    np.testing.assert_allclose(log_det[:6], -log_slope[:6], atol=atol)
    for outside in (0, 4, 5):
        assert y[outside] == x[outside]
        assert log_slope[outside] == 0.0


def test_log_slopes_are_those_of_autodiff():
    x = np.linspace(1.0, 359.0, 23)
    assert_log_slope(lambda x: forward(x, numbers()), x)


def test_features_are_those_of_the_point_on_the_circle():
    found = circular.features(tf.constant([[0.0, 90.0, 360.0]]), LOW, HIGH)
    np.testing.assert_allclose(found, [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], atol=1e-6)


def test_turns_keep_angles_in_their_period():
    low, high = tf.constant(0.0), tf.constant(360.0)
    x = tf.constant([-1.0, 0.0, 0.5, 1.0])
    y, log_det = circular.turn_forward(x, low, high)
    np.testing.assert_allclose(y, [0.0, 180.0, 270.0, 0.0])
    np.testing.assert_allclose(log_det, np.log(180.0), rtol=1e-6)
    given = tf.constant([0.0, 90.0, 360.0, 361.0, -1.0])
    back, inverse = circular.turn_inverse(given, low, high)
    np.testing.assert_allclose(back[:3], [-1.0, -0.5, 1.0])
    assert np.isneginf(inverse).tolist() == [False, False, False, True, True]
    wrapped = circular.wrap(given, low, high)
    np.testing.assert_allclose(wrapped, [0.0, 90.0, 0.0, 1.0, 359.0])


def test_features_of_angles_among_numbers():
    x = tf.constant([[90.0], [7.0]])
    found = circular.mixed_features(x, 2.0 * x, np.array([True, False]), 0.0, 360.0)
    np.testing.assert_allclose(found[:, 0], [0.0, 14.0, 1.0, 0.0], atol=1e-6)
