"""Noise of pixels that is learned: its density, the bound, training, files."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import flows

SHAPE = (2, 2, 1)
TINY = {"num_steps": 1, "hidden_units": (4,), "seed": 0, "dequantize": "variational"}


def pictures(count=64, shape=SHAPE):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 250, size=(count, 1, 1, 1)) + rng.uniform(0, 5, (count, *shape))
    return x.astype("uint8")


def build(condition_shape=None, noise=0.0, **options):
    flow = flows.build("glow", SHAPE, condition_shape, **{**TINY, **options})
    flow.adapt(
        pictures(), None if condition_shape is None else np.ones([64, condition_shape])
    )
    return small.perturbed(flow, noise) if noise else flow


def test_noise_is_uniform_before_training():
    flow, x = build(), pictures()
    noisy, log_q = flow.dequantize_and_log_prob(x, 3)
    assert np.all(log_q == 0.0)
    u = np.sort(np.ravel(noisy - x))
    assert np.max(np.abs(u - (np.arange(u.size) + 0.5) / u.size)) < 1.63 / u.size**0.5
    assert flow.bits_per_dim(x).shape == (64,)


def test_density_of_the_noise_equals_autodiff_and_integrates_to_one():
    flow = build(dtype="float64")
    for v in flow._noise.trainable_variables:
        v.assign_add(0.1 * tf.random.stateless_normal(v.shape, [1, 2], dtype=v.dtype))
    x = tf.constant(pictures(1), tf.float64)
    start = tf.random.stateless_normal([1, *SHAPE], [3, 4], dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(start)
        u, log_q = flow._noise.noise_and_log_prob(x, start)
    rows = tf.reshape(tape.jacobian(u, start), [4, 4])
    expected = -0.5 * tf.reduce_sum(start**2 + np.log(2 * np.pi))
    expected -= tf.math.log(tf.abs(tf.linalg.det(rows)))
    assert np.abs(log_q) > 0.01
    np.testing.assert_allclose(log_q[0], expected, rtol=1e-10)
    # The mean of 1 / q is the volume of the cube.
    many = tf.repeat(x, 20_000, axis=0)
    volume = np.exp(-flow.dequantize_and_log_prob(many, 5)[1])
    assert abs(volume.mean() - 1.0) < 4 * volume.std() / len(volume) ** 0.5


def test_bound_counts_the_density_of_the_noise():
    flow, x = build(noise=0.2), pictures(3)
    noisy, log_q = flow.dequantize_and_log_prob(x, [1, 2])
    given = tf.random.stateless_normal(x.shape, [1, 2])
    bound = flow({"x": x, "base_noise": given})
    np.testing.assert_allclose(bound, flow.log_prob(noisy) - log_q, rtol=1e-5)
    # The mean density over several draws is a tighter bound.
    x = pictures()
    one = np.mean([flow.bits_per_dim(x, seed=s).mean() for s in range(8)])
    assert flow.bits_per_dim(x, num_samples=8).mean() < one


def test_conditional_noise_needs_the_condition():
    flow, x = build(2, noise=0.2), pictures(6)
    with pytest.raises(ValueError, match="condition"):
        flow.dequantize(x)
    labels = np.eye(2, dtype="float32")[[0, 1] * 3]
    both = flow.dequantize(np.stack([x, x]), 1, condition=np.stack([labels, labels]))
    assert both.shape == (2, 6, *SHAPE)
    assert np.all((both >= x) & (both <= x + 1.0))
    other = flow.dequantize(x, 1, condition=labels[::-1])
    assert np.abs(other - flow.dequantize(x, 1, condition=labels)).max() > 1e-4
    assert np.isfinite(flow.bits_per_dim(x, labels)).all()


@pytest.mark.slow
def test_fit_trains_the_noise_and_files_keep_it(tmp_path):
    x = pictures(128)
    flow, history = tfpf.fit(
        flows.build("glow", SHAPE, **TINY), x, epochs=4, seed=0, verbose=0
    )
    assert np.isfinite(history.history["val_bits_per_dim"]).all()
    moved = [np.abs(v).max() for v in flow._noise.trainable_variables]
    assert min(moved) > 0.0
    assert np.abs(flow.dequantize_and_log_prob(x, 1)[1]).max() > 1e-4
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    np.testing.assert_array_equal(loaded.bits_per_dim(x), flow.bits_per_dim(x))


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match=r"`dequantize` must be one of 'uniform'"):
        build(dequantize="learned")
