"""Derivatives of flows beyond the plain gradient: second ones, forward mode, XLA."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf

from tests.flows.cases import CASES
from tfp_flows import flows

X = tf.constant([[0.3, -1.2], [2.0, 0.7]])


def build(name, **options):
    flow = flows.build(name, 2, seed=0, **options)
    for index, variable in enumerate(flow.trainable_variables):
        noise = tf.random.stateless_normal(variable.shape, [1, index])
        variable.assign_add(0.1 * noise)
    return flow


def score(function, x, **options):
    with tf.GradientTape(**options) as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def hessian(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        slope = score(function, x)
    return tape.gradient(slope, x)


@pytest.mark.slow
def test_hessian_and_persistent_tape_of_a_default_flow_take_seconds():
    flow = build("maf")
    start = time.process_time()
    found = hessian(flow.log_prob, X)
    again = score(flow.log_prob, X, persistent=True)
    assert time.process_time() - start < 10.0  # minutes through a compiled function
    expected = hessian(flow.distribution().log_prob, X)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(again, score(flow.log_prob, X), rtol=1e-4, atol=1e-4)


def test_first_gradients_are_those_of_the_compiled_function(monkeypatch):
    flow = build("realnvp", num_layers=2, hidden_units=(8,))
    flow.log_prob(X)

    def call(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(flow, "call", call)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.log_prob(X))
    gradients = tape.gradient(loss, [v.value for v in flow.trainable_variables])
    assert all(gradient is not None for gradient in gradients)
    with pytest.raises(AssertionError):
        hessian(flow.log_prob, X)


def test_gradient_by_weights_of_a_score():
    flow = CASES["maf"].flow("float64")
    x, condition = map(tf.constant, CASES["maf"].data(flow, 2))
    weight = flow.trainable_variables[0].value

    def norm():
        slope = score(lambda x: flow.log_prob(x, condition), x)
        return tf.reduce_sum(slope**2)

    with tf.GradientTape() as tape:
        loss = norm()
    found = tape.gradient(loss, weight)
    direction = tf.random.stateless_normal(weight.shape, [0, 1], dtype=weight.dtype)
    before, ends = tf.identity(weight), []
    for step in (1e-5, -1e-5):
        weight.assign(before + step * direction)
        ends.append(norm())
    weight.assign(before)
    expected = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(tf.reduce_sum(found * direction), expected, rtol=1e-6)


def test_second_derivative_of_drawn_samples():
    flow = build("iaf", num_layers=1, hidden_units=(8,))
    weight = flow.trainable_variables[1].value
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            total = tf.reduce_sum(flow.sample(4, seed=1) ** 2)
        slope = inner.gradient(total, weight)
    assert outer.gradient(slope, weight) is not None


@pytest.mark.slow
def test_forward_over_reverse_equals_reverse_over_reverse():
    flow = build("iaf", num_layers=1, hidden_units=(8,))
    with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as accumulator:
        slope = score(flow.log_prob, X)
    with tf.GradientTape() as tape:
        tape.watch(X)
        total = tf.reduce_sum(score(flow.log_prob, X))
    expected = tape.gradient(total, X)
    np.testing.assert_allclose(accumulator.jvp(slope), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_forward_mode_that_tensorflow_cannot_do_is_an_error():
    flow = build("iaf", num_layers=1, hidden_units=(8,))
    function = tf.function(flow.distribution().log_prob, autograph=False)
    with (
        tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)),
        pytest.raises(NotImplementedError, match="traced function of this map"),
    ):
        function(X)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cnf", {"hidden_units": (4,), "num_steps": 2}),
        ("residual", {"hidden_units": (4,), "num_layers": 1, "exact": False}),
    ],
)
def test_tapes_outside_of_a_function_of_ones_own_under_xla(name, options):
    """Loops keep nothing that would have to leave the function."""
    flow = build(name, **options)
    weights = [variable.value for variable in flow.trainable_variables]

    def whole(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = flow.log_prob(x)
        return value, *tape.gradient(value, [x, *weights])

    inside = tf.function(whole, jit_compile=True, autograph=False)
    expected, *wanted = inside(X)
    density = tf.function(flow.log_prob, jit_compile=True, autograph=False)
    with tf.GradientTape() as tape:
        tape.watch(X)
        value = density(X)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for found, want in zip(tape.gradient(value, [X, *weights]), wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["maf", pytest.param("iaf", marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", ["sample", "log_prob"])
def test_the_first_call_may_be_inside_of_an_accumulator(name, method):
    """What is traced then is no part of the derivative."""
    flow = CASES[name].fresh()
    weight = flow.trainable_variables[0].value
    data = CASES[name].data(flow, 3)
    call = {
        "sample": lambda: flow.sample(2, *data[1:], seed=1),
        "log_prob": lambda: flow.log_prob(*data),
    }[method]

    def tangent():
        direction = tf.ones_like(weight)
        with tf.autodiff.ForwardAccumulator(weight, direction) as accumulator:
            value = call()
        return accumulator.jvp(value)

    first = tangent()
    np.testing.assert_array_equal(first, tangent())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(call())
    wanted = tf.reduce_sum(tape.gradient(total, weight))
    np.testing.assert_allclose(tf.reduce_sum(first), wanted, rtol=1e-4)
