"""Rotation by a given matrix, as it is or as the start of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, TensorLike
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.bijectors._core.properties import ORTHOGONAL
from tfp_flows.bijectors.linear.base import Orthonormal
from tfp_flows.math.linear import products

__all__ = ["Rotation"]


class Rotation(Orthonormal):
    """Multiply by an orthogonal matrix: `y = matrix @ cayley(skew) @ x`.

    The matrix is given, from principal or independent components for instance; the
    free numbers `skew` turn it away from there. `tfp_flows.math.linear.rotations`
    has ways to find one. The log-det is exactly 0, and the inverse multiplies by the
    transpose.

    Both directions cost `O(D**2)` per event, and with `skew` `O(D**3)` per call.

    Shapes:
        `[..., D]` to `[..., D]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> swap = tfpf.bijectors.Rotation([[0., 1.], [1., 0.]])
        >>> swap.forward([1., 2.]).numpy().tolist()
        [2.0, 1.0]
    """

    matrix: TensorLike = Parameter(
        "D D",
        "Orthogonal matrix.",
        trainable=False,
        constraint=ORTHOGONAL,
        remedy="Use math.rotations.polar.",
    )
    skew: TensorLike | None = Parameter(
        "T?",
        "Elements below the diagonal of a skew-symmetric matrix, row by row, "
        "`T = D * (D - 1) / 2`; `None` or zeros for no turn.",
        default=None,
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        self._size = size = sizes["D"]
        if self.skew is not None:
            number, owner = (size * (size - 1) // 2,), f"`{type(self).__name__}`"
            _checks.require_trailing(self.skew.shape, number, "skew", owner)
        return {}

    @classmethod
    def trainable(
        cls,
        matrix: TensorLike,
        *,
        turns: bool = True,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> Rotation:
        """Return a map of new variables that starts as the given rotation.

        Args:
            matrix: Orthogonal matrix, `[D, D]`, or its size `D` for the identity. It
                is a variable that may be set, but is not trained.
            turns: Whether there is a `skew`, which is trained.
        """
        if np.ndim(matrix) == 0:
            _checks.at_least(matrix, 1, "matrix")
            matrix = np.eye(matrix)
        size = np.shape(matrix)[-1]
        if turns and size > 1:
            kwargs.update(skew=np.zeros([size * (size - 1) // 2]))
        return cls._of_variables({"D": size}, dtype, matrix=matrix, **kwargs)

    def rotation(self) -> tf.Tensor:
        """Return the matrix that the map multiplies by, `[D, D]`."""
        matrix = tf.convert_to_tensor(self.matrix)
        if self.skew is None:
            return matrix
        turn = products.cayley(tf.convert_to_tensor(self.skew), self._size)
        return tf.matmul(matrix, turn)

    _rotation = rotation
