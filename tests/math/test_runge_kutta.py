"""Tables of Runge-Kutta methods, and single steps by them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import runge_kutta

ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4, "dopri5": 5}


def table(method):
    """Return the matrix of stages, the weights and the nodes."""
    size = len(method.nodes)
    rows = np.zeros([size, size])
    for place, row in enumerate(method.rows):
        rows[place, : len(row)] = row
    return rows, np.array(method.weights), np.array(method.nodes)


def conditions(rows, nodes):
    """Return, by order, the vectors that weights must average to 1 over so much."""
    a, c = rows, nodes
    return {
        1: [(c**0, 1)],
        2: [(c, 2)],
        3: [(c**2, 3), (a @ c, 6)],
        4: [(c**3, 4), (c * (a @ c), 8), (a @ c**2, 12), (a @ a @ c, 24)],
        5: [
            (c**4, 5),
            (c**2 * (a @ c), 10),
            ((a @ c) ** 2, 20),
            (c * (a @ c**2), 15),
            (a @ c**3, 20),
            (c * (a @ a @ c), 30),
            (a @ (c * (a @ c)), 40),
            (a @ a @ c**2, 60),
            (a @ a @ a @ c, 120),
        ],
    }


@pytest.mark.parametrize("name", runge_kutta.METHODS)
def test_methods_have_their_order(name):
    rows, weights, nodes = table(runge_kutta.METHODS[name])
    np.testing.assert_allclose(rows.sum(axis=1), nodes, atol=1e-14)
    for order, found in conditions(rows, nodes).items():
        errors = [abs(weights @ vector - 1 / number) for vector, number in found]
        assert (max(errors) < 1e-14) == (order <= ORDERS[name]), order


def test_the_weights_of_the_error_are_of_order_four():
    rows, weights, nodes = table(runge_kutta.DOPRI5)
    # With the slope at the end as one more stage.
    rows = np.vstack([np.hstack([rows, np.zeros([6, 1])]), [*weights, 0.0]])
    nodes, error = np.array([*nodes, 1.0]), np.array(runge_kutta.ERROR)
    found = conditions(rows, nodes)
    for order in (1, 2, 3, 4):
        for vector, _ in found[order]:
            assert abs(error @ vector) < 1e-14
    assert max(abs(error @ vector) for vector, _ in found[5]) > 1e-4


def test_a_step_moves_each_part_of_a_state():
    def field(time, state):
        x, y = state
        return [time * x, -y]

    method, state = runge_kutta.METHODS["rk4"], [tf.ones([2]), tf.constant([1.0, 2.0])]
    step = tf.constant(0.1)
    found = runge_kutta.slopes(method, field, tf.constant(0.0), step, state)
    x, y = runge_kutta.plus(state, step, method.weights, found)
    np.testing.assert_allclose(x, np.exp(0.005) * np.ones(2), rtol=1e-6)
    np.testing.assert_allclose(y, np.exp(-0.1) * np.array([1.0, 2.0]), rtol=1e-6)
    assert runge_kutta.plus(state, step, (0.0, 0.0), found) is state


def test_a_known_first_slope_is_not_asked_for_again():
    times = []

    def field(time, state):
        times.append(float(time))
        return -state

    args = tf.constant(1.0), tf.constant(0.5), tf.ones([1])
    method = runge_kutta.METHODS["midpoint"]
    new = runge_kutta.slopes(method, field, *args, first=tf.constant([-1.0]))
    assert times == [1.25]
    np.testing.assert_array_equal(new[1], [-0.75])
