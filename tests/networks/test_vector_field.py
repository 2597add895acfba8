"""Vector fields: Jacobians against automatic ones, at far inputs, too."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import networks
from tfp_flows.testing import perturb


@pytest.mark.parametrize("activation", ["silu", "tanh", "softplus", "sin"])
def test_jacobians_are_those_of_the_velocity(activation):
    net = networks.VectorField(
        2,
        (5, 4),
        activation=activation,
        frequency=2.0 if activation == "silu" else 0.0,
        condition_shape=3,
        dtype="float64",
        seed=0,
    )
    perturb(net)
    x = np.random.default_rng(0).normal(size=(2, 6)) * [1, 1, 5, 100, 1e12, 0]
    x, c = tf.constant(x), tf.ones([3, 6], tf.float64)
    time = tf.linspace(tf.zeros([], tf.float64), 1.0, 6)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        value, push = net.linearized(x, time, c)
        rows = [value[0], value[1]]
    expected = tf.stack([tape.gradient(row, x) for row in rows])
    axes = tf.eye(2, dtype=tf.float64)[..., tf.newaxis] + tf.zeros_like(x)
    np.testing.assert_allclose(push(axes), expected, atol=1e-12)
    joint = tf.transpose(tf.concat([time[tf.newaxis], x], axis=0))
    np.testing.assert_allclose(
        net(joint, tf.transpose(c))[..., 0], tf.transpose(value), atol=1e-12
    )


def test_activations_with_kinks_are_refused():
    with pytest.raises(ValueError, match="`activation` must be one of 'silu'"):
        networks.VectorField(2, (4,), activation="relu")
