"""Affine maps with a triangular matrix, alone or with a matrix of low rank."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, monotone
from tfp_flows.bijectors._core.parameters import MAX_LOG_SCALE, Option, Parameter
from tfp_flows.bijectors.linear.base import SHIFT, Factors, Linear
from tfp_flows.math.linear import low_rank, products

__all__ = ["LowRankAffine", "TriangularAffine"]

# Deviation of the left factor at the start, times sqrt(D): gradients reach the right
# one, which starts at zero.
_INITIAL_FACTOR = 0.1


class TriangularAffine(Linear):
    """Multiply by a triangular matrix with positive diagonal, and add a shift.

    `y = (N + diag(exp(s))) @ x + shift` with `N` strictly lower (or upper) triangular.
    A standard normal becomes any Gaussian.

    Forward is a product, inverse a triangular solve; both cost `O(D**2)` per event,
    and the log-det `sum(s)` costs `O(D)`.

    Example:
        >>> import tfp_flows as tfpf
        >>> affine = tfpf.bijectors.TriangularAffine(
        ...     [[0., 0.], [3., 0.]], [0., 0.], shift=[0., 1.])
        >>> affine.forward([1., 1.]).numpy().tolist()
        [1.0, 5.0]

    References:
        Papamakarios et al. (2019). Normalizing Flows for Probabilistic Modeling and
        Inference. https://arxiv.org/abs/1912.02762, section 3.1.1
    """

    off_diagonal: TensorLike = Parameter(
        "D D", "Its part below (above) the diagonal is used.", start=0.0
    )
    log_diagonal: TensorLike = Parameter("D", "Gives `s`.", start=0.0)
    _: KW_ONLY
    shift: TensorLike | None = SHIFT
    lower: bool = Option(
        "Whether the matrix is lower triangular, else upper.", default=True
    )
    max_log_scale: float | None = MAX_LOG_SCALE

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        lower: bool = True,
        use_shift: bool = True,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> TriangularAffine:
        """Return a map of new variables that starts as the identity."""
        kwargs.update(lower=lower, max_log_scale=max_log_scale)
        return cls._of_variables({"D": size}, dtype, use_shift=use_shift, **kwargs)

    def matrix(self) -> tf.Tensor:
        """Return the dense matrix, `[..., D, D]`."""
        return self._factors()[0][0]

    def _factors(self) -> tuple[Factors, tf.Tensor]:
        log_diagonal = self._bounded_diagonal()
        triangle = products.lower_triangle if self.lower else products.upper_triangle
        off_diagonal = tf.convert_to_tensor(self.off_diagonal)
        matrix = triangle(off_diagonal, tf.exp(log_diagonal))
        return (matrix,), tf.reduce_sum(log_diagonal, axis=-1)

    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        return products.solve_triangular(factors[0], y, lower=self.lower)


class LowRankAffine(Linear):
    """Multiply by `A = T + V @ W.T`, triangular plus low rank, and add a shift.

    `T = N + diag(exp(s))` is lower triangular, `V` and `W` have `R` columns. The
    log-det comes from the matrix determinant lemma, the inverse from Woodbury's
    identity: `O(D**2 * R)` once per call and `O(D**2)` per event, never a dense
    determinant. Forward is two products, inverse a triangular solve and two products.

    `A` is invertible unless `I + W.T @ inv(T) @ V` is singular, where the log-det is
    minus infinity; a likelihood keeps away from there.

    Example:
        >>> import tfp_flows as tfpf
        >>> affine = tfpf.bijectors.LowRankAffine(
        ...     [[0., 0.], [0., 0.]], [0., 0.], [[1.], [0.]], [[1.], [1.]])
        >>> affine.forward([1., 1.]).numpy().tolist()  # [[2, 1], [0, 1]] @ [1, 1]
        [3.0, 1.0]

    References:
        Jang (2018). Normalizing Flows Tutorial, Part 1.
        https://blog.evjang.com/2018/01/nf1.html
    """

    off_diagonal: TensorLike = Parameter(
        "D D", "Its part below the diagonal is used.", start=0.0
    )
    log_diagonal: TensorLike = Parameter("D", "Gives `s`.", start=0.0)
    left: TensorLike = Parameter("D R", "The factor `V`.")
    right: TensorLike = Parameter("D R", "The factor `W`.", start=0.0)
    _: KW_ONLY
    shift: TensorLike | None = SHIFT
    max_log_scale: float | None = MAX_LOG_SCALE

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        rank: int = 1,
        seed: Seed = None,
        use_shift: bool = True,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> LowRankAffine:
        """Return a map of new variables that starts as the identity.

        Args:
            rank: Number of columns `R` of the low-rank factors.
            seed: Seed of the left factor; the right one starts at zero.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(rank, 1, "rank")
        left = arguments.generator(seed).normal(size=[size, rank])
        kwargs.update(
            left=_INITIAL_FACTOR / size**0.5 * left, max_log_scale=max_log_scale
        )
        sizes = {"D": size, "R": rank}
        return cls._of_variables(sizes, dtype, use_shift=use_shift, **kwargs)

    def matrix(self) -> tf.Tensor:
        """Return `A` as a dense matrix, `[..., D, D]`."""
        triangle, left, right = self._factors()[0]
        return triangle + tf.matmul(left, right, transpose_b=True)

    def _factors(self) -> tuple[Factors, tf.Tensor]:
        log_diagonal = self._bounded_diagonal()
        strict = tf.convert_to_tensor(self.off_diagonal)
        triangle = products.lower_triangle(strict, tf.exp(log_diagonal))
        left, right = tf.convert_to_tensor(self.left), tf.convert_to_tensor(self.right)
        log_det = low_rank.low_rank_log_det(triangle, log_diagonal, left, right)
        return (triangle, left, right), log_det

    def _product(self, factors: Factors, x: tf.Tensor) -> tf.Tensor:
        triangle, left, right = factors
        y = products.matvec(left, products.matvec(right, x, transpose=True))
        return products.matvec(triangle, x) + y

    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        triangle, left, right = factors
        return low_rank.low_rank_solve(triangle, left, right, y)
