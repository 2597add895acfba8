"""Differential equations: orders, tolerances, derivatives, and what fails by name."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from tfp_flows.math import ode

X = np.array([[1.0, -0.5, 2.0], [0.3, 0.2, -1.0]])


def pendulum(time, x):
    return tf.stack([x[1], -tf.sin(x[0]) + 0.1 * tf.cos(3.0 * time)])


def exact():
    def field(time, x):
        x = x.reshape(2, 3)
        return np.stack([x[1], -np.sin(x[0]) + 0.1 * np.cos(3.0 * time)]).ravel()

    found = integrate.solve_ivp(
        field, (0.0, 1.0), X.ravel(), method="DOP853", rtol=1e-13, atol=1e-13
    )
    return found.y[:, -1].reshape(2, 3)


@pytest.mark.parametrize(
    ("method", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4), ("dopri5", 5)]
)
def test_halved_steps_divide_the_error_by_the_order(method, order):
    errors = []
    for steps in (8, 16):
        found = ode.fixed(pendulum, tf.constant(X), 0.0, 1.0, steps, method)
        errors.append(np.abs(found.state - exact()).max())
        assert int(found.num_evaluations[0]) == steps * len(ode.METHODS[method].nodes)
    assert 2.0 ** (order - 0.5) < errors[0] / errors[1] < 2.0 ** (order + 0.7)


def test_steps_by_tolerance_depend_on_no_other_row():
    whole = ode.adaptive(pendulum, tf.constant(X), 0.0, 1.0, 1e-9)
    np.testing.assert_allclose(whole.state, exact(), atol=1e-7)
    alone = ode.adaptive(pendulum, tf.constant(X[:, 1:2]), 0.0, 1.0, 1e-9)
    np.testing.assert_allclose(alone.state[:, 0], whole.state[:, 1], rtol=1e-14)
    assert int(alone.num_evaluations[0]) == int(whole.num_evaluations[1])
    back = ode.adaptive(pendulum, whole.state, 1.0, 0.0, 1e-9)
    np.testing.assert_allclose(back.state, X, atol=1e-7)


def explosion(time, x):
    return x * x + 0.0 * time


@pytest.mark.slow
def test_the_row_and_the_time_of_a_lost_solution_are_named():
    x = tf.constant([[0.1, 4.0, 0.2]])
    found = ode.adaptive(explosion, x, 0.0, 1.0, 1e-4, max_steps=30)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"row 1 stopped at time 0\.2\d*, in all 1 of 3 rows. Take fewer",
    ):
        ode.require_solved(found, "Take fewer.")
    found = ode.fixed(explosion, 1e18 * x, 0.0, 1.0, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 0 stopped at time 0"):
        ode.require_solved(found, "Take fewer.")

    @tf.function(jit_compile=True)
    def compiled(x):
        return ode.require_solved(ode.fixed(explosion, x, 0.0, 1.0, 4), "")

    state = compiled(tf.constant([[0.1, 1e30, np.nan]])).numpy()
    np.testing.assert_array_equal(np.isnan(state), [[False, True, True]])
