"""Affine maps with a triangular matrix, alone or with a matrix of low rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.linear import products

__all__ = ["LowRankAffine", "TriangularAffine"]

# Deviation of the left factor at the start, times sqrt(D): gradients reach the right
# one, which starts at zero.
_INITIAL_FACTOR = 0.1


class TriangularAffine(base.Bijector):
    """Multiply by a triangular matrix with positive diagonal, and add a shift.

    `y = (N + diag(exp(s))) @ x + shift` with `N` strictly lower (or upper) triangular.
    A standard normal becomes any Gaussian.

    Forward is a product, inverse a triangular solve; both cost `O(D**2)` per event,
    and the log-det `sum(s)` costs `O(D)`.

    Args:
        off_diagonal: Its part below (above) the diagonal is used, `[..., D, D]`.
        log_diagonal: Gives `s`, `[..., D]`.
        shift: Added to the product, `[..., D]`; `None` for nothing.
        lower: Whether the matrix is lower triangular, else upper.
        max_log_scale: Soft bound, `s = max * tanh(log_diagonal / max)`, or `None`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If sizes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`; leading dimensions of the parameters broadcast.

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

    _of_tensors = True

    def __init__(
        self,
        off_diagonal: TensorLike,
        log_diagonal: TensorLike,
        *,
        shift: TensorLike | None = None,
        lower: bool = True,
        max_log_scale: float | None = None,
        validate_args: bool = False,
        name: str = "triangular_affine",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            given = (log_diagonal, off_diagonal, shift)
            dtype = arguments.common_dtype(*given, owner=owner)
            as_parameter = arguments.as_parameter
            self._off_diagonal = as_parameter(off_diagonal, "off_diagonal", dtype)
            self._log_diagonal = as_parameter(log_diagonal, "log_diagonal", dtype)
            self._shift = as_parameter(shift, "shift", dtype)
            size = arguments.last_size(self._log_diagonal, "log_diagonal")
            shape = self._off_diagonal.shape
            arguments.require_square(shape, size, "off_diagonal", owner)
            if self._shift is not None:
                _checks.require_trailing(self._shift.shape, (size,), "shift", owner)
            if max_log_scale is not None:
                _checks.at_least(max_log_scale, 1e-3, "max_log_scale")
            self._lower = bool(lower)
            self._max_log_scale = max_log_scale
            super().__init__(
                event_shape=(size,),
                forward_min_event_ndims=1,
                is_constant_jacobian=True,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        lower: bool = True,
        use_shift: bool = True,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        name: str = "triangular_affine",
        **kwargs: Any,
    ) -> TriangularAffine:
        """Return a map of new variables that starts as the identity.

        Args:
            size: Number of coordinates `D`.
            lower: Whether the matrix is lower triangular, else upper.
            use_shift: Whether to learn a shift.
            max_log_scale: Soft bound of the log-diagonal, see the class.
            dtype: Dtype of the variables.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        with tf.name_scope(name):
            variable, zeros = arguments.variable, np.zeros([size])
            return cls(
                variable(np.zeros([size, size]), "off_diagonal", dtype),
                variable(zeros, "log_diagonal", dtype),
                shift=variable(zeros, "shift", dtype) if use_shift else None,
                lower=lower,
                max_log_scale=max_log_scale,
                name=name,
                **kwargs,
            )

    @property
    def off_diagonal(self) -> tf.Tensor | tf.Variable:
        """Matrix that holds `N` on one side of its diagonal."""
        return self._off_diagonal

    @property
    def log_diagonal(self) -> tf.Tensor | tf.Variable:
        """Logarithm of the diagonal, before the bound."""
        return self._log_diagonal

    @property
    def shift(self) -> tf.Tensor | tf.Variable | None:
        """What is added to the product."""
        return self._shift

    @property
    def lower(self) -> bool:
        """Whether the matrix is lower triangular."""
        return self._lower

    @property
    def max_log_scale(self) -> float | None:
        """Soft bound of the log-diagonal."""
        return self._max_log_scale

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = properties.free(1)
        matrix = properties.free(2)
        return {"off_diagonal": matrix, "log_diagonal": vector, "shift": vector}

    def matrix(self) -> tf.Tensor:
        """Return the dense matrix, `[..., D, D]`."""
        return self._factors()[0]

    def _factors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the triangular matrix and its log-det."""
        log_diagonal = products.bounded_log_scale(
            tf.convert_to_tensor(self._log_diagonal), self._max_log_scale
        )
        triangle = products.lower_triangle if self._lower else products.upper_triangle
        off_diagonal = tf.convert_to_tensor(self._off_diagonal)
        matrix = triangle(off_diagonal, tf.exp(log_diagonal))
        return matrix, tf.reduce_sum(log_diagonal, axis=-1)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        matrix, log_det = self._factors()
        y = products.matvec(matrix, x)
        y = y if self._shift is None else y + self._shift
        return y, products.broadcast_log_det(log_det, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        matrix, log_det = self._factors()
        x = y if self._shift is None else y - self._shift
        x = products.solve_triangular(matrix, x, lower=self._lower)
        return x, products.broadcast_log_det(-log_det, x)


class LowRankAffine(base.Bijector):
    """Multiply by `A = T + V @ W.T`, triangular plus low rank, and add a shift.

    `T = N + diag(exp(s))` is lower triangular, `V` and `W` have `R` columns. The
    log-det comes from the matrix determinant lemma, the inverse from Woodbury's
    identity: `O(D**2 * R)` once per call and `O(D**2)` per event, never a dense
    determinant. Forward is two products, inverse a triangular solve and two products.

    `A` is invertible unless `I + W.T @ inv(T) @ V` is singular, where the log-det is
    minus infinity; a likelihood keeps away from there.

    Args:
        off_diagonal: Its part below the diagonal is used, `[..., D, D]`.
        log_diagonal: Gives `s`, `[..., D]`.
        left: `V`, `[..., D, R]`.
        right: `W`, `[..., D, R]`.
        shift: Added to the product, `[..., D]`; `None` for nothing.
        max_log_scale: Soft bound, `s = max * tanh(log_diagonal / max)`, or `None`.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If sizes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`; leading dimensions of the parameters broadcast.

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

    _of_tensors = True

    def __init__(
        self,
        off_diagonal: TensorLike,
        log_diagonal: TensorLike,
        left: TensorLike,
        right: TensorLike,
        *,
        shift: TensorLike | None = None,
        max_log_scale: float | None = None,
        validate_args: bool = False,
        name: str = "low_rank_affine",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            given = (log_diagonal, off_diagonal, left, right, shift)
            dtype = arguments.common_dtype(*given, owner=owner)
            as_parameter = arguments.as_parameter
            self._off_diagonal = as_parameter(off_diagonal, "off_diagonal", dtype)
            self._log_diagonal = as_parameter(log_diagonal, "log_diagonal", dtype)
            self._left = as_parameter(left, "left", dtype)
            self._right = as_parameter(right, "right", dtype)
            self._shift = as_parameter(shift, "shift", dtype)
            size = arguments.last_size(self._log_diagonal, "log_diagonal")
            shape = self._off_diagonal.shape
            arguments.require_square(shape, size, "off_diagonal", owner)
            rank = arguments.last_size(self._left, "left")
            _checks.require_trailing(self._left.shape, (size, rank), "left", owner)
            _checks.require_trailing(self._right.shape, (size, rank), "right", owner)
            if self._shift is not None:
                _checks.require_trailing(self._shift.shape, (size,), "shift", owner)
            if max_log_scale is not None:
                _checks.at_least(max_log_scale, 1e-3, "max_log_scale")
            self._max_log_scale = max_log_scale
            super().__init__(
                event_shape=(size,),
                forward_min_event_ndims=1,
                is_constant_jacobian=True,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

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
        name: str = "low_rank_affine",
        **kwargs: Any,
    ) -> LowRankAffine:
        """Return a map of new variables that starts as the identity.

        Args:
            size: Number of coordinates `D`.
            rank: Number of columns `R` of the low-rank factors.
            seed: Seed of the left factor; the right one starts at zero.
            use_shift: Whether to learn a shift.
            max_log_scale: Soft bound of the log-diagonal, see the class.
            dtype: Dtype of the variables.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(rank, 1, "rank")
        left = arguments.generator(seed).normal(size=[size, rank])
        with tf.name_scope(name):
            variable, zeros = arguments.variable, np.zeros([size])
            return cls(
                variable(np.zeros([size, size]), "off_diagonal", dtype),
                variable(zeros, "log_diagonal", dtype),
                variable(_INITIAL_FACTOR / size**0.5 * left, "left", dtype),
                variable(np.zeros([size, rank]), "right", dtype),
                shift=variable(zeros, "shift", dtype) if use_shift else None,
                max_log_scale=max_log_scale,
                name=name,
                **kwargs,
            )

    @property
    def off_diagonal(self) -> tf.Tensor | tf.Variable:
        """Matrix that holds `N` below its diagonal."""
        return self._off_diagonal

    @property
    def log_diagonal(self) -> tf.Tensor | tf.Variable:
        """Logarithm of the diagonal of `T`, before the bound."""
        return self._log_diagonal

    @property
    def left(self) -> tf.Tensor | tf.Variable:
        """The factor `V`."""
        return self._left

    @property
    def right(self) -> tf.Tensor | tf.Variable:
        """The factor `W`."""
        return self._right

    @property
    def shift(self) -> tf.Tensor | tf.Variable | None:
        """What is added to the product."""
        return self._shift

    @property
    def max_log_scale(self) -> float | None:
        """Soft bound of the log-diagonal."""
        return self._max_log_scale

    _is_increasing = monotone.by_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = properties.free(1)
        matrix = properties.free(2)
        return {
            "off_diagonal": matrix,
            "log_diagonal": vector,
            "left": matrix,
            "right": matrix,
            "shift": vector,
        }

    def matrix(self) -> tf.Tensor:
        """Return `A` as a dense matrix, `[..., D, D]`."""
        triangle, left, right, _ = self._factors()
        return triangle + tf.matmul(left, right, transpose_b=True)

    def _factors(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return `T`, `V`, `W`, and the log-det."""
        log_diagonal = products.bounded_log_scale(
            tf.convert_to_tensor(self._log_diagonal), self._max_log_scale
        )
        strict = tf.convert_to_tensor(self._off_diagonal)
        triangle = products.lower_triangle(strict, tf.exp(log_diagonal))
        left = tf.convert_to_tensor(self._left)
        right = tf.convert_to_tensor(self._right)
        log_det = products.low_rank_log_det(triangle, log_diagonal, left, right)
        return triangle, left, right, log_det

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        triangle, left, right, log_det = self._factors()
        y = products.matvec(left, products.matvec(right, x, transpose=True))
        y = products.matvec(triangle, x) + y
        y = y if self._shift is None else y + self._shift
        return y, products.broadcast_log_det(log_det, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        triangle, left, right, log_det = self._factors()
        x = y if self._shift is None else y - self._shift
        x = products.low_rank_solve(triangle, left, right, x)
        return x, products.broadcast_log_det(-log_det, x)
