"""Attention over earlier tokens, against loops in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import attention

COUNT, TOKENS, HEADS, WIDTH = 2, 5, 3, 4


def heads(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(COUNT, TOKENS, HEADS, WIDTH))


def by_loops(queries, keys, values):
    found = np.zeros_like(queries)
    for n, i, h in np.ndindex(COUNT, TOKENS, HEADS):
        logits = keys[n, : i + 1, h] @ queries[n, i, h] / np.sqrt(WIDTH)
        weights = np.exp(logits - logits.max())
        found[n, i, h] = weights @ values[n, : i + 1, h] / weights.sum()
    return found


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_tokens_see_what_comes_before_and_themselves(scale):
    given = heads(0, scale), heads(1, scale), heads(2)
    wanted = by_loops(*given)
    np.testing.assert_allclose(attention.causal(*map(tf.constant, given)), wanted)


def test_one_query_finds_what_it_finds_among_all():
    queries, keys, values = heads(0), heads(1), heads(2)
    wanted = by_loops(queries, keys, values)
    kept = [tf.constant(part.swapaxes(0, 1)) for part in (keys, values)]
    for i in range(TOKENS):
        found = attention.of_one(tf.constant(queries[:, i]), *kept, tf.constant(i))
        np.testing.assert_allclose(found, wanted[:, i])


def test_normalised_vectors_have_mean_zero_and_deviation_one():
    x = tf.constant(heads(3, 50.0) + 7.0)
    found = attention.normalised(x, tf.ones([WIDTH], x.dtype)).numpy()
    np.testing.assert_allclose(found.mean(axis=-1), 0.0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=-1), 1.0, rtol=1e-5)
    doubled = attention.normalised(x, 2.0 * tf.ones([WIDTH], x.dtype))
    np.testing.assert_allclose(doubled, 2.0 * found)


def test_half_precision_has_weights_of_single_precision():
    given = [tf.constant(heads(i, 60.0), tf.float16) for i in range(2)]
    given.append(tf.constant(heads(2), tf.float16))
    wanted = by_loops(*(part.numpy().astype("float64") for part in given))
    found = attention.causal(*given)
    assert found.dtype == tf.float16
    assert np.all(np.isfinite(found))
    clear = np.abs(found - wanted) < 0.02
    assert clear.mean() > 0.9  # but where logits, of a thousand, are rounded to ties
