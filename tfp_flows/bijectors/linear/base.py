"""What linear maps share: a product, a solve, a shift, and a constant log-det."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import tensorflow as tf

from tfp_flows.bijectors._core import base, monotone, parameters
from tfp_flows.math.linear import products

__all__ = ["SHIFT", "Factors", "Linear", "Orthonormal"]

SHIFT: Any = parameters.Parameter(
    "D", "Added to the product; `None` for nothing.", default=None, start=0.0
)


Factors: TypeAlias = Sequence[tf.Tensor]


class Linear(base.Bijector):
    """Base class of `y = A @ x + shift`; subclasses keep `A` by factors.

    The factors are made once per call, from the parameters.
    """

    _is_constant_jacobian = True
    _is_increasing = monotone.by_slope
    _shift: ClassVar[Any] = None
    # Of maps with a diagonal.
    log_diagonal: Any
    max_log_scale: float | None

    @classmethod
    def _of_variables(
        cls, sizes: dict[str, int], dtype: Any, *, use_shift: bool = True, **given: Any
    ) -> Any:
        if not use_shift:
            given["shift"] = None
        return super()._of_variables(sizes, dtype, **given)

    @abc.abstractmethod
    def _factors(self) -> tuple[Factors, tf.Tensor | None]:
        """Return the factors, and the log-det `[...]`; `None` for 0."""

    def _bounded_diagonal(self) -> tf.Tensor:
        """Return the logarithms of the diagonal, where the map has one, `[..., D]`."""
        log_diagonal = tf.convert_to_tensor(self.log_diagonal)
        return products.bounded_log_scale(log_diagonal, self.max_log_scale)

    def _product(self, factors: Factors, x: tf.Tensor) -> tf.Tensor:
        """Return `A @ x`, where `A` is the only factor."""
        return products.matvec(factors[0], x)

    @abc.abstractmethod
    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        """Return `inv(A) @ y`."""

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        factors, log_det = self._factors()
        y = self._product(factors, x)
        y = y if self._shift is None else y + self._shift
        log_det = tf.zeros([], y.dtype) if log_det is None else log_det
        return y, products.broadcast_log_det(log_det, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        factors, log_det = self._factors()
        x = y if self._shift is None else y - self._shift
        x = self._solution(factors, x)
        log_det = tf.zeros([], x.dtype) if log_det is None else -log_det
        return x, products.broadcast_log_det(log_det, x)


class Orthonormal(Linear):
    """Base class of rotations by a dense matrix: the inverse is its transpose."""

    @abc.abstractmethod
    def _rotation(self) -> tf.Tensor:
        """Return the matrix, `[..., D, D]`."""

    def _factors(self) -> tuple[Factors, tf.Tensor | None]:
        return (self._rotation(),), None

    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        return products.matvec(factors[0], y, transpose=True)
