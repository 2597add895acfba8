"""A general linear map by its triangular factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base
from tfp_flows.bijectors._core.parameters import MAX_LOG_SCALE, Option, Parameter
from tfp_flows.bijectors._core.properties import SIGN
from tfp_flows.bijectors.linear.base import SHIFT, Factors, Linear
from tfp_flows.bijectors.linear.permutation import (
    invert_permutation,
    static_permutation,
)
from tfp_flows.math.linear import products, rotations

__all__ = ["LU", "random_rotation"]


def random_rotation(size: int, seed: Seed = None) -> np.ndarray:
    """Return a rotation of `size` dimensions, uniform under the Haar measure.

    Args:
        size: Number of dimensions `D`.
        seed: Seed; `None` draws a new one.

    Returns:
        Orthogonal matrix with determinant 1, `[D, D]`, float64.
    """
    q = rotations.haar(size, arguments.generator(seed)).T
    q[:, 0] *= np.sign(np.linalg.det(q))
    return q


def _initial_matrix(init: Any, size: int, seed: Seed) -> np.ndarray:
    """Return the matrix to start from, float64."""
    if isinstance(init, str):
        _checks.one_of(init, ("identity", "orthogonal"), "init")
        return np.eye(size) if init == "identity" else random_rotation(size, seed)
    matrix = np.asarray(init, np.float64)
    if matrix.shape != (size, size):
        msg = (
            f"`init` must be a matrix of shape {(size, size)} or a name, got shape "
            f"{matrix.shape}. Pass a matrix that fits `size`."
        )
        raise ValueError(msg)
    return matrix


def _factorize(matrix: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return both triangular factors in one matrix, and the permutation of rows."""
    try:
        with tf.init_scope():
            factors, places = tf.linalg.lu(tf.constant(matrix))
            factors, places = factors.numpy(), places.numpy()
        is_regular = bool(np.all(np.isfinite(factors)) and np.all(np.diag(factors)))
    except tf.errors.InvalidArgumentError:
        is_regular = False
    if not is_regular:
        msg = (
            "`init` must be an invertible matrix of finite numbers, got a singular or "
            "infinite one. Add a multiple of the identity."
        )
        raise ValueError(msg)
    return factors, tuple(int(place) for place in places)


def _places(permutation: Any, argument: str) -> Any:
    if tf.is_tensor(permutation):
        return permutation
    return static_permutation(permutation, argument)


class LU(Linear):
    """Multiply by `A = P @ L @ (U + diag(signs * exp(s)))`, and add a shift.

    `L` is lower triangular with a diagonal of ones, `U` strictly upper triangular,
    and `P` a fixed permutation: every invertible matrix has this form for one `P`.

    Forward is two triangular products, inverse two triangular solves; both cost
    `O(D**2)` per event, and the log-det `sum(s)` costs `O(D)`. On images `[H, W, C]`
    (ask for the log-det with `event_ndims=3`) it is the invertible 1x1 convolution.

    Example:
        >>> import tfp_flows as tfpf
        >>> lu = tfpf.bijectors.LU([[0., 0.], [3., 0.]], [[0., 2.], [0., 0.]], [0., 0.])
        >>> lu.forward([1., 1.]).numpy().tolist()  # [[1, 2], [3, 7]] @ [1, 1]
        [3.0, 10.0]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, eq. (10)
    """

    lower: TensorLike = Parameter("D D", "Its part below the diagonal is used.")
    upper: TensorLike = Parameter("D D", "Its part above the diagonal is used.")
    log_diagonal: TensorLike = Parameter("D", "Gives `s`.")
    _: KW_ONLY
    signs: TensorLike | None = Parameter(
        "D",
        "Fixed signs of the diagonal, 1 or -1; `None` for ones.",
        default=None,
        trainable=False,
        constraint=SIGN,
        remedy="Pass `None` for ones.",
    )
    permutation: Sequence[int] | tf.Tensor | None = Option(
        "Permutation as `tf.linalg.lu` returns it: row `permutation[i]` of `A` is row "
        "`i` of `L @ U`. `None` for the identity. A tensor `[D]`, as loops over many "
        "maps have it, is taken as it is.",
        default=None,
        convert=_places,
    )
    shift: TensorLike | None = SHIFT
    max_log_scale: float | None = MAX_LOG_SCALE

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        places, size = self.permutation, sizes["D"]
        if isinstance(places, tuple) and len(places) != size:
            msg = (
                f"`permutation` must have {size} elements for this map, got "
                f"{len(places)}. Pass a permutation of range({size})."
            )
            raise ValueError(msg)
        return {}

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        init: Any = "identity",
        seed: Seed = None,
        use_shift: bool = True,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> LU:
        """Return a map of new variables.

        Args:
            init: `"identity"`, `"orthogonal"` (a random rotation, as in Glow), or an
                invertible matrix `[D, D]` to start from. The permutation and the signs
                of its factors stay fixed.
            seed: Seed of the random rotation; `None` draws a new one.
        """
        _checks.at_least(size, 1, "size")
        factors, places = _factorize(_initial_matrix(init, size, seed))
        diagonal = np.diag(factors)
        with tf.init_scope():
            log_diagonal = products.unbounded_log_scale(
                tf.constant(np.log(np.abs(diagonal))), max_log_scale
            )
        kwargs.update(
            lower=np.tril(factors, -1),
            upper=np.triu(factors, 1),
            log_diagonal=log_diagonal,
            signs=np.sign(diagonal),
            # Loops would go through a tensor of places that change nothing.
            permutation=None
            if isinstance(init, str) and init == "identity"
            else places,
            max_log_scale=max_log_scale,
        )
        return cls._of_variables({"D": size}, dtype, use_shift=use_shift, **kwargs)

    def loop_form(self) -> base.Bijector:
        """Return the map with its permutation as a tensor."""
        if self.permutation is None:
            return self
        return self.copy(permutation=tf.constant(self.permutation))

    def matrix(self) -> tf.Tensor:
        """Return `A` as a dense matrix, `[..., D, D]`."""
        product = tf.matmul(*self._factors()[0])
        places = self._both_ways()
        return product if places is None else tf.gather(product, places[1], axis=-2)

    def _both_ways(self) -> tuple[Any, Any] | None:
        """Return the permutation and its inverse, or `None` for the identity."""
        there: Any = self.permutation
        if there is None:
            return None
        if tf.is_tensor(there):
            return there, tf.argsort(there)
        return there, invert_permutation(there)

    def _factors(self) -> tuple[Factors, tf.Tensor]:
        """Return `L`, the upper factor with its diagonal, and the log-det."""
        log_diagonal = self._bounded_diagonal()
        diagonal = tf.exp(log_diagonal)
        if self.signs is not None:
            diagonal = diagonal * tf.convert_to_tensor(self.signs)
        lower = products.unit_lower_triangle(tf.convert_to_tensor(self.lower))
        upper = products.upper_triangle(tf.convert_to_tensor(self.upper), diagonal)
        return (lower, upper), tf.reduce_sum(log_diagonal, axis=-1)

    def _product(self, factors: Factors, x: tf.Tensor) -> tf.Tensor:
        y = products.matvec(factors[0], products.matvec(factors[1], x))
        places = self._both_ways()
        return y if places is None else products.permute(y, *places[::-1])

    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        places = self._both_ways()
        x = y if places is None else products.permute(y, *places)
        lower, upper = factors
        return products.solve_factors(lower, upper, x)
