"""Rows of tables, read and written with derivatives of every kind."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.math import indexing

TABLE = np.arange(12.0).reshape(4, 3) / 5.0


def test_rows_are_taken_with_gradients_that_are_tensors():
    table, places = tf.constant(TABLE), [3, 0, 3]
    with tf.GradientTape() as outer:
        outer.watch(table)
        with tf.GradientTape() as inner:
            inner.watch(table)
            rows = indexing.take(table, places)
            total = tf.reduce_sum(rows**3)
        slope = inner.gradient(total, table)
        curved = tf.reduce_sum(slope**2)
    np.testing.assert_array_equal(rows, TABLE[places])
    assert isinstance(slope, tf.Tensor)
    times = np.array([1.0, 0.0, 0.0, 2.0])[:, np.newaxis]
    np.testing.assert_allclose(slope, 3.0 * times * TABLE**2)
    # The gradient of (3 n t^2)^2 is 36 n^2 t^3.
    second = outer.gradient(curved, table)
    np.testing.assert_allclose(second, 36.0 * times**2 * TABLE**3)


def test_a_row_is_put_the_same_way_with_and_without_a_tape():
    wanted = TABLE.copy()
    wanted[2] = [7.0, 8.0, 9.0]
    table, row, place = tf.constant(TABLE), tf.constant([7.0, 8.0, 9.0]), tf.constant(2)
    plain = indexing.put(table, place, row)
    graph = tf.function(indexing.put)(table, place, row)
    with tf.GradientTape() as tape:
        tape.watch([table, row])
        taped = indexing.put(table, place, row)
        total = tf.reduce_sum(taped**2)
    for found in (plain, graph, taped):
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == tf.float64
        assert found.shape == [4, 3]
    by_table, by_row = tape.gradient(total, [table, row])
    kept = np.array([1.0, 1.0, 0.0, 1.0])[:, np.newaxis]
    np.testing.assert_allclose(by_table, 2.0 * kept * TABLE)
    np.testing.assert_allclose(by_row, [14.0, 16.0, 18.0])


def test_forward_mode_passes_the_row_that_was_put():
    table, row = tf.constant(TABLE[:, 0]), tf.constant(5.0, tf.float64)
    with tf.autodiff.ForwardAccumulator(row, tf.constant(2.0, tf.float64)) as forwards:
        changed = indexing.put(table, tf.constant(1), row)
    np.testing.assert_array_equal(forwards.jvp(changed), [0.0, 2.0, 0.0, 0.0])
