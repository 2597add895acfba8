"""A general linear map by its triangular factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.bijectors.linear import permutation as permute
from tfp_flows.math.linear import products

__all__ = ["LU", "random_rotation"]


def random_rotation(size: int, seed: Seed = None) -> np.ndarray:
    """Return a rotation of `size` dimensions, uniform under the Haar measure.

    Args:
        size: Number of dimensions `D`.
        seed: Seed; `None` draws a new one.

    Returns:
        Orthogonal matrix with determinant 1, `[D, D]`, float64.
    """
    q, r = np.linalg.qr(arguments.generator(seed).normal(size=[size, size]))
    # The signs make the decomposition unique, and its Q uniform.
    q = q * np.sign(np.diag(r))
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


class LU(base.Bijector):
    """Multiply by `A = P @ L @ (U + diag(signs * exp(s)))`, and add a shift.

    `L` is lower triangular with a diagonal of ones, `U` strictly upper triangular,
    and `P` a fixed permutation: every invertible matrix has this form for one `P`.

    Forward is two triangular products, inverse two triangular solves; both cost
    `O(D**2)` per event, and the log-det `sum(s)` costs `O(D)`. On images `[H, W, C]`
    (ask for the log-det with `event_ndims=3`) it is the invertible 1x1 convolution.

    Args:
        lower: Matrix of which the part below the diagonal is used, `[..., D, D]`.
        upper: Matrix of which the part above the diagonal is used, `[..., D, D]`.
        log_diagonal: Gives `s`, `[..., D]`.
        signs: Fixed signs of the diagonal, 1 or -1, `[..., D]`; `None` for ones.
        permutation: Permutation as `tf.linalg.lu` returns it: row `permutation[i]` of
            `A` is row `i` of `L @ U`. `None` for the identity. A tensor `[D]`, as loops
            over many maps have it, is taken as it is.
        shift: Added to the product, `[..., D]`; `None` for nothing.
        max_log_scale: Soft bound, `s = max * tanh(log_diagonal / max)`; `None` takes
            `s = log_diagonal` as it is.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If sizes do not agree.

    Shapes:
        `[..., D]` to `[..., D]`; leading dimensions of the parameters broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> lu = tfpf.bijectors.LU([[0., 0.], [3., 0.]], [[0., 2.], [0., 0.]], [0., 0.])
        >>> lu.forward([1., 1.]).numpy().tolist()  # [[1, 2], [3, 7]] @ [1, 1]
        [3.0, 10.0]

    References:
        Kingma, Dhariwal (2018). Glow. https://arxiv.org/abs/1807.03039, eq. (10)
    """

    _of_tensors = True

    def __init__(
        self,
        lower: TensorLike,
        upper: TensorLike,
        log_diagonal: TensorLike,
        *,
        signs: TensorLike | None = None,
        permutation: Sequence[int] | tf.Tensor | None = None,
        shift: TensorLike | None = None,
        max_log_scale: float | None = None,
        validate_args: bool = False,
        name: str = "lu",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            given = (log_diagonal, lower, upper, shift, signs)
            dtype = arguments.common_dtype(*given, owner=owner)
            as_parameter = arguments.as_parameter
            self._lower = as_parameter(lower, "lower", dtype)
            self._upper = as_parameter(upper, "upper", dtype)
            self._log_diagonal = as_parameter(log_diagonal, "log_diagonal", dtype)
            self._signs = as_parameter(signs, "signs", dtype)
            self._shift = as_parameter(shift, "shift", dtype)
            size = arguments.last_size(self._log_diagonal, "log_diagonal")
            arguments.require_square(self._lower.shape, size, "lower", owner)
            arguments.require_square(self._upper.shape, size, "upper", owner)
            for argument, value in (("signs", self._signs), ("shift", self._shift)):
                if value is not None:
                    _checks.require_trailing(value.shape, (size,), argument, owner)
            self._permutation = permutation
            if not (permutation is None or tf.is_tensor(permutation)):
                places = permute.static_permutation(permutation, "permutation")
                if len(places) != size:
                    msg = (
                        f"`permutation` must have {size} elements for this map, got "
                        f"{len(places)}. Pass a permutation of range({size})."
                    )
                    raise ValueError(msg)
                self._permutation = places
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
        init: Any = "identity",
        seed: Seed = None,
        use_shift: bool = True,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        name: str = "lu",
        **kwargs: Any,
    ) -> LU:
        """Return a map of new variables.

        Args:
            size: Number of coordinates `D`.
            init: `"identity"`, `"orthogonal"` (a random rotation, as in Glow), or an
                invertible matrix `[D, D]` to start from. The permutation and the signs
                of its factors stay fixed.
            seed: Seed of the random rotation; `None` draws a new one.
            use_shift: Whether to learn a shift.
            max_log_scale: Soft bound of the log-diagonal, see the class.
            dtype: Dtype of the variables.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        factors, places = _factorize(_initial_matrix(init, size, seed))
        diagonal = np.diag(factors)
        with tf.init_scope():
            log_diagonal = products.unbounded_log_scale(
                tf.constant(np.log(np.abs(diagonal))), max_log_scale
            )
        with tf.name_scope(name):
            variable = arguments.variable
            zeros = np.zeros([size])
            return cls(
                variable(np.tril(factors, -1), "lower", dtype),
                variable(np.triu(factors, 1), "upper", dtype),
                variable(log_diagonal, "log_diagonal", dtype),
                signs=variable(np.sign(diagonal), "signs", dtype, trainable=False),
                permutation=places,
                shift=variable(zeros, "shift", dtype) if use_shift else None,
                max_log_scale=max_log_scale,
                name=name,
                **kwargs,
            )

    @property
    def lower(self) -> tf.Tensor | tf.Variable:
        """Matrix that holds `L` below its diagonal."""
        return self._lower

    @property
    def upper(self) -> tf.Tensor | tf.Variable:
        """Matrix that holds `U` above its diagonal."""
        return self._upper

    @property
    def log_diagonal(self) -> tf.Tensor | tf.Variable:
        """Logarithm of the diagonal, before the bound."""
        return self._log_diagonal

    @property
    def signs(self) -> tf.Tensor | tf.Variable | None:
        """Fixed signs of the diagonal."""
        return self._signs

    @property
    def permutation(self) -> tuple[int, ...] | tf.Tensor | None:
        """The fixed permutation of rows."""
        return self._permutation

    @property
    def shift(self) -> tf.Tensor | tf.Variable | None:
        """What is added to the product."""
        return self._shift

    @property
    def max_log_scale(self) -> float | None:
        """Soft bound of the log-diagonal."""
        return self._max_log_scale

    def loop_form(self) -> base.Bijector:
        """Return the map with its permutation as a tensor."""
        places = self._permutation
        return type(self)(
            self._lower,
            self._upper,
            self._log_diagonal,
            signs=self._signs,
            permutation=None if places is None else tf.constant(places),
            shift=self._shift,
            max_log_scale=self._max_log_scale,
        )

    _is_increasing = monotone.by_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        vector = properties.free(1)
        matrix = properties.free(2)
        return {
            "lower": matrix,
            "upper": matrix,
            "log_diagonal": vector,
            "signs": properties.fixed(1),
            "shift": vector,
        }

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`signs` must be 1 or -1. Pass `None` for ones."
        return [arguments.Requirement(("signs",), _is_sign, message)]

    def matrix(self) -> tf.Tensor:
        """Return `A` as a dense matrix, `[..., D, D]`."""
        lower, upper, _ = self._factors()
        product = tf.matmul(lower, upper)
        places = self._places()
        return product if places is None else tf.gather(product, places[1], axis=-2)

    def _places(self) -> tuple[Any, Any] | None:
        """Return the permutation and its inverse, or `None` for the identity."""
        there = self._permutation
        if there is None:
            return None
        if tf.is_tensor(there):
            return there, tf.argsort(there)
        return there, permute.invert_permutation(there)

    def _factors(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return `L`, the upper factor with its diagonal, and the log-det."""
        log_diagonal = products.bounded_log_scale(
            tf.convert_to_tensor(self._log_diagonal), self._max_log_scale
        )
        diagonal = tf.exp(log_diagonal)
        if self._signs is not None:
            diagonal = diagonal * tf.convert_to_tensor(self._signs)
        strict = tf.convert_to_tensor(self._lower)
        lower = products.lower_triangle(strict, tf.ones_like(strict[..., 0]))
        upper = products.upper_triangle(tf.convert_to_tensor(self._upper), diagonal)
        return lower, upper, tf.reduce_sum(log_diagonal, axis=-1)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        lower, upper, log_det = self._factors()
        y = products.matvec(lower, products.matvec(upper, x))
        places = self._places()
        if places is not None:
            y = products.permute(y, *places[::-1])
        if self._shift is not None:
            y = y + self._shift
        return y, products.broadcast_log_det(log_det, y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        lower, upper, log_det = self._factors()
        x = y if self._shift is None else y - self._shift
        places = self._places()
        if places is not None:
            x = products.permute(x, *places)
        x = products.solve_triangular(lower, x, lower=True)
        x = products.solve_triangular(upper, x, lower=False)
        return x, products.broadcast_log_det(-log_det, x)


def _is_sign(value: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.abs(value), 1.0)
