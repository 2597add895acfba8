"""Gradients that solve an equation backwards, beside those of the steps taken."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import adjoint, ode

X = np.array([[1.0, -0.5, 2.0], [0.3, 0.2, -1.0]])
WEIGHTS = np.array([1.0, 1e-6, 3.0])


def pendulum(time, x, rate):
    return rate * tf.stack([x[1], -tf.sin(x[0]) + 0.1 * tf.cos(3.0 * time)])


# Of the fourth order: errors of some 1e-8 in what is compared.
STEPS = 32


def plain(x, rate):
    return ode.fixed(lambda t, s: pendulum(t, s, rate), x, 0.0, 1.0, STEPS).state


SOLVERS = {
    "fixed": lambda x, rate: adjoint.fixed(pendulum, x, [rate], 0.0, 1.0, STEPS),
    "adaptive": lambda x, rate: adjoint.adaptive(pendulum, x, [rate], 0.0, 1.0, 1e-9),
}


def derivatives(solve):
    """First derivatives by state and parameter, and those of their squares."""
    x, rate = tf.constant(X), tf.constant([0.7], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch([x, rate])
        with tf.GradientTape() as inner:
            inner.watch([x, rate])
            out = tf.reduce_sum(solve(x, rate) ** 2 * WEIGHTS)
        first = inner.gradient(out, [x, rate])
        total = tf.add_n([tf.reduce_sum(g**2) for g in first])
    return [*first, *outer.gradient(total, [x, rate])]


@pytest.fixture(scope="module")
def wanted():
    """Return the derivatives through the steps that were taken."""
    return derivatives(plain)


@pytest.mark.parametrize(
    "kind", ["fixed", pytest.param("adaptive", marks=pytest.mark.slow)]
)
def test_derivatives_are_those_of_the_solution_twice(kind, wanted):
    found = derivatives(lambda x, rate: SOLVERS[kind](x, rate).state)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
def test_steps_back_depend_on_no_other_row_and_on_no_scale():
    x, rate = tf.constant(X), tf.constant([0.7], tf.float64)

    def slope(x, scale):
        with tf.GradientTape() as tape:
            tape.watch([x, rate])
            out = scale * tf.reduce_sum(SOLVERS["adaptive"](x, rate).state[0])
        return tape.gradient(out, [x, rate])

    whole, alone = slope(x, 1.0), slope(x[:, 1:2], 1e-12)
    np.testing.assert_allclose(alone[0][:, 0], 1e-12 * whole[0][:, 1], rtol=1e-12)
    parts = [slope(x[:, i : i + 1], 1.0)[1] for i in range(3)]
    np.testing.assert_allclose(whole[1], np.sum(parts, axis=0), rtol=1e-12)


def test_rows_without_values_leave_the_gradients_of_parameters_alone():
    rate = tf.constant([0.7], tf.float64)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(rate)
            state = SOLVERS["adaptive"](tf.constant(x), rate).state
            out = tf.reduce_sum(tf.where(tf.math.is_finite(state), state, 0.0))
        return tape.gradient(out, rate).numpy()

    broken = np.concatenate([X, np.full([2, 1], np.nan)], axis=1)
    np.testing.assert_allclose(slope(broken), slope(X), rtol=1e-12)


def test_a_way_back_that_is_too_long_gives_no_number():
    x, rate = tf.constant(X), tf.constant([0.7], tf.float64)
    needed = int(ode.adaptive(lambda t, s: pendulum(t, s, rate), x, 0.0, 1.0, 1e-9)
                 .num_evaluations[0]) // 6  # fmt: skip
    with tf.GradientTape() as tape:
        tape.watch(rate)
        state = adjoint.adaptive(
            pendulum, 1e-3 * x, [rate], 0.0, 1.0, 1e-9, needed // 3
        ).state
    assert np.isnan(tape.gradient(state, rate)).all()


@pytest.mark.slow
def test_memory_under_xla_does_not_grow_with_the_most_steps():
    rate = tf.constant([0.7], tf.float64)

    @tf.function(jit_compile=True)
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(rate)
            found = adjoint.adaptive(
                pendulum, x, [rate], 0.0, 1.0, 1e-6, max_steps=10**9
            )
        return tape.gradient(found.state, rate)

    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(rate)
        state = plain(x, rate)
    np.testing.assert_allclose(slope(x), tape.gradient(state, rate), rtol=1e-4)
