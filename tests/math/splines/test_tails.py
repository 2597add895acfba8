"""Splines with tails, from knots and straight from numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.slopes import assert_log_slope
from tfp_flows.math.splines import tails

LOW, HIGH = -2.0, 3.0
X = np.concatenate([[-7.0, -2.5], np.linspace(LOW, HIGH, 21), [3.5, 8.0]])


def params(kind, bins=5, size=25):
    rng = np.random.default_rng(bins)
    count = 2 * bins + tails.num_slopes(bins, kind)
    return tf.constant(rng.normal(0.0, 1.5, [count, size]))


def from_knots(value, params, bins, kind, *, inverse=False):
    knots = tails.spline_parameters(params, bins, LOW, HIGH, kind)
    return tails.apply_spline(value, *knots, kind, inverse=inverse)


def test_free_slopes_are_completed_to_one_for_each_knot():
    for kind, count in (("identity", 4), ("linear", 6), ("circular", 5)):
        assert tails.num_slopes(5, kind) == count
        inner = tf.range(2.0, 2.0 + count)
        every = tails.all_slopes(inner, kind).numpy()
        assert len(every) == 6
        if kind == "identity":
            assert every[0] == every[-1] == 1.0
        if kind == "circular":
            assert every[0] == every[-1] == 2.0


@pytest.mark.parametrize("kind", tails.TAILS)
def test_zeros_give_the_identity(kind):
    zeros = 0.0 * params(kind)
    for y, log_det in (
        from_knots(tf.constant(X), zeros, 5, kind),
        tails.apply_logits(X, zeros, 5, (LOW, HIGH), kind, inverse=True),
    ):
        np.testing.assert_allclose(y, X, atol=1e-12)
        np.testing.assert_allclose(log_det, 0.0, atol=1e-12)


def test_one_bin_without_free_slopes_is_the_identity():
    y, log_det = from_knots(tf.constant(X), params("identity", 1), 1, "identity")
    np.testing.assert_allclose(y, X, atol=1e-12)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-12)


@pytest.mark.parametrize("kind", tails.TAILS)
@pytest.mark.parametrize("bins", [2, 5, 18])
def test_both_ways_to_a_spline_agree_and_are_inverted(kind, bins):
    x, given = tf.constant(X), params(kind, bins)
    y, log_det = from_knots(x, given, bins, kind)
    straight = tails.apply_logits(x, given, bins, (LOW, HIGH), kind, inverse=False)
    np.testing.assert_allclose(straight[0], y, atol=1e-11)
    np.testing.assert_allclose(straight[1], log_det, atol=1e-10)
    for back, inverse_log_det in (
        from_knots(y, given, bins, kind, inverse=True),
        tails.apply_logits(y, given, bins, (LOW, HIGH), kind, inverse=True),
    ):
        np.testing.assert_allclose(back, x, atol=1e-9)
        np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-8)


def test_tails_are_those_of_their_names():
    x = tf.constant(X)
    for kind in ("identity", "circular"):
        y, log_det = from_knots(x, params(kind), 5, kind)
        for outside in (slice(0, 2), slice(-2, None)):
            np.testing.assert_array_equal(y[outside], X[outside])
            np.testing.assert_array_equal(log_det[outside], 0.0)
    y, log_det = from_knots(x, params("linear", size=1), 5, "linear")
    for first, second, edge in ((0, 1, 2), (-1, -2, -3)):
        slope = np.exp(log_det[edge])
        np.testing.assert_allclose(log_det[first], log_det[edge])
        rise = (y[first] - y[second]) / (X[first] - X[second])
        np.testing.assert_allclose(rise, slope)
        np.testing.assert_allclose(y[edge], X[edge], atol=1e-12)
    y, log_det = from_knots(x, params("circular", size=1), 5, "circular")
    np.testing.assert_allclose(log_det[2], log_det[-3], atol=1e-10)
    assert abs(float(log_det[2])) > 1e-3


@pytest.mark.parametrize("kind", tails.TAILS)
def test_log_slopes_are_those_of_autodiff_inside_and_outside(kind):
    given, x = params(kind), X + 1e-3
    assert_log_slope(lambda x: from_knots(x, given, 5, kind), x)
    assert_log_slope(
        lambda y: tails.apply_logits(y, given, 5, (LOW, HIGH), kind, inverse=True),
        x,
        1e-8,
    )


@pytest.mark.parametrize("kind", tails.TAILS)
def test_nan_passes_through(kind):
    x = tf.constant([np.nan], tf.float64)
    given = params(kind, size=1)
    assert np.isnan(from_knots(x, given, 5, kind)[0][0])
    straight = tails.apply_logits(x, given, 5, (LOW, HIGH), kind, inverse=False)
    assert np.isnan(straight[0][0])


def test_knots_of_other_heights_shift_what_lies_above():
    x_knots, y_knots = tf.constant([0.0, 1.0, 2.0]), tf.constant([0.0, 1.5, 3.0])
    y, _ = tails.apply_spline(
        tf.constant([-1.0, 5.0]),
        *(part[:, tf.newaxis] for part in (x_knots, y_knots, tf.ones([3]))),
        "identity",
        inverse=False,
    )
    np.testing.assert_allclose(y, [-1.0, 6.0])
