"""Densities of values outside a support."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import support


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends_belong_to_the_support(dtype):
    near = np.nextafter(np.array([-1.0, 2.0], dtype), np.array([-9.0, 9.0], dtype))
    value = tf.constant([near[0], -1.0, 0.0, 2.0, near[1], -np.inf, np.inf], dtype)
    found = support.log_inside(value, -1.0, 2.0)
    none = -np.inf
    np.testing.assert_array_equal(found, [none, 0.0, 0.0, 0.0, none, none, none])
    assert found.dtype == dtype


def test_nan_is_left_to_the_value_and_gradients_are_zero():
    value = tf.constant([-3.0, 0.5, np.nan])
    with tf.GradientTape() as tape:
        tape.watch(value)
        log_inside = support.log_inside(value, 0.0, 1.0)
    assert log_inside.numpy()[2] == 0.0
    zero = tf.UnconnectedGradients.ZERO
    np.testing.assert_array_equal(tape.gradient(log_inside, value, None, zero), 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_events_have_density_zero(dtype):
    largest = np.finfo(dtype).max
    nan, none = np.nan, -np.inf
    events = [[0, 1], [np.inf, 0], [none, nan], [largest, 0], [largest, 0], [nan, 0]]
    value = tf.constant(events, dtype)
    log_prob = tf.constant([-1.0, nan, nan, nan, -5.0, nan], dtype)
    for compiled in (False, True):
        function = tf.function(support.without_mass_at_infinity, jit_compile=compiled)
        found = function(log_prob, value, 1)
        np.testing.assert_array_equal(found, [-1.0, none, nan, none, -5.0, nan])
    found = support.without_mass_at_infinity(log_prob[:2], value[:2, 0], 0)
    np.testing.assert_array_equal(found, [-1.0, none])


def test_accumulators_within_each_other_say_where_they_cannot_pass():
    x = tf.constant([[0.5, -1.0], [2.0, 0.25]])

    def second():
        ones = tf.ones_like(x)
        with (
            tf.autodiff.ForwardAccumulator(x, ones) as outer,
            tf.autodiff.ForwardAccumulator(x, ones) as inner,
        ):
            log_prob = -tf.reduce_sum(x**3, axis=-1)
            found = support.without_mass_at_infinity(log_prob, x, 1)
            first = inner.jvp(found)
        return outer.jvp(first)

    wanted = -6.0 * tf.reduce_sum(x, axis=-1)
    np.testing.assert_allclose(second(), wanted, rtol=1e-6)
    with pytest.raises(NotImplementedError, match="within each other a comparison"):
        tf.function(second, autograph=False)()
