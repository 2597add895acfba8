"""A triangular matrix plus one of low rank, against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math.linear import low_rank, products

RNG = np.random.default_rng(0)


def numbers(*shape):
    return tf.constant(RNG.normal(size=shape))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_log_determinants_and_their_gradients(jit_compile):
    matrix = numbers(2, 3, 3)

    @tf.function(jit_compile=jit_compile)
    def both(matrix):
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            log_det = low_rank.log_abs_det(matrix)
        return log_det, tape.gradient(log_det, matrix)

    log_det, slope = both(matrix)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1])
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(slope, np.transpose(inverse, [0, 2, 1]), rtol=1e-9)


@pytest.mark.parametrize("rank", [1, 2])
def test_low_rank_updates_have_the_determinant_and_inverse_of_the_sum(rank):
    diagonal = 1.0 + numbers(4, 3) ** 2
    triangle = products.lower_triangle(numbers(4, 3, 3), diagonal)
    left, right, x = numbers(4, 3, rank), numbers(4, 3, rank), numbers(5, 4, 3)
    dense = triangle.numpy() + left.numpy() @ np.transpose(right, [0, 2, 1])
    found = low_rank.low_rank_log_det(triangle, np.log(diagonal), left, right)
    np.testing.assert_allclose(found, np.linalg.slogdet(dense)[1], atol=1e-9)
    y = np.einsum("bij,nbj->nbi", dense, x)
    back = low_rank.low_rank_solve(triangle, left, right, tf.constant(y))
    np.testing.assert_allclose(back, x, atol=1e-8)
