"""Sums of a triangular matrix and one of low rank: determinants and solutions."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfp_flows.math.linear import products

__all__ = ["log_abs_det", "low_rank_log_det", "low_rank_solve"]


@tf.custom_gradient
def log_abs_det(
    matrix: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return `log|det A|` of small matrices `[..., R, R]`, also where XLA compiles.

    XLA knows no `slogdet`, so the value comes from a QR decomposition. The gradient is
    `inv(A).T`.
    """
    _, triangle = tf.linalg.qr(matrix)
    diagonal = tf.linalg.diag_part(triangle)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        inverse = tf.linalg.inv(matrix)
        upstream = tf.convert_to_tensor(upstream)
        return upstream[..., tf.newaxis, tf.newaxis] * tf.linalg.matrix_transpose(
            inverse
        )

    return tf.reduce_sum(tf.math.log(tf.abs(diagonal)), axis=-1), gradient


def low_rank_log_det(
    triangle: tf.Tensor, log_diagonal: tf.Tensor, left: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Return `log|det(T + V @ W.T)|` by the matrix determinant lemma.

    Args:
        triangle: Lower triangular `T`, `[..., D, D]`.
        log_diagonal: Logarithm of its diagonal, `[..., D]`.
        left: `V`, `[..., D, R]`.
        right: `W`, `[..., D, R]`.

    Returns:
        `sum(log_diagonal) + log|det(I + W.T @ inv(T) @ V)|`, `[...]`.
    """
    capacitance, _ = _capacitance(triangle, left, right)
    return tf.reduce_sum(log_diagonal, axis=-1) + log_abs_det(capacitance)


def low_rank_solve(
    triangle: tf.Tensor, left: tf.Tensor, right: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Return the `x` with `(T + V @ W.T) @ x = y`, by Woodbury's identity.

    Args:
        triangle: Lower triangular `T`, `[..., D, D]`.
        left: `V`, `[..., D, R]`.
        right: `W`, `[..., D, R]`.
        y: Events, `[..., D]`.

    Returns:
        Events, `[..., D]`.
    """
    capacitance, solved = _capacitance(triangle, left, right)
    first = products.solve_triangular(triangle, y, lower=True)
    # `inv(T) @ V @ inv(capacitance)`, as the solution of the transposed system.
    columns = tf.linalg.matrix_transpose(solved) + tf.zeros_like(capacitance[..., :1])
    factor = tf.linalg.solve(tf.linalg.matrix_transpose(capacitance), columns)
    return first - products.matvec(
        factor, products.matvec(right, first, transpose=True), transpose=True
    )


def _capacitance(
    triangle: tf.Tensor, left: tf.Tensor, right: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `I + W.T @ inv(T) @ V` and `inv(T) @ V`."""
    solved = tf.linalg.triangular_solve(triangle, left, lower=True)
    inner = tf.matmul(right, solved, transpose_a=True)
    return inner + tf.linalg.eye(inner.shape[-1], dtype=inner.dtype), solved
