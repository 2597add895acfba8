"""Rational-quadratic splines, against the formula of the paper and TFP."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.math.slopes import assert_log_slope
from tfp_flows.math.splines import rational_quadratic


def spline(seed=0, bins=5):
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.ones(bins), size=2)
    x_knots, y_knots = (
        -2.0 + 4.0 * np.concatenate([[0.0], np.cumsum(part)]) for part in sizes
    )
    return [tf.constant(part) for part in (x_knots, y_knots, rng.uniform(0.2, 4, 6))]


def column(parts):
    """Give each table an axis for the positions."""
    return [part[:, tf.newaxis] for part in parts]


def test_values_are_those_of_the_formula_of_the_paper():
    x0, x1, y0, y1, d0, d1 = 1.0, 3.0, -1.0, 4.0, 0.5, 3.0
    x = np.linspace(x0, x1, 9)
    xi, s = (x - x0) / (x1 - x0), (y1 - y0) / (x1 - x0)
    over = (y1 - y0) * (s * xi**2 + d0 * xi * (1 - xi))
    wanted = y0 + over / (s + (d1 + d0 - 2 * s) * xi * (1 - xi))  # eq. 4
    edges = [tf.constant(edge, tf.float64) for edge in (x0, x1, y0, y1, d0, d1)]
    y, log_slope = rational_quadratic.forward_in_bin(tf.constant(x), *edges)
    np.testing.assert_allclose(y, wanted, atol=1e-14)
    np.testing.assert_allclose(np.exp(log_slope[0]), d0)
    np.testing.assert_allclose(np.exp(log_slope[-1]), d1)
    back, inverse = rational_quadratic.inverse_in_bin(y, *edges)
    np.testing.assert_allclose(back, x, atol=1e-13)
    np.testing.assert_allclose(inverse, -log_slope, atol=1e-12)


def test_splines_are_those_of_tfp():
    x_knots, y_knots, slopes = spline()
    theirs = tfb.RationalQuadraticSpline(
        np.diff(x_knots), np.diff(y_knots), slopes[1:-1], range_min=-2.0
    )
    ours = x_knots, y_knots, tf.concat([[1.0], slopes[1:-1], [1.0]], 0)
    x = tf.constant(np.linspace(-1.99, 1.99, 40))
    y, log_slope = rational_quadratic.forward(x, *column(ours))
    np.testing.assert_allclose(y, theirs.forward(x), atol=1e-12)
    np.testing.assert_allclose(
        log_slope, theirs.forward_log_det_jacobian(x), atol=1e-11
    )
    back, _ = rational_quadratic.inverse(y, *column(ours))
    np.testing.assert_allclose(back, x, atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_splines_meet_their_knots_and_increase(seed):
    parts = spline(seed)
    y, log_slope = rational_quadratic.forward(parts[0], *column(parts))
    np.testing.assert_allclose(y, parts[1], atol=1e-14)
    np.testing.assert_allclose(np.exp(log_slope), parts[2], rtol=1e-12)
    x = np.linspace(-2.0, 2.0, 200)
    y, _ = rational_quadratic.forward(tf.constant(x), *column(parts))
    assert np.all(np.diff(y) > 0.0)
    assert_log_slope(lambda x: rational_quadratic.forward(x, *column(parts)), x)
    assert_log_slope(lambda y: rational_quadratic.inverse(y, *column(parts)), x, 1e-8)


def test_round_trips_of_steep_bins_keep_the_digits_of_float32():
    edges = [tf.constant(edge) for edge in (0.0, 1e-3, 0.0, 1.0, 1e-3, 1e3)]
    x = tf.constant(np.linspace(0.0, 1e-3, 50), tf.float32)
    y, log_slope = rational_quadratic.forward_in_bin(x, *edges)
    back, _ = rational_quadratic.inverse_in_bin(y, *edges)
    # What rounding of the value, 1e-7, is by the slope there.
    allowed = 1e-6 * (1e-3 + np.exp(-log_slope.numpy()) * y.numpy())
    assert np.all(np.abs(back - x) <= allowed)


def test_sizes_sum_to_one_and_zeros_give_equal_bins():
    logits = tf.constant(np.random.default_rng(0).normal(0.0, 9.0, (8, 20)))
    sizes = rational_quadratic.bin_sizes(logits, 1e-3, 4.5).numpy()
    np.testing.assert_allclose(sizes.sum(axis=0), 1.0)
    assert sizes.min() >= 1e-3
    assert (sizes - 1e-3).max() / (sizes - 1e-3).min() <= np.exp(9.0)
    # Larger logits have larger bins.
    np.testing.assert_array_equal(np.argsort(sizes, 0), np.argsort(logits, 0))
    equal = rational_quadratic.bin_sizes(tf.zeros([8]), 1e-3, 4.5)
    np.testing.assert_allclose(equal, 1.0 / 8.0, rtol=1e-6)
    slopes = rational_quadratic.slopes(tf.constant([-1e9, 0.0, 1e9]), 2.0)
    np.testing.assert_allclose(slopes, np.exp([-2.0, 0.0, 2.0]), rtol=1e-6)


def test_knots_are_pinned_to_the_ends():
    logits = tf.constant(np.random.default_rng(0).normal(size=(9, 4)), tf.float32)
    sizes = rational_quadratic.bin_sizes(logits, 1e-3, 4.5)
    assert float(tf.reduce_min(sizes)) >= 1e-3
    knots = rational_quadratic.knots(sizes, tf.constant(-7.3), tf.constant(0.1))
    np.testing.assert_array_equal(knots[0], np.full(4, np.float32(-7.3)))
    np.testing.assert_array_equal(knots[-1], np.full(4, np.float32(0.1)))
    np.testing.assert_allclose(np.diff(knots, axis=0), 7.4 * sizes, rtol=1e-4)


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
