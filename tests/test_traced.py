"""Functions that several objects have traced, and how they are called."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tests.flows import small
from tfp_flows import _graphs


def test_functions_are_traced_once_for_each_shape():
    shapes = []

    def doubled(x):
        shapes.append(x.shape)
        return 2.0 * x

    function = _graphs.for_each_shape(doubled)
    for size in (2, 3, 2, 3):
        assert function(tf.ones([size])).numpy().tolist() == [2.0] * size
    assert shapes == [[2], [3]]
    everywhere = _graphs.for_each_shape(
        doubled, input_signature=[tf.TensorSpec([None])]
    )
    for size in (2, 3):
        assert everywhere(tf.ones([size])).shape == [size]
    assert len(shapes) == 3


def test_calls_one_after_the_other_are_no_retracing(caplog, monkeypatch):
    caplog.set_level(logging.WARNING, logger="tensorflow")
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    for seed in range(7):
        tfpf.inference.importance_sample(
            tfd.Normal(0.0, 1.0), tfd.Normal(0.0, 1.5), 50, seed=seed
        )
    assert "retracing" not in caplog.text


def answers(flow, *, jit_compile=False):
    """Return what a flow says of three events, and draws."""
    x = small.batch(3)[0]
    return (
        flow.log_prob(x, jit_compile=jit_compile),
        flow.sample(3, seed=1, jit_compile=jit_compile),
    )


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
def test_calls_have_the_bits_of_tensorflows_own(jit_compile, recorded, monkeypatch):
    flow = small.perturbed(small.build("linear", 2, None))
    flow.adapt(3.0 + 2.0 * small.batch(50)[0])
    if recorded:
        with tf.GradientTape() as tape:
            total = sum(map(tf.reduce_sum, answers(flow, jit_compile=jit_compile)))
        tape.gradient(total, [v.value for v in flow.trainable_variables])
    found = answers(flow, jit_compile=jit_compile)
    monkeypatch.setattr(_graphs, "called", lambda function, *given: function(*given))
    for one, other in zip(found, answers(flow, jit_compile=jit_compile), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_nothing_records_is_called_at_once(monkeypatch):
    flow = small.build("linear", 2, None)
    x = tf.ones([3, 2])
    flow.log_prob(x)

    def refused(*_):
        msg = "arguments were matched with names"
        raise AssertionError(msg)

    kind = type(flow._compiled._function("log_prob", jit_compile=False))
    monkeypatch.setattr(kind, "__call__", refused)
    flow.log_prob(x)
    with tf.GradientTape(), pytest.raises(AssertionError, match="matched"):
        flow.log_prob(x)
    with pytest.raises(AssertionError, match="matched"):
        tf.function(flow.log_prob)(x)


def test_releases_without_that_way_call_as_ever(monkeypatch):
    flow = small.build("linear", 2, None)
    found = answers(flow)
    kind = type(flow._compiled._function("log_prob", jit_compile=False))
    monkeypatch.delattr(kind, "inference_fn")
    for one, other in zip(found, answers(flow), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [tf.Variable, keras.Variable])
def test_variables_are_events(make):
    flow = small.build("linear", 2, None)
    x = np.ones([3, 2], np.float32)
    np.testing.assert_array_equal(flow.log_prob(make(x)), flow.log_prob(x))
    variable = make(x)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(flow.log_prob(variable))
    watched = variable if isinstance(variable, tf.Variable) else variable.value
    assert tape.gradient(total, watched) is not None
