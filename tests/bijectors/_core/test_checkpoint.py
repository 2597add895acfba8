"""What XLA is to compile is known while it is traced, and evaluated once more there."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import _graphs
from tfp_flows.bijectors import training_scope
from tfp_flows.bijectors._core import checkpoint


@pytest.mark.parametrize("jit_compile", [True, False])
def test_graphs_know_whether_xla_compiles_them(jit_compile):
    found = []

    def note(x):
        found.append(_graphs.is_for_xla())
        return x + 1.0

    def whole(x):
        x = tf.function(note, autograph=False)(note(x))
        return tf.while_loop(lambda x: x < 9.0, lambda x: (note(x),), (x,))[0]

    spec = tf.TensorSpec([], tf.float32)
    traced = tf.function(whole, jit_compile=jit_compile, autograph=False)
    traced.get_concrete_function(spec)
    assert found
    assert set(found) == {jit_compile}
    found.clear()
    note(tf.constant(0.0))
    assert found == [False]


@pytest.mark.parametrize(("training", "runs"), [(False, 2), (True, 1)])
def test_functions_run_once_more_for_gradients_under_xla(training, runs):
    calls = []

    def function(x):
        calls.append(1)
        return (tf.square(x),)

    @tf.function(autograph=False, jit_compile=True)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            with training_scope(training):
                value = checkpoint.across_xla(function, x, [])[0]
        return tape.gradient(value, x)

    np.testing.assert_allclose(gradient(tf.constant(3.0)), 6.0)
    assert len(calls) == runs
