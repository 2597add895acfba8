"""Contractions: bounds of matrices, elimination, and series."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import contractions


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (64, 64), (40, 5)])
def test_spectral_norm_of_bounded_matrices_is_below_their_bound(shape):
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e6):
        matrix = tf.constant(scale * rng.normal(size=shape), tf.float32)
        found = contractions.bounded_matrix(matrix, 0.9).numpy()
        norm = np.linalg.norm(found.astype(np.float64), 2)
        assert norm <= 0.9 * (1 + 1e-5)
        if scale < 1e-3:
            np.testing.assert_array_equal(found, matrix)
        elif scale > 1e3:  # not much is given away
            assert norm >= 0.9 * 0.85


def test_zero_matrix_stays_and_has_a_gradient():
    matrix = tf.zeros([3, 2])
    with tf.GradientTape() as tape:
        tape.watch(matrix)
        found = contractions.bounded_matrix(matrix, 0.5)
    np.testing.assert_array_equal(found, matrix)
    np.testing.assert_array_equal(tape.gradient(found, matrix), np.ones([3, 2]))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_elimination_gives_log_det_and_solution(size):
    rng = np.random.default_rng(size)
    part = rng.normal(size=(30, size, size))
    part *= 0.95 / np.linalg.norm(part, 2, axis=(1, 2))[:, None, None]
    matrix, right = np.eye(size) + part, rng.normal(size=(30, size))
    log_det, found = contractions.log_det_and_solution(
        tf.constant(np.moveaxis(matrix, 0, -1)), tf.constant(right.T)
    )
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1], atol=1e-12)
    expected = np.linalg.solve(matrix, right[..., None])[..., 0]
    np.testing.assert_allclose(tf.transpose(found), expected, atol=1e-10)


@pytest.mark.parametrize("num_terms", [1, 6])
def test_estimates_have_the_mean_of_the_whole_series(num_terms):
    part = np.array([[0.5, 0.3], [-0.2, -0.6]], np.float32)

    def push(directions):
        return tf.einsum("ij,jkn->ikn", part, directions)

    found = contractions.estimated_log_det(
        push,
        tf.zeros([2, 20_000]),
        tf.constant([1, 2]),
        num_probes=1,
        num_terms=num_terms,
        lipschitz=0.8,
    ).numpy()
    exact = np.linalg.slogdet(np.eye(2) + part)[1]
    assert abs(found.mean() - exact) <= 3 * found.std() / 20_000**0.5
