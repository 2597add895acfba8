"""Traces of Jacobians: exact, and estimates without bias."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.math import traces


def test_estimates_are_unbiased_over_probes():
    matrix = tf.constant(np.random.default_rng(0).normal(size=(4, 4)))

    def push(directions):
        return tf.einsum("ij,jkn->ikn", matrix, directions)

    x = tf.zeros([4, 1_000], tf.float64)
    trace, square = traces.trace_and_square(push, traces.all_directions(x))
    np.testing.assert_allclose(trace, np.trace(matrix), rtol=1e-12)
    np.testing.assert_allclose(square, np.sum(matrix.numpy() ** 2), rtol=1e-12)
    for count in (1, 3):
        some = traces.random_directions(x, tf.constant([0, 1]), count)
        for exact, found in zip(
            (trace, square), traces.trace_and_square(push, some), strict=True
        ):
            error = np.std(found) / np.sqrt(x.shape[1])
            assert error > 0
            assert abs(np.mean(found) - exact[0]) < 3 * error
