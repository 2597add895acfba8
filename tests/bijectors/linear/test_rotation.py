"""Products of reflections, and rotations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors import HouseholderProduct, Orthogonal


def normal(*shape, seed=0, dtype=tf.float64):
    return tf.random.stateless_normal(shape, [seed, 1], dtype=dtype)


@pytest.mark.parametrize("num_reflections", [1, 2, 7])
def test_householder_product_is_the_product_of_its_reflections(num_reflections):
    vectors = normal(num_reflections, 4, seed=2)
    expected = np.eye(4)
    for v in vectors.numpy():
        expected = expected @ (np.eye(4) - 2 * np.outer(v, v) / (v @ v))
    bijector = HouseholderProduct(vectors)
    found = tf.transpose(bijector.forward(tf.eye(4, dtype=tf.float64)))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    one = tfb.Householder(vectors[0] / tf.norm(vectors[0])).forward(normal(3, 4))
    ours = HouseholderProduct(vectors[:1]).forward(normal(3, 4))
    np.testing.assert_allclose(ours, one, atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-18, 1e-10, 1e30])
def test_householder_is_safe_for_vectors_of_any_length(scale):
    vectors = tf.Variable(scale * normal(2, 3, dtype=tf.float32))
    bijector, x = HouseholderProduct(vectors), normal(4, 3, dtype=tf.float32)
    with tf.GradientTape() as tape:
        y = bijector.forward(x)
        loss = tf.reduce_sum(y * normal(4, 3, seed=5, dtype=tf.float32))
    np.testing.assert_allclose(
        tf.norm(y, axis=-1), tf.norm(x, axis=-1), rtol=1e-5, atol=1e-6
    )
    assert np.all(np.isfinite(tape.gradient(loss, vectors)))
    if scale == 0.0:
        np.testing.assert_array_equal(y, x)


def test_householder_odd_start_is_one_reflection():
    bijector = HouseholderProduct.trainable(4, 3, seed=1, dtype=tf.float64)
    matrix = bijector.forward(tf.eye(4, dtype=tf.float64))
    np.testing.assert_allclose(np.linalg.eigvalsh(matrix), [-1, 1, 1, 1], atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_orthogonal_matrices_are_orthogonal_to_rounding(dtype, scale):
    skew = scale * normal(120, seed=1, dtype=dtype)
    matrix = Orthogonal(skew).matrix()
    gram = tf.matmul(matrix, matrix, transpose_a=True)
    tolerance = 1e-5 if dtype == tf.float32 else 1e-13
    np.testing.assert_allclose(gram, np.eye(16), atol=tolerance)
    assert np.linalg.det(matrix) > 0.99


def test_orthogonal_is_the_cayley_transform_row_by_row():
    skew = np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [-0.5, 0.7, 0.0]])
    skew = skew - skew.T
    eye = np.eye(3)
    expected = np.linalg.solve(eye + skew, eye - skew)
    found = Orthogonal(tf.constant([0.3, -0.5, 0.7], tf.float64)).matrix()
    np.testing.assert_allclose(found, expected, atol=1e-12)
