"""Derivatives of solutions that a search found, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import implicit

P = np.array([0.5, 2.0, 3.0])


def cube_root(p):
    """Solve `x**3 = p`, known by its value alone."""
    value = tf.constant(np.cbrt(p.numpy()))

    def gradients(upstream, x, inputs):
        return implicit.pullback(lambda p: (p, upstream / (3.0 * x * x)), inputs)

    return implicit.attached(value, [p], gradients)


def test_derivatives_of_a_root_are_right_to_order_four():
    p = tf.constant(P)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(p)
        found = [cube_root(p)]
        for _ in range(4):
            found.append(tape.gradient(found[-1], p))
    expected, factor = P ** (1.0 / 3.0), 1.0
    for order, value in enumerate(found):
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        factor = 1.0 / 3.0 - order
        expected = expected * factor / P


def test_the_value_is_that_which_was_found_and_no_gradient_goes_by_it():
    value = tf.constant(P)
    with tf.GradientTape() as tape:
        tape.watch(value)
        x = implicit.attached(
            value, [value], lambda upstream, x, inputs: [0.5 * upstream]
        )
    np.testing.assert_array_equal(x, P)
    np.testing.assert_array_equal(tape.gradient(x, value), [0.5, 0.5, 0.5])


def test_gradients_by_inputs_that_a_function_does_not_need_are_zero():
    for compiled in (False, True):

        def pullback(a, b):
            return implicit.pullback(lambda a, b: (a * a, tf.ones_like(a)), [a, b])

        run = tf.function(pullback, autograph=False) if compiled else pullback
        by_a, by_b = run(tf.constant(P), tf.constant(1.0, tf.float64))
        np.testing.assert_allclose(by_a, 2.0 * P)
        assert float(by_b) == 0.0


@pytest.mark.parametrize("orders", [1, 2, 3])
def test_steps_are_wanted_in_forward_mode_only(orders):
    x = tf.constant(P)
    with tf.GradientTape() as tape:
        tape.watch(x)
        assert implicit.steps_wanted([x]) == 0
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)):
        assert implicit.steps_wanted([x]) >= implicit.LEAST_STEPS
        assert 2 ** implicit.steps_wanted([x]) - 1 >= orders
