"""The bin of a position, straight from logits, against tables of all knots."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math.splines import rational_quadratic, search

BOUNDS = search.Bounds(-2.0, 3.0, 1e-3, 4.5, 6.9)


def logits(bins, size, dtype="float64"):
    rng = np.random.default_rng(bins)
    shapes = (bins, size), (bins, size), (bins + 1, size)
    return [tf.constant(rng.normal(0.0, 2.0, shape), dtype) for shape in shapes]


def by_tables(value, widths, heights, slopes, *, inverse):
    """Return the numbers of the bins from all knots."""
    ends = tf.constant(BOUNDS.low, value.dtype), tf.constant(BOUNDS.high, value.dtype)
    x_knots, y_knots = (
        rational_quadratic.knots(
            rational_quadratic.bin_sizes(part, BOUNDS.minimum, BOUNDS.bins), *ends
        )
        for part in (widths, heights)
    )
    knot_slopes = rational_quadratic.slopes(slopes, BOUNDS.slopes)
    searched = y_knots if inverse else x_knots
    index = tf.reduce_sum(tf.cast(value >= searched[1:-1], tf.int32), axis=0)

    def at(table, index):
        return tf.gather(tf.transpose(table), index, batch_dims=1)

    return [
        at(table, index + step)
        for table in (x_knots, y_knots, knot_slopes)
        for step in (0, 1)
    ]


# One level, a prime number of bins, and two levels.
@pytest.mark.parametrize("bins", [1, 2, 7, 16, 17, 24])
@pytest.mark.parametrize("inverse", [False, True])
def test_bins_and_gradients_are_those_of_tables(bins, inverse):
    value = tf.constant(np.linspace(-2.5, 3.5, 31))
    given = logits(bins, 31)
    weights = np.random.default_rng(0).normal(size=[6, 31])
    results = []
    for find in (
        lambda *logits: search.pick_bin(value, *logits, BOUNDS, inverse=inverse),
        lambda *logits: by_tables(value, *logits, inverse=inverse),
    ):
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = tf.stack(list(find(*given)))
            total = tf.reduce_sum(weights * found)
        results.append((found, *tape.gradient(total, given)))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends_are_exact_and_outside_has_the_end_bins(dtype):
    value = tf.constant([-9.0, -2.0, 3.0, 9.0], dtype)
    found = search.pick_bin(value, *logits(20, 4, dtype), BOUNDS, inverse=False)
    assert found.x0.dtype == dtype
    np.testing.assert_array_equal(found.x0[:2], [-2.0, -2.0])
    np.testing.assert_array_equal(found.y0[:2], [-2.0, -2.0])
    np.testing.assert_array_equal(found.x1[2:], [3.0, 3.0])
    np.testing.assert_array_equal(found.y1[2:], [3.0, 3.0])


def test_equal_bins_have_knots_at_equal_distances():
    zeros = [tf.zeros([size, 10], tf.float64) for size in (5, 5, 6)]
    value = tf.constant(np.linspace(-2.0, 2.9, 10))
    found = search.pick_bin(value, *zeros, BOUNDS, inverse=False)
    np.testing.assert_allclose(found.x0, np.floor(value), atol=1e-12)
    np.testing.assert_allclose(found.x1, np.floor(value) + 1.0, atol=1e-12)
    np.testing.assert_allclose([found.slope0, found.slope1], 1.0)
    index = np.arange(6)
    np.testing.assert_allclose(BOUNDS.equal_knot(index, 5), np.arange(-2.0, 4.0))
