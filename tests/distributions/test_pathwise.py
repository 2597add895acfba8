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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        (tfd.Chi, {"df": 3.0}, {}),
        (tfd.Dirichlet, {"concentration": [1.0, 2.0]}, {}),
        (tfd.ExpGamma, {"concentration": 2.0}, {"rate": 3.0}),
        (tfd.InverseGaussian, {"concentration": 2.0}, {}),
        (tfd.Weibull, {}, {"concentration": 2.0, "scale": 1.0}),
    ],
)
def test_what_forward_mode_gets_wrong_is_found_for_each_class(kind, wrong, right):
    others = {"loc": 1.0} if kind is tfd.InverseGaussian else {}
    values = {k: tf.constant(v) for k, v in {**wrong, **right, **others}.items()}
    for name in (*wrong, *right):
        number = values[name]

        def ask(number=number):
            pathwise.require_right_tangents(tfd.Sample(kind(**values), 2))
            return number

        if name in right:
            tangent(number, ask)
            continue
        with pytest.raises(NotImplementedError, match=f"depend on its `{name}`"):
            tangent(number, ask)


def test_forward_mode_over_parameters_of_a_graph_is_judged_by_numbers_like_them():
    @tf.function(autograph=False)
    def jvp(scale, df):
        with tf.autodiff.ForwardAccumulator(scale, tf.ones_like(scale)) as accumulator:
            density = tfd.StudentT(df, tf.zeros([]), scale)
            pathwise.require_right_tangents(density)
            value = density.sample(3, seed=[1, 2])
        return value, accumulator.jvp(value)

    value, found = jvp(tf.constant(2.0), tf.constant(3.0))
    np.testing.assert_allclose(found, value / 2.0, rtol=1e-5)
