"""Spheres in coordinates of equal area."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import spheres


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_coordinates_of_unit_vectors_and_the_area_that_they_have(size):
    u = tf.constant(np.random.default_rng(0).uniform(-1.0, 1.0, (20, size - 1)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(u)
        x, log_det = spheres.forward(u)
    slopes = tape.batch_jacobian(x, u, experimental_use_pfor=False).numpy()
    np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1.0, rtol=1e-12)
    area = 0.5 * np.linalg.slogdet(np.swapaxes(slopes, 1, 2) @ slopes)[1]
    np.testing.assert_allclose(log_det, area, atol=1e-9)
    back, inverse_log_det = spheres.inverse(x)
    np.testing.assert_allclose(back, u, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -area, atol=1e-9)


def test_areas_are_known_and_poles_and_other_vectors_are_told():
    np.testing.assert_allclose(spheres.log_area(2), np.log(2.0 * np.pi))
    np.testing.assert_allclose(spheres.log_area(3), np.log(4.0 * np.pi))
    x = tf.constant([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        u, log_det = spheres.inverse(x)
    np.testing.assert_allclose(u[0], [1.0, 0.0])
    assert np.isneginf(log_det).tolist() == [False, True, True]
