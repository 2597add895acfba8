"""Monotone functions of many features, by tables of their knots."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.math.slopes import assert_log_slope
from tfp_flows.math.splines import rational_quadratic, tables

RNG = np.random.default_rng(0)


def spline(size=3, bins=7):
    positions = [
        np.cumsum(RNG.uniform(0.1, 1, size=(size, bins + 1)), axis=1) - 2
        for _ in range(2)
    ]
    slopes = RNG.uniform(0.3, 3, size=(size, bins + 1))
    return [tf.constant(table) for table in (*positions, slopes)]


def test_tables_are_inverted_and_have_the_slopes_of_autodiff():
    given = spline()
    x = tf.constant(RNG.normal(size=(50, 3)) * 3)
    y, log_det = tables.evaluate(x, *given)
    assert_log_slope(lambda x: tables.evaluate(x, *given), x)
    back, inverse = tables.invert(y, *given)
    np.testing.assert_allclose(back, x, atol=1e-10)
    np.testing.assert_allclose(inverse, -log_det, atol=1e-9)


def test_bins_are_found_as_searchsorted_finds_them():
    for bins in (1, 2, 3, 7, 8, 9, 64):
        knots = np.sort(RNG.normal(size=(2, bins + 1)), axis=1)
        x = np.concatenate([RNG.normal(size=(40, 2)), knots.T])
        found = tables.bin_index(tf.constant(x), tf.constant(knots)).numpy()
        for feature in range(2):
            wanted = np.searchsorted(knots[feature], x[:, feature], "right") - 1
            np.testing.assert_array_equal(
                found[:, feature], np.clip(wanted, 0, bins - 1)
            )


@pytest.mark.parametrize("bins", [1, 4, 5])
def test_knots_lie_on_both_sides_of_the_middle_one(bins):
    middle, log_sizes = RNG.normal(size=2), RNG.normal(size=(2, bins))
    found = tables.knots(tf.constant(middle), tf.constant(log_sizes)).numpy()
    np.testing.assert_array_equal(found[:, bins // 2], middle)
    np.testing.assert_allclose(np.diff(found), np.exp(log_sizes))


def test_entries_are_picked_by_feature():
    table, index = RNG.normal(size=(2, 5)), RNG.integers(5, size=(3, 4, 2))
    found = tables.pick(tf.constant(table), tf.constant(index, tf.int32))
    np.testing.assert_array_equal(found, table[[0, 1], index])
    several = tables.pick(
        tf.constant(np.stack([table, -table], -1)), tf.constant(index, tf.int32)
    )
    np.testing.assert_array_equal(several, np.stack([found, -found], -1))


def test_values_are_those_of_the_splines_of_single_features():
    given = spline()
    for feature in range(3):
        knots = [table[feature] for table in given]
        x = np.linspace(knots[0][0], knots[0][-1], 30)
        every = tf.constant(np.repeat(x[:, np.newaxis], 3, axis=1))
        found = [part[:, feature] for part in tables.evaluate(every, *given)]
        wanted = rational_quadratic.forward(x, *[part[:, tf.newaxis] for part in knots])
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_tails_go_on_with_the_slope_of_the_end():
    x_knots, y_knots, slopes = spline(size=1)
    step = np.array([[-3.0], [-1.0], [2.0], [4.0]])
    low = step < 0
    x = np.where(low, x_knots[0, 0], x_knots[0, -1]) + step
    slope = np.where(low, slopes[0, 0], slopes[0, -1])
    y, log_det = tables.evaluate(tf.constant(x), x_knots, y_knots, slopes)
    wanted = np.where(low, y_knots[0, 0], y_knots[0, -1]) + slope * step
    np.testing.assert_allclose(y, wanted)
    np.testing.assert_allclose(log_det, np.log(slope))


def test_nan_passes_through_and_float32_is_kept():
    given = [tf.cast(table, tf.float32) for table in spline(size=2)]
    x = tf.constant([[np.nan, 0.5]])
    for function in (tables.evaluate, tables.invert):
        y, log_det = function(x, *given)
        assert np.isnan(y[0, 0])
        assert np.isfinite(y[0, 1])
        assert y.dtype == log_det.dtype == tf.float32
