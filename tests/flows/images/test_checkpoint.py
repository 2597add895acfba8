"""Flows of images whose gradient keeps the inputs of steps only."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.flows import small
from tfp_flows import _context, flows

SHAPE = (4, 4, 2)
OPTIONS = {
    "glow": {"hidden_units": (4,)},
    "nsf-image": {"hidden_units": (4, 4), "num_bins": 3},
    "realnvp-image": {"hidden_units": (4, 4)},
}


def build(name="glow", *, num_steps=2, **options):
    """Return a small flow of two levels, off its start."""
    options = {"num_levels": 2, "seed": 0, **OPTIONS[name], **options}
    flow = flows.build(name, SHAPE, 2, num_steps=num_steps, **options)
    return small.perturbed(flow, 0.1)


def data(count=6):
    """Return pixels in [0, 256) and labels."""
    x = np.random.default_rng(0).uniform(1.0, 255.0, size=(count, *SHAPE))
    return x, np.eye(2)[np.arange(count) % 2]


def loss_and_gradients(flow, *, traced=True):
    """Return the density of some pixels while training, and its gradients."""
    x, labels = (tf.constant(v, flow.variable_dtype) for v in data())
    variables = flow.bijector().trainable_variables

    def function():
        with tf.GradientTape() as tape:
            found = flow.call({"x": x, "condition": labels}, training=True)
            loss = tf.reduce_sum(found)
        return found, tape.gradient(loss, variables)

    return (tf.function(function, autograph=False) if traced else function)()


def assert_equal(one, other):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OPTIONS))
def test_a_checkpoint_changes_neither_densities_nor_gradients(name):
    # With dropout: the masks of the second run have to be those of the first.
    options = {"dtype": "float64", "dropout": 0.3, "num_levels": 1 + (name == "glow")}
    plain = loss_and_gradients(build(name, **options))
    assert_equal(plain, loss_and_gradients(build(name, checkpoint=True, **options)))


def test_a_checkpoint_in_eager_mode():
    options = {"dtype": "float64", "dropout": 0.3, "num_levels": 1}
    plain = loss_and_gradients(build(**options), traced=False)
    looped = loss_and_gradients(build(checkpoint=True, **options), traced=False)
    assert_equal(plain, looped)


def test_dropout_of_a_checkpoint_differs_between_steps():
    flow, (x, labels) = build(num_levels=1, checkpoint=True, dropout=0.5), data()
    inputs = {"x": tf.constant(x, "float32"), "condition": labels}
    density = tf.function(lambda: flow.call(inputs, training=True), autograph=False)
    assert not np.allclose(density(), density())


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["density", "samples", "training"])
def test_the_steps_of_a_level_are_traced_once(direction):
    def convolutions(num_steps):
        checkpoint = direction == "training"
        flow = build(num_levels=1, num_steps=num_steps, checkpoint=checkpoint)
        x, labels = (tf.constant(v, "float32") for v in data())
        map_ = flow.bijector()
        way = map_.forward if direction == "samples" else map_.inverse

        def function():
            with _context.values_scope():
                return way(x, condition=labels)

        graph = tf.function(function, autograph=False).get_concrete_function().graph
        nodes = [op.type for op in graph.get_operations()]
        for function in graph.as_graph_def().library.function:
            nodes += [node.op for node in function.node_def]
        return nodes.count("Conv2D")

    assert convolutions(2) == convolutions(4) > 0


@pytest.mark.slow
def test_a_saved_flow_keeps_its_checkpoint(tmp_path):
    flow, (x, labels) = build(checkpoint=True), data(8)
    flow.compile("adam")
    inputs = {"x": x.astype("uint8"), "condition": labels}
    history = flow.fit(inputs, epochs=2, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    flow.save(tmp_path / "flow.keras")
    twin = keras.saving.load_model(tmp_path / "flow.keras")
    assert twin.get_config()["checkpoint"] is True
    levels = twin.bijector().bijector.bijectors[-1].levels
    assert all(level.checkpoint for level in levels)
    found = twin.log_prob(x.astype("float32"), labels)
    np.testing.assert_array_equal(found, flow.log_prob(x.astype("float32"), labels))
