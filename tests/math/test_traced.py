"""Functions of arrays as graphs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math.traced import traced


def test_one_trace_serves_all_sizes():
    traces = []

    def sums(x, y):
        traces.append(x.shape)
        return tf.reduce_sum(x) + tf.reduce_sum(y), tf.shape(x)

    for rows in (1, 3, 5):
        total, shape = traced(sums, (None, 2), None)(np.ones([rows, 2]), np.ones(rows))
        assert float(total) == 3.0 * rows
        assert shape.numpy().tolist() == [rows, 2]
    assert [trace.as_list() for trace in traces] == [[None, 2]]
    assert traced(sums, (None, 2), None) is traced(sums, (None, 2), None)
    assert traced(sums, None, None) is not traced(sums, (None, 2), None)


def test_arrays_become_tensors_of_float64_of_the_shape_given():
    apply = traced(tf.square, (None, 2))
    assert apply(np.ones([4, 2])).dtype == tf.float64
    with pytest.raises((TypeError, ValueError)):
        apply(np.ones([4, 3]))
