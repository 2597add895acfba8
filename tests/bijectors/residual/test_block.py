"""Residual blocks: inverses far out, exact and estimated log-dets."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import bijectors as maps
from tfp_flows import networks
from tfp_flows.testing import perturb


def block(dtype="float32", **options):
    net = networks.LipschitzMLP(3, (8,), lipschitz=0.9, dtype=dtype, seed=0)
    perturb(net, 2.0)
    return maps.ResidualBlock(net, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverse_is_right_far_out(dtype):
    residual, rng = block(dtype), np.random.default_rng(0)
    far = [rng.uniform(-100, 100, size=(50, 3)), rng.normal(size=(50, 3))]
    y = tf.constant(np.concatenate(far), dtype)
    x = residual.inverse(y)
    eps = np.finfo(dtype).eps
    error = np.abs(residual.forward(tf.identity(x)) - y).max(-1)
    assert np.all(error <= 8 * eps * np.maximum(1.0, np.abs(y).max(-1)))


def test_a_trained_block_is_made_exact_with_the_same_variables():
    rough = block(exact=False, num_probes=50)
    exact = rough.copy(exact=True)
    assert [v.ref() for v in exact.variables] == [v.ref() for v in rough.variables]
    x = tf.random.stateless_normal([200, 3], [0, 1])
    ours, theirs = (b.forward_log_det_jacobian(x, 1) for b in (rough, exact))
    again = rough.forward_log_det_jacobian(tf.identity(x), 1)
    np.testing.assert_array_equal(ours, again)
    other = rough.copy(seed=1).forward_log_det_jacobian(x, 1)
    assert np.abs(ours - other).max() > 1e-3
    assert abs(np.mean(ours - theirs)) < 0.05


def test_a_network_without_a_bound_is_named():
    with pytest.raises(ValueError, match="`network` must state a bound of its slope"):
        maps.ResidualBlock(networks.MLP(2, (2, 1), (4,)))
