"""Continuous maps: group law, time reversal, solvers and traces chosen afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb


def solved(**options):
    net = networks.VectorField(2, (8,), num_frequencies=1, dtype="float64", seed=0)
    perturb(net, 0.2)
    return maps.NeuralODE(net, **{"num_steps": 8, "method": "dopri5", **options})


def points(count=20):
    return tf.random.stateless_normal([count, 2], [0, 1], dtype=tf.float64)


def test_times_add_up_and_go_back():
    x, whole = points(), solved()
    first, second = whole.copy(stop=0.4), whole.copy(start=0.4)
    half, one = first.forward_and_log_det(x)
    end, two = second.forward_and_log_det(half)
    expected, log_det = whole.forward_and_log_det(x)
    np.testing.assert_allclose(end, expected, atol=1e-5)
    np.testing.assert_allclose(one + two, log_det, atol=1e-5)
    np.testing.assert_array_equal(whole.copy(stop=0.0).forward(x), x)
    back = whole.copy(start=1.0, stop=0.0).forward(expected)
    np.testing.assert_allclose(back, x, atol=1e-5)
    np.testing.assert_array_equal(back, whole.inverse(tf.identity(expected)))


def test_a_trained_map_is_solved_otherwise_with_the_same_variables():
    x, equal = points(), solved()
    by_tolerance = equal.copy(num_steps=None, tolerance=1e-6)
    assert [v.ref() for v in by_tolerance.variables] == [
        v.ref() for v in equal.variables
    ]
    y, log_det = by_tolerance.forward_and_log_det(x)
    np.testing.assert_allclose(equal.forward(x), y, atol=1e-5)
    path = by_tolerance.path(x)
    assert np.ptp(path.num_evaluations) > 0
    assert int(equal.path(x).num_evaluations[0]) == 48
    # The noise of one evaluation is one, and its mean is right.
    rough = equal.copy(exact=False, num_probes=2)
    many = tf.repeat(x[:1], 1_000, axis=0)
    found = rough.forward_log_det_jacobian(many, 1)
    error = np.std(found) / np.sqrt(len(found))
    assert error > 0
    assert abs(np.mean(found) - log_det[0]) < 3 * error
    again = rough.forward_log_det_jacobian(tf.identity(many), 1)
    np.testing.assert_array_equal(found, again)


def test_costs_are_those_of_the_way():
    net = networks.VectorField(2, (3,), num_frequencies=0, dtype="float64", seed=0)
    net.weights[-1].assign([3.0, 4.0])
    x, straight = points(5), maps.NeuralODE(net, num_steps=2)
    for inverse in (False, True):
        path = straight.path(x, inverse=inverse)
        np.testing.assert_allclose(path.kinetic, 25.0)
        np.testing.assert_allclose(path.jacobian, 0.0)
        np.testing.assert_allclose(
            path.value, x + np.array([3.0, 4.0]) * (1 - 2 * inverse)
        )


@pytest.mark.parametrize("options", [{}, {"num_steps": None}])
def test_gradients_of_the_adjoint_are_near_those_of_the_steps(options):
    x = points()
    found = []
    for adjoint in (False, True):
        one = solved(adjoint=adjoint, **options)
        with tf.GradientTape() as tape:
            y, log_det = one.inverse_and_log_det(x)
            loss = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
        found.append(tape.gradient(loss, one.trainable_variables))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_what_is_no_velocity_or_no_method_is_named():
    with pytest.raises(ValueError, match="`network` must give velocities"):
        maps.NeuralODE(networks.MLP(2, (2, 1), (4,)))
    with pytest.raises(ValueError, match="`method` must be one of 'euler'"):
        solved(method="leapfrog")
    with pytest.raises(ValueError, match="`num_steps` must be at least 1"):
        solved(num_steps=0)


def test_a_lost_solution_is_named_with_time_and_row():
    short = solved(num_steps=None, tolerance=1e-12, max_steps=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 0 stopped at time"):
        short.forward(points(2))
