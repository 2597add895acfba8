"""Rotations from unconstrained numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.linear import products

__all__ = ["Orthogonal"]


class Orthogonal(base.Bijector):
    """Rotate by the Cayley transform of a skew-symmetric matrix.

    `y = inv(I + A) @ (I - A) @ x`, where `A` is minus its own transpose and the
    numbers below its diagonal are free. Zeros give the identity. Every rotation
    without the eigenvalue -1 (half turns) is reached, half turns are limits. Cayley's
    transform needs one solve where the matrix exponential needs several products, and
    one step of a polar decomposition makes the result orthogonal to rounding.

    Both directions compute the rotation, `O(D**3)` once per call, and multiply,
    `O(D**2)` per event. The log-det is 0. See `HouseholderProduct` for large `D`.

    Args:
        skew: Elements of `A` below its diagonal, row by row, `[..., D * (D - 1) / 2]`;
            an empty vector is the identity of one coordinate.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If no `D` has as many elements.

    Shapes:
        `[..., D]` to `[..., D]`; leading dimensions of `skew` broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> quarter_turn = tfpf.bijectors.Orthogonal([-1.])
        >>> quarter_turn.forward([1., 0.]).numpy().round(6).tolist()
        [0.0, 1.0]

    References:
        Lezcano-Casado, Martinez-Rubio (2019). Cheap Orthogonal Constraints in Neural
        Networks. https://arxiv.org/abs/1901.08428, section 3
    """

    _of_tensors = True

    def __init__(
        self,
        skew: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "orthogonal",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(skew, owner=owner)
            self._skew = arguments.as_parameter(skew, "skew", dtype)
            number = arguments.last_size(self._skew, "skew")
            size = (1 + math.isqrt(1 + 8 * number)) // 2
            if size * (size - 1) // 2 != number:
                msg = (
                    "`skew` must have D * (D - 1) / 2 elements (0, 1, 3, 6, ...), got "
                    f"{number}. Pass {size * (size - 1) // 2} for D = {size}."
                )
                raise ValueError(msg)
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
        size: int,
        *,
        dtype: DType = tf.float32,
        name: str = "orthogonal",
        **kwargs: Any,
    ) -> Orthogonal:
        """Return a map of a new variable that starts as the identity.

        Args:
            size: Number of coordinates `D`.
            dtype: Dtype of the variable.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        with tf.name_scope(name):
            zeros = np.zeros([size * (size - 1) // 2])
            return cls(arguments.variable(zeros, "skew", dtype), name=name, **kwargs)

    @property
    def skew(self) -> tf.Tensor | tf.Variable:
        """Elements of the skew-symmetric matrix."""
        return self._skew

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {"skew": properties.free(1)}

    def matrix(self) -> tf.Tensor:
        """Return the rotation, `[..., D, D]`."""
        skew = tf.convert_to_tensor(self._skew)
        return products.cayley(skew, self._size)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = products.matvec(self.matrix(), x)
        return y, products.broadcast_log_det(tf.zeros([], y.dtype), y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = products.matvec(self.matrix(), y, transpose=True)
        return x, products.broadcast_log_det(tf.zeros([], x.dtype), x)
