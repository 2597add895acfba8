"""Feature maps as conditions of convolutional networks and image flows."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import flows, networks


def net(shape, factor=1, **options):
    out = networks.ConvNet(
        2, (1, 2), (6, 6), condition_shape=shape, condition_factor=factor, seed=0,
        **options,
    )  # fmt: skip
    for i, v in enumerate(out.weights):
        noise = tf.random.stateless_normal(v.shape, [0, i], dtype=v.dtype)
        v.assign_add(0.3 * noise)
    return out


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("side", "factor"), [(8, 1), (16, 2), (4, 1)])
def test_maps_act_where_they_are(side, factor, residual):
    model = net((side, side, 3), factor, residual=residual)
    rng = np.random.default_rng(0)
    x = np.zeros([1, 8, 8, 2], "float32")
    condition = rng.normal(size=[1, side, side, 3]).astype("float32")
    changed = condition.copy()
    changed[:, -1, -1] += 1.0
    difference = np.abs(model(x, condition) - model(x, changed)).max(axis=(0, 3, 4))
    assert difference[-1, -1] > 1e-4
    # Two or three convolutions of 3 x 3 carry a change over as many pixels at most.
    assert difference[0, 0] == 0.0


def test_a_constant_map_is_a_vector_at_every_pixel():
    model, vector = net((4, 4, 3)), net(3)
    for ours, other in zip(vector.weights, model.weights, strict=True):
        ours.assign(other)
    c = np.random.default_rng(1).normal(size=[5, 3]).astype("float32")
    x = np.ones([5, 4, 4, 2], "float32")
    everywhere = np.broadcast_to(c[:, None, None], [5, 4, 4, 3])
    np.testing.assert_allclose(model(x, everywhere), vector(x, c), atol=1e-6)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"`condition` of 3 x 3 pixels does not fit"):
        net((3, 3, 1))(np.zeros([1, 4, 4, 2]), np.zeros([1, 3, 3, 1]))
    with pytest.raises(
        ValueError, match=r"`condition_shape` \(6, 6, 1\) must be a map"
    ):
        flows.build("glow", (8, 8, 1), (6, 6, 1), num_steps=1, hidden_units=(4,))


@pytest.mark.slow
def test_flows_fit_images_given_smaller_ones(tmp_path):
    # Four times as many pixels, as in super-resolution: each is its block's, and noise.
    rng = np.random.default_rng(0)
    c = rng.uniform(20, 220, size=(192, 2, 2, 1)).astype("float32")
    x = np.repeat(np.repeat(c, 2, axis=1), 2, axis=2)
    x = (x + rng.normal(size=x.shape)).astype("uint8")
    options = {"num_levels": 1, "num_steps": 1, "hidden_units": (16, 16), "seed": 0}
    flow, _ = tfpf.fit(
        flows.build("realnvp-image", (4, 4, 1), (2, 2, 1), **options),
        x, c, epochs=30, learning_rate=5e-3, seed=0, verbose=0,
    )  # fmt: skip
    bits = flow.bits_per_dim(x, c).mean()
    assert bits < flow.bits_per_dim(x, c[::-1]).mean() - 1.0
    flow.save(tmp_path / "flow.keras")
    loaded = tfpf.load(tmp_path / "flow.keras")
    np.testing.assert_allclose(loaded.bits_per_dim(x, c).mean(), bits, rtol=1e-6)
    assert loaded.sample(3, c[:2], seed=1).shape == (3, 2, 4, 4, 1)


@pytest.mark.slow
def test_an_embedding_may_return_feature_maps():
    embedding = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, 2, padding="same")]
    )
    flow = flows.build(
        "glow", (4, 4, 1), (8, 8, 1), embedding=embedding, num_steps=1,
        hidden_units=(4,), dequantize="variational", seed=0,
    )  # fmt: skip
    flow = small.perturbed(flow, 0.1)
    x, c = np.full([2, 4, 4, 1], 7), np.random.default_rng(0).random([2, 8, 8, 1])
    assert np.isfinite(flow.bits_per_dim(x, c.astype("float32"))).all()
    with pytest.raises(ValueError, match="must return one vector per condition"):
        flows.build("realnvp", 2, (8, 8, 1), embedding=embedding)
