"""Rotations from unconstrained numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core import monotone
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.bijectors.linear.base import Orthonormal
from tfp_flows.math.linear import products

__all__ = ["Orthogonal"]


class Orthogonal(Orthonormal):
    """Rotate by the Cayley transform of a skew-symmetric matrix.

    `y = inv(I + A) @ (I - A) @ x`, where `A` is minus its own transpose and the
    numbers below its diagonal are free. Zeros give the identity. Every rotation
    without the eigenvalue -1 (half turns) is reached, half turns are limits. Cayley's
    transform needs one solve where the matrix exponential needs several products, and
    one step of a polar decomposition makes the result orthogonal to rounding.

    Both directions compute the rotation, `O(D**3)` once per call, and multiply,
    `O(D**2)` per event. The log-det is 0. See `HouseholderProduct` for large `D`.

    Raises:
        ValueError: If no `D` has as many elements.

    Example:
        >>> import tfp_flows as tfpf
        >>> quarter_turn = tfpf.bijectors.Orthogonal([-1.])
        >>> quarter_turn.forward([1., 0.]).numpy().round(6).tolist()
        [0.0, 1.0]

    References:
        Lezcano-Casado, Martinez-Rubio (2019). Cheap Orthogonal Constraints in Neural
        Networks. https://arxiv.org/abs/1901.08428, section 3
    """

    skew: TensorLike = Parameter(
        "T",
        "Elements of `A` below its diagonal, row by row, `T = D * (D - 1) / 2`. An "
        "empty vector is the identity of one coordinate.",
    )

    _is_increasing = monotone.increasing_of_one

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        number = sizes["T"]
        self._size = sizes["D"] = size = (1 + math.isqrt(1 + 8 * number)) // 2
        if size * (size - 1) // 2 != number:
            msg = (
                "`skew` must have D * (D - 1) / 2 elements (0, 1, 3, 6, ...), got "
                f"{number}. Pass {size * (size - 1) // 2} for D = {size}."
            )
            raise ValueError(msg)
        return {}

    @classmethod
    def trainable(
        cls, size: int, *, dtype: DType = tf.float32, **kwargs: Any
    ) -> Orthogonal:
        """Return a map of a new variable that starts as the identity."""
        skew = np.zeros([size * (size - 1) // 2])
        return cls._of_variables({"D": size}, dtype, skew=skew, **kwargs)

    def matrix(self) -> tf.Tensor:
        """Return the rotation, `[..., D, D]`."""
        return products.cayley(tf.convert_to_tensor(self.skew), self._size)

    _rotation = matrix
