"""Forward mode over draws is right, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.flows import small
from tfp_flows.distributions import pathwise


@pytest.fixture(scope="module")
def flow():
    return small.build("linear", 2, base="student-t", dtype="float64")


def tangent(variable, draw):
    direction = tf.ones_like(variable)
    with tf.autodiff.ForwardAccumulator(variable, direction) as accumulator:
        value = draw()
    return accumulator.jvp(value)


@pytest.mark.parametrize("way", ["flow", "xla", "density", "with log_prob"])
def test_tangents_of_degrees_of_freedom_are_refused_and_those_of_scales_right(
    flow, way
):
    draw = {
        "flow": lambda: flow.sample(3, seed=1),
        "xla": lambda: flow.sample(3, seed=1, jit_compile=True),
        "density": lambda: flow.distribution().sample(3, seed=[1, 2]),
        "with log_prob": lambda: flow.distribution().experimental_sample_and_log_prob(
            3, seed=[1, 2]
        )[0],
    }[way]
    scale, df = flow.base.trainable_variables
    with pytest.raises(
        NotImplementedError, match=r"`StudentT` depend on its `df`\. Take"
    ):
        tangent(df, draw)
    found, step = tangent(scale, draw), 1e-5
    values = []
    for sign in (1.0, -2.0, 1.0):
        scale.assign_add(sign * step * tf.ones_like(scale))
        values.append(draw())
    wanted = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_shapes_within_other_distributions_are_found():
    shape = tf.Variable(2.0)
    held = tfd.Sample(tfd.Independent(tfd.Gamma([shape, shape], 1.0), 1), 2)
    pathwise.require_right_tangents(held)
    with tf.GradientTape():
        pathwise.require_right_tangents(held)

    def ask():
        density = tfd.Sample(tfd.Independent(tfd.Gamma([shape, 1.0], 1.0), 1), 2)
        pathwise.require_right_tangents(density)
        return shape

    with pytest.raises(NotImplementedError, match="`Gamma` depend on its `concentr"):
        tangent(shape, ask)
