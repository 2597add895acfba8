"""Products of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone, properties
from tfp_flows.math.linear import products

__all__ = ["HouseholderProduct"]


class HouseholderProduct(base.Bijector):
    """Multiply by a product of reflections, an orthogonal matrix.

    `y = H_1 @ H_2 @ ... @ H_M @ x` with `H_m = I - 2 * v_m @ v_m.T / (v_m.T @ v_m)`.
    `M = D` reflections reach every orthogonal matrix; fewer are cheaper. Where
    `tfb.Householder` is one reflection with one axis, this is the trainable layer.

    Both directions cost `O(M * D)` per event and `O(M**2 * D)` once per call, without
    a loop over reflections. The log-det is 0.

    Args:
        vectors: The `v_m` of any length, `[..., M, D]` with `M` at least 1. The
            reflection of a zero vector is the identity, with finite gradients.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If `vectors` is not a matrix of known sizes.

    Shapes:
        `[..., D]` to `[..., D]`; leading dimensions of the vectors broadcast.

    Example:
        >>> import tfp_flows as tfpf
        >>> reflect = tfpf.bijectors.HouseholderProduct([[1., 1.]])
        >>> reflect.forward([3., 1.]).numpy().tolist()
        [-1.0, -3.0]

    References:
        Tomczak, Welling (2016). Improving Variational Auto-Encoders using Householder
        Flow. https://arxiv.org/abs/1611.09630
    """

    _of_tensors = True

    def __init__(
        self,
        vectors: TensorLike,
        *,
        validate_args: bool = False,
        name: str = "householder_product",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(vectors, owner=owner)
            self._vectors = arguments.as_parameter(vectors, "vectors", dtype)
            shape = self._vectors.shape
            if shape.rank is None or shape.rank < 2 or not all(shape[-2:].as_list()):
                msg = (
                    "`vectors` must have shape [..., M, D] with known M and D of at "
                    f"least 1, got {shape}. Pass one vector as [[...]]."
                )
                raise ValueError(msg)
            super().__init__(
                event_shape=(int(shape[-1]),),
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
        num_reflections: int,
        *,
        seed: Seed = None,
        dtype: DType = tf.float32,
        name: str = "householder_product",
        **kwargs: Any,
    ) -> HouseholderProduct:
        """Return a map of new variables.

        Neighbours start as equal random vectors, whose reflections cancel: an even
        number of reflections starts as the identity, an odd one as one reflection.

        Args:
            size: Number of coordinates `D`.
            num_reflections: Number of reflections `M`.
            seed: Seed of the vectors; `None` draws a new one.
            dtype: Dtype of the variable.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(num_reflections, 1, "num_reflections")
        pairs = [(num_reflections + 1) // 2, size]
        vectors = arguments.generator(seed).normal(size=pairs)
        vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        vectors = np.repeat(vectors, 2, axis=0)[:num_reflections]
        with tf.name_scope(name):
            vectors = arguments.variable(vectors, "vectors", dtype)
            return cls(vectors, name=name, **kwargs)

    @property
    def vectors(self) -> tf.Tensor | tf.Variable:
        """Normals of the mirrors."""
        return self._vectors

    _is_increasing = monotone.by_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {"vectors": properties.free(2)}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = products.reflect(tf.convert_to_tensor(self._vectors), x)
        return y, products.broadcast_log_det(tf.zeros([], y.dtype), y)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = products.reflect(tf.convert_to_tensor(self._vectors), y, inverse=True)
        return x, products.broadcast_log_det(tf.zeros([], x.dtype), x)
