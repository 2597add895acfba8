"""The inverse of the Rosenblatt transform of a Gaussian mixture."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math.gaussianization import rosenblatt, rosenblatt_inverse


def _given(size=3, count=2):
    rng = np.random.default_rng(0)
    shapes = [count], [count, size], [count, size], [count, size, size]
    parameters = [tf.constant(0.5 * rng.normal(size=shape)) for shape in shapes]
    z = rng.normal(size=[4, size])
    z[-1, 1] = 2.0 * rosenblatt.BOX  # one event goes straight on beyond the box
    return [tf.constant(z), *parameters]


def _weighed(*given):
    """A number that depends on all positions and log-derivatives."""
    x, log_det = rosenblatt_inverse.sample_map(*given)
    return tf.reduce_sum(tf.sin(x) + log_det * tf.cos(x))


def _gradients(function, given):
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = function(*given)
    return tape.gradient(value, given)


def test_inverse_is_undone_within_and_beyond_the_box():
    z, *parameters = _given()
    x, log_det = rosenblatt_inverse.sample_map(z, *parameters)
    level, back = rosenblatt.gaussianize(x, *parameters)
    np.testing.assert_allclose(level, z, atol=1e-9)
    np.testing.assert_allclose(log_det, -back, atol=1e-9)


def test_gradient_is_that_of_differences():
    given = _given()
    rng = np.random.default_rng(1)
    along = [tf.constant(rng.normal(size=part.shape)) for part in given]
    change = sum(
        tf.reduce_sum(one * other)
        for one, other in zip(_gradients(_weighed, given), along, strict=True)
    )
    ends = [
        _weighed(*(part + step * way for part, way in zip(given, along, strict=True)))
        for step in (1e-6, -1e-6)
    ]
    np.testing.assert_allclose(change, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


@pytest.mark.slow
def test_gradient_of_what_xla_compiled_is_that_without():
    given = _given()
    compiled = tf.function(_weighed, jit_compile=True, autograph=False)
    found, expected = _gradients(compiled, given), _gradients(_weighed, given)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)
