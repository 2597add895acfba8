"""Linear maps with cheap determinants, against dense algebra."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math.linear import products

RNG = np.random.default_rng(0)


def numbers(*shape):
    return tf.constant(RNG.normal(size=shape))


def test_log_scales_are_bounded_and_start_with_slope_one():
    x = tf.constant([-1e6, -2.0, 0.0, 1e-4, 2.0, 1e6], tf.float64)
    y = products.bounded_log_scale(x, 3.0)
    np.testing.assert_allclose(y, 3.0 * np.tanh(x / 3.0), atol=1e-12)
    back = products.unbounded_log_scale(y, 3.0)
    np.testing.assert_allclose(back[1:-1], x[1:-1], rtol=1e-10)
    # At the bound the inverse would be infinite.
    assert np.all(np.isfinite(back))
    for function in (products.bounded_log_scale, products.unbounded_log_scale):
        assert function(x, None) is x
    assert products.bounded_log_scale(x).numpy().max() == 5.0


def test_log_dets_get_the_batch_of_the_input():
    log_det, x = tf.constant([[1.0], [2.0]]), tf.zeros([4, 1, 3, 5])
    assert products.broadcast_log_det(log_det, x).shape == [4, 2, 3]
    unknown = tf.function(
        lambda x: products.broadcast_log_det(log_det, x),
        input_signature=[tf.TensorSpec([None, None, 3, 5])],
    )
    found = unknown(x)
    assert found.shape == [4, 2, 3]
    np.testing.assert_array_equal(found[0, :, 0], [1.0, 2.0])
    one = tf.function(
        lambda x: products.broadcast_log_det(tf.constant(3.0), x),
        input_signature=[tf.TensorSpec([None, 5])],
    )
    np.testing.assert_array_equal(one(tf.zeros([2, 5])), [3.0, 3.0])


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 1, 2), (2, 1, 0)])
def test_permutations_and_their_gradients(order):
    x, weights = numbers(4, 3), numbers(4, 3)
    inverse = tuple(np.argsort(order).tolist())
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = products.permute(x, order, inverse)
            total = tf.reduce_sum(weights * y**2)
        slope = tape.gradient(total, x)
    np.testing.assert_array_equal(y, x.numpy()[:, order])
    back = weights.numpy()[:, inverse]
    np.testing.assert_allclose(slope, 2.0 * back * x)
    np.testing.assert_allclose(outer.gradient(slope, x), 2.0 * back)


def test_transposes_have_gradients_in_the_old_order():
    x, weights = numbers(2, 3, 4), numbers(4, 2, 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(weights * products.transpose(x, [2, 0, 1]))
    np.testing.assert_array_equal(
        tape.gradient(total, x), np.transpose(weights, [1, 2, 0])
    )
    np.testing.assert_array_equal(products.transpose(x), x.numpy().T)


# Batches of matrices, and of events: leading dimensions broadcast.
SHAPES = [((), ()), ((), (5,)), ((), (2, 5)), ((4,), ()), ((4,), (5, 4)), ((4,), (1,))]


@pytest.mark.parametrize(("batch", "leading"), SHAPES)
def test_matrices_multiply_events_of_any_leading_shape(batch, leading):
    matrix = numbers(*batch, 2, 3)
    for transposed, size in ((False, 3), (True, 2)):
        x = numbers(*leading, size)
        found = products.matvec(matrix, x, transpose=transposed)
        formula = "...ed,...e->...d" if transposed else "...ed,...d->...e"
        wanted = np.einsum(formula, matrix, x)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        assert found.shape == wanted.shape


def test_events_of_unknown_rank_are_multiplied():
    matrix, x = numbers(4, 2, 3), numbers(5, 4, 3)
    multiply = tf.function(
        functools.partial(products.matvec, matrix),
        input_signature=[tf.TensorSpec(None, tf.float64)],
    )
    np.testing.assert_allclose(multiply(x), products.matvec(matrix, x))
    np.testing.assert_allclose(multiply(x[0, 0]), products.matvec(matrix, x[0, 0]))


@pytest.mark.parametrize(("batch", "leading"), SHAPES)
def test_triangles_are_built_and_solved(batch, leading):
    full, diagonal = numbers(*batch, 3, 3), 1.0 + numbers(*batch, 3) ** 2
    x, eye = numbers(*leading, 3), np.eye(3)
    for lower, build, part in (
        (True, products.lower_triangle, np.tril),
        (False, products.upper_triangle, np.triu),
    ):
        matrix = build(full, diagonal)
        wanted = part(full, -1 if lower else 1) + eye * diagonal[..., tf.newaxis]
        np.testing.assert_allclose(matrix, wanted)
        y = products.matvec(matrix, x)
        back = products.solve_triangular(matrix, y, lower=lower)
        np.testing.assert_allclose(back, tf.broadcast_to(x, back.shape), atol=1e-9)


def dense_reflections(vectors):
    out = np.eye(vectors.shape[1])
    for v in np.asarray(vectors):
        if np.any(v):
            out = out @ (np.eye(len(v)) - 2.0 * np.outer(v, v) / (v @ v))
    return out


@pytest.mark.parametrize("count", [1, 2, 5])
def test_reflections_at_once_are_those_one_after_the_other(count):
    vectors, x = numbers(count, 4), numbers(6, 4)
    matrix = dense_reflections(vectors)
    np.testing.assert_allclose(products.reflect(vectors, x), x @ matrix.T, atol=1e-12)
    back = products.reflect(vectors, x, inverse=True)
    np.testing.assert_allclose(back, x @ matrix, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-25, 1e-10, 1e18])
def test_reflections_do_not_depend_on_the_length_of_their_vectors(size):
    vectors = tf.constant([[1.0, -2.0, 0.5], [0.3, 0.0, 1.0]])
    scaled = vectors * tf.constant([[size], [1.0]])
    x = tf.constant([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        tape.watch(scaled)
        y = products.reflect(scaled, x)
    # The first one is left out where its squares would be zero.
    kept = vectors.numpy() * [[size > 1e-19], [1.0]]
    np.testing.assert_allclose(y, x @ dense_reflections(kept).T, rtol=2e-6)
    assert np.all(np.isfinite(tape.gradient(y, scaled)))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_cayley_gives_the_rotation_of_a_skew_matrix(size):
    skew = numbers(2, size * (size - 1) // 2)
    found = products.cayley(skew, size)
    assert found.shape == [2, size, size]
    eye = np.eye(size)
    for row, matrix in zip(skew.numpy(), found.numpy(), strict=True):
        a = np.zeros([size, size])
        a[np.tril_indices(size, -1)] = row
        a -= a.T
        wanted = np.linalg.solve(eye + a, eye - a)
        np.testing.assert_allclose(matrix, wanted, atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(matrix), 1.0)
    np.testing.assert_array_equal(products.cayley(0.0 * skew, size)[0], eye)


def test_triangles_with_ones_read_nothing_above_the_diagonal():
    strict = numbers(2, 3, 3)
    upper = np.triu(np.full([3, 3], np.nan))
    found = products.unit_lower_triangle(strict + np.nan_to_num(upper, nan=7.0))
    wanted = products.lower_triangle(strict, tf.ones([3], tf.float64))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(
        products.unit_lower_triangle(strict + upper), wanted, err_msg="NaN above"
    )


@pytest.mark.parametrize("batches", [((), ()), ((), (2,)), ((1,), (2,)), ((2,), ())])
def test_both_factors_are_solved_as_one_after_the_other(batches):
    lower = products.unit_lower_triangle(numbers(*batches[0], 3, 3))
    upper = products.upper_triangle(
        numbers(*batches[1], 3, 3), 1.0 + numbers(*batches[1], 3) ** 2
    )
    for batch in ([2, 3], [5, 2, 3]):
        y = numbers(*batch)
        x = products.solve_factors(lower, upper, y)
        between = products.solve_triangular(lower, y, lower=True)
        wanted = products.solve_triangular(upper, between, lower=False)
        np.testing.assert_array_equal(x, wanted)
        back = products.matvec(lower, products.matvec(upper, x))
        np.testing.assert_allclose(back, tf.broadcast_to(y, back.shape), atol=1e-9)


def test_cayley_stays_orthogonal_in_float32_for_large_numbers():
    matrix = products.cayley(tf.constant([30.0, -200.0, 1000.0]), 3)
    np.testing.assert_allclose(matrix @ tf.transpose(matrix), np.eye(3), atol=1e-5)
