"""Block autoregressive networks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import networks
from tfp_flows.math import block
from tfp_flows.networks.block import GAIN
from tfp_flows.testing import perturb

SIZE = 3
ORDER = (1, 2, 0)


def network(dtype="float64", **options):
    built = networks.BlockNetwork(SIZE, (4, 5), ranks=ORDER, dtype=dtype, **options)
    perturb(built, 0.07, seed=1)
    return built


def columns(rows=200, dtype="float64"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SIZE, rows))
    x[:, ::2] = rng.uniform(-100.0, 100.0, (SIZE, rows // 2))
    return tf.constant(x, dtype)


def test_values_are_those_of_the_paper():
    built = network(seed=0)
    raw = {v.name.partition(":")[0]: GAIN * v.numpy() for v in built.weights}
    x = columns(20)
    hidden, soft = x.numpy(), lambda v, bound: v / (1.0 + np.abs(v) / bound)
    rank = np.array(ORDER)
    for layer in range(3):
        kernel = raw[f"kernel_{layer}"]
        shape = np.array(kernel.shape) // SIZE
        same = np.kron(np.eye(SIZE), np.ones(shape)) > 0
        before = np.kron(rank[:, None] > rank, np.ones(shape)) > 0
        weights = np.where(
            same, np.exp(soft(kernel, block.LOG_WEIGHT_BOUND)), before * kernel
        )
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        length = np.exp(soft(raw[f"log_length_{layer}"], block.LOG_LENGTH_BOUND))
        hidden = np.tanh(hidden) if layer else hidden
        hidden = length[:, None] * weights @ hidden + raw[f"bias_{layer}"][:, None]
    share = 1.0 / (1.0 + np.exp(-soft(raw["gate"], block.GATE_BOUND)))[:, None]
    wanted = (1.0 - share) * x + share * hidden
    np.testing.assert_allclose(
        block.forward(x, built.network())[0], wanted, rtol=1e-10, atol=1e-10
    )


def test_jacobian_keeps_the_order_and_its_diagonal_is_the_log_slopes():
    x, built = columns(8), network(seed=0).network()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, log_slope = block.forward(x, built)
        rows = tf.unstack(y)
    jacobian = np.stack([tape.gradient(row, x) for row in rows])
    np.testing.assert_allclose(
        np.log(np.einsum("iin->in", jacobian)), log_slope, atol=1e-11
    )
    rank = np.array(ORDER)
    depends = np.any(np.abs(jacobian) > 0.0, axis=2)
    np.testing.assert_array_equal(depends, rank[:, None] >= rank)


def test_far_out_each_coordinate_is_a_line_of_itself():
    built = network("float32", seed=0).network()
    for far in (1e6, 1e30, np.inf):
        x = tf.constant(np.diag([far, -far, far]), tf.float32)
        y, log_slope = block.forward(x, built)
        slope = np.exp(np.diag(log_slope))
        wanted = [far, -far, far] if far == np.inf else np.diag(x) * slope
        np.testing.assert_allclose(np.diag(y), wanted, rtol=1e-5)
        assert np.all(np.isfinite(log_slope))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)]
)
def test_inverse_holds_far_out(dtype, tolerance):
    x, built = columns(dtype=dtype), network(dtype, seed=0).network()
    y, log_slope = block.forward(x, built)
    back, log_det = block.inverse(y, built, ORDER)
    again, _ = block.forward(back, built)
    scale = np.maximum(1.0, np.abs(y))
    assert np.max(np.abs(again - y) / scale) <= 8 * np.finfo(dtype).eps
    assert np.max(np.abs(back - x) / np.maximum(1.0, np.abs(x))) <= tolerance
    np.testing.assert_allclose(log_det, -log_slope, atol=10 * tolerance)


def test_network_is_a_conditioner_of_values_and_its_condition_has_an_effect():
    built = network(seed=0, condition_shape=2)
    x, condition = 0.02 * tf.transpose(columns(4)), tf.ones([4, 2], tf.float64)
    values = built(x, condition)
    assert values.shape == (4, SIZE, 1)
    wanted = block.forward(tf.transpose(x), built.network(tf.transpose(condition)))[0]
    np.testing.assert_allclose(values[..., 0], tf.transpose(wanted))
    assert np.all(np.abs(values - built(x, 2.0 * condition)) > 0.0)
