"""Rotation by a given matrix, as it is or as the start of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.linear import products

__all__ = ["Rotation"]

# How far products of rows of a matrix may be off for it to count as orthogonal.
TOLERANCE = 1e-3


class Rotation(base.Bijector):
    """Multiply by an orthogonal matrix: `y = matrix @ cayley(skew) @ x`.

    The matrix is given, from principal or independent components for instance; the
    free numbers `skew` turn it away from there. `tfp_flows.math.linear.rotations`
    has ways to find one. The log-det is exactly 0, and the inverse multiplies by the
    transpose.

    Both directions cost `O(D**2)` per event, and with `skew` `O(D**3)` per call.

    Args:
        matrix: Orthogonal matrix, `[D, D]`.
        skew: Elements below the diagonal of a skew-symmetric matrix, row by row,
            `[D * (D - 1) / 2]`; `None` or zeros for no turn.
        validate_args: Whether to check that the matrix is orthogonal.
        name: Name of the map.

    Raises:
        ValueError: If shapes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> swap = tfpf.bijectors.Rotation([[0., 1.], [1., 0.]])
        >>> swap.forward([1., 2.]).numpy().tolist()
        [2.0, 1.0]
    """

    _of_tensors = True

    def __init__(
        self,
        matrix: TensorLike,
        skew: TensorLike | None = None,
        *,
        validate_args: bool = False,
        name: str = "rotation",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(matrix, skew, owner=owner)
            self._matrix = arguments.as_parameter(matrix, "matrix", dtype)
            self._skew = arguments.as_parameter(skew, "skew", dtype)
            size = arguments.last_size(self._matrix, "matrix")
            arguments.require_square(self._matrix.shape, size, "matrix", owner)
            if self._skew is not None:
                number = (size * (size - 1) // 2,)
                _checks.require_trailing(self._skew.shape, number, "skew", owner)
            self._size = size
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
        matrix: TensorLike,
        *,
        dtype: DType = tf.float32,
        name: str = "rotation",
        **kwargs: Any,
    ) -> Rotation:
        """Return a map of new variables that starts as the given rotation.

        Args:
            matrix: Orthogonal matrix, `[D, D]`, or its size `D` for the identity.
            dtype: Dtype of the variables; only `skew` is trained.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        matrix = _square(matrix)
        size = np.shape(matrix)[-1]
        with tf.name_scope(name):
            start = arguments.variable(matrix, "matrix", dtype, trainable=False)
            skew = None
            if size > 1:
                zeros = np.zeros([size * (size - 1) // 2])
                skew = arguments.variable(zeros, "skew", dtype)
            return cls(start, skew, name=name, **kwargs)

    @classmethod
    def fixed(
        cls,
        matrix: TensorLike,
        *,
        dtype: DType = tf.float32,
        name: str = "rotation",
        **kwargs: Any,
    ) -> Rotation:
        """Return a map of a new variable that is set, but not trained.

        Args:
            matrix: Orthogonal matrix, `[D, D]`, or its size `D` for the identity.
            dtype: Dtype of the variable.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        matrix = _square(matrix)
        with tf.name_scope(name):
            start = arguments.variable(matrix, "matrix", dtype, trainable=False)
            return cls(start, name=name, **kwargs)

    @property
    def matrix(self) -> tf.Tensor | tf.Variable:
        """The matrix at the start."""
        return self._matrix

    @property
    def skew(self) -> tf.Tensor | tf.Variable | None:
        """Free numbers that turn it."""
        return self._skew

    _is_increasing = monotone.by_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {
            "matrix": properties.fixed(2),
            "skew": properties.free(1),
        }

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`matrix` must be orthogonal. Use math.rotations.polar."
        return [arguments.Requirement(("matrix",), _is_orthogonal, message)]

    def rotation(self) -> tf.Tensor:
        """Return the matrix that the map multiplies by, `[D, D]`."""
        matrix = tf.convert_to_tensor(self._matrix)
        if self._skew is None:
            return matrix
        turn = products.cayley(tf.convert_to_tensor(self._skew), self._size)
        return tf.matmul(matrix, turn)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = products.matvec(self.rotation(), x)
        return y, products.broadcast_log_det(tf.zeros([], y.dtype), y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = products.matvec(self.rotation(), y, transpose=True)
        return x, products.broadcast_log_det(tf.zeros([], x.dtype), x)


def _is_orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    gram = tf.matmul(matrix, matrix, transpose_b=True)
    eye = tf.eye(matrix.shape[-1], dtype=matrix.dtype)
    return tf.abs(gram - eye) < TOLERANCE


def _square(matrix: TensorLike) -> TensorLike:
    """Return a matrix as it is, and the identity for its size."""
    if np.ndim(matrix) != 0:
        return matrix
    _checks.at_least(matrix, 1, "matrix")
    return np.eye(matrix)
