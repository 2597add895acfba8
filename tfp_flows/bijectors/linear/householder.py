"""Products of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.bijectors.linear.base import Factors, Linear
from tfp_flows.math.linear import products

__all__ = ["HouseholderProduct"]


class HouseholderProduct(Linear):
    """Multiply by a product of reflections, an orthogonal matrix.

    `y = H_1 @ H_2 @ ... @ H_M @ x` with `H_m = I - 2 * v_m @ v_m.T / (v_m.T @ v_m)`.
    `M = D` reflections reach every orthogonal matrix; fewer are cheaper. Where
    `tfb.Householder` is one reflection with one axis, this is the trainable layer.

    Both directions cost `O(M * D)` per event and `O(M**2 * D)` once per call, without
    a loop over reflections. The log-det is 0.

    Raises:
        ValueError: If `vectors` is not a matrix of known sizes.

    Example:
        >>> import tfp_flows as tfpf
        >>> reflect = tfpf.bijectors.HouseholderProduct([[1., 1.]])
        >>> reflect.forward([3., 1.]).numpy().tolist()
        [-1.0, -3.0]

    References:
        Tomczak, Welling (2016). Improving Variational Auto-Encoders using Householder
        Flow. https://arxiv.org/abs/1611.09630
    """

    vectors: TensorLike = Parameter(
        "M D",
        "The `v_m` of any length, with `M` at least 1. The reflection of a zero vector "
        "is the identity, with finite gradients.",
    )

    @classmethod
    def trainable(
        cls,
        size: int,
        num_reflections: int,
        *,
        init: str = "identity",
        seed: Seed = None,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> HouseholderProduct:
        """Return a map of new variables.

        Args:
            num_reflections: Number of reflections `M`.
            init: `"identity"`: neighbours start as equal random vectors, whose
                reflections cancel, an odd one is left; or `"random"`.
            seed: Seed of the vectors; `None` draws a new one.
        """
        _checks.at_least(size, 1, "size")
        _checks.at_least(num_reflections, 1, "num_reflections")
        _checks.one_of(init, ("identity", "random"), "init")
        copies = 2 if init == "identity" else 1
        drawn = [-(-num_reflections // copies), size]
        vectors = arguments.generator(seed).normal(size=drawn)
        vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        vectors = np.repeat(vectors, copies, axis=0)[:num_reflections]
        return cls._of_variables({}, dtype, vectors=vectors, **kwargs)

    def _factors(self) -> tuple[Factors, None]:
        return (tf.convert_to_tensor(self.vectors),), None

    def _product(self, factors: Factors, x: tf.Tensor) -> tf.Tensor:
        return products.reflect(factors[0], x)

    def _solution(self, factors: Factors, y: tf.Tensor) -> tf.Tensor:
        return products.reflect(factors[0], y, inverse=True)
