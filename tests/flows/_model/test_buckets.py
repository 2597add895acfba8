"""Batches that are filled up to a power of two for XLA."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import bijectors, flows
from tfp_flows.flows._model import buckets


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3, 9, 16, 17, 30])
def test_batches_are_filled_with_rows_that_are_there(count, known):
    x = np.arange(2.0 * count).reshape(count, 2) + 1.0
    sizes = []

    def function(x, c):
        sizes.append(x.shape[0])
        assert not known or (count == 0) == bool(tf.reduce_any(tf.equal(c, 0.0)))
        return tf.math.log(x) + c

    call = buckets.evaluated
    if not known:
        spec = tf.TensorSpec([None, 2], tf.float64)
        call = tf.function(call, autograph=False).get_concrete_function
        call = call(function, spec, spec)
        found = call(tf.constant(x), tf.constant(x))
    else:
        found = call(function, tf.constant(x), tf.constant(x))
        assert sizes == [32 if count > 16 else 16]
    np.testing.assert_allclose(found, np.log(x) + x)


@pytest.mark.parametrize("count", [3, 9])
def test_gradients_by_what_is_filled_are_tensors(count):
    x = tf.ones([count, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(buckets.evaluated(tf.square, x))
    np.testing.assert_array_equal(tape.gradient(total, x).numpy(), 2.0)


def test_gradients_of_weights_are_numbers_where_zeros_are_no_events():
    layers = [bijectors.ActNorm.trainable(2), tfb.Exp()]
    flow = flows.Flow.from_maps(layers)
    x = np.exp(np.random.default_rng(0).normal(size=(19, 2))).astype(np.float32)
    found = []
    for jit_compile in (False, True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(flow.log_prob(x, jit_compile=jit_compile))
        weights = [v.value for v in flow.trainable_variables]
        found.append(tape.gradient(loss, weights))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
