"""Networks with a bound of their slope."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import networks
from tfp_flows.testing import perturb

X = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
CONDITION = 10 * np.random.default_rng(1).normal(size=(50, 2)).astype("float32")


def network(**options):
    net = networks.LipschitzMLP(3, (8, 8), condition_shape=2, seed=0, **options)
    perturb(net, 3.0)
    return net


@pytest.mark.parametrize("activation", ["lipswish", "sin"])
def test_slope_is_below_the_bound_whatever_the_weights(activation):
    net, x = network(activation=activation, lipschitz=0.7), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = net(x, CONDITION)[..., 0]
    jacobian = tape.batch_jacobian(y, x).numpy()
    assert np.linalg.norm(jacobian, 2, axis=(1, 2)).max() <= 0.7
    value, push = net.linearized(tf.transpose(x), tf.transpose(CONDITION))
    np.testing.assert_allclose(tf.transpose(value), y, atol=1e-6)
    eye = tf.eye(3)[..., None] + tf.zeros([50])
    found = np.moveaxis(push(eye).numpy(), -1, 0)
    np.testing.assert_allclose(found, jacobian, atol=1e-5)


@pytest.mark.parametrize("bound", [0.0, 1.0, 1.5])
def test_a_bound_that_inverts_nothing_is_named(bound):
    with pytest.raises(ValueError, match="`lipschitz` must be above 0 and below 1"):
        networks.LipschitzMLP(2, lipschitz=bound)
