"""Planar maps: points move along one direction, by their distance to a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import Parameter
from tfp_flows.math import bends

__all__ = ["Planar"]


class Planar(base.Bijector):
    """Add a multiple of one direction: `y = x + u * tanh(w . x + b)`.

    The map is invertible for `w . u > -1`, and any `direction` is made so: if
    `s = w . direction` is negative, `u = direction + s**2 / (1 - s) / (w . w) * w`,
    hence `w . u = s / (1 - s)`; else `u = direction`.

    Forward is a closed form, `O(D)` per event. Inverse searches for the root of an
    increasing function of one number, `O(D)` and about ten evaluations of it, and has
    exact derivatives. The log-det follows from the matrix determinant lemma.

    Raises:
        ValueError: If sizes do not agree.
        tf.errors.InvalidArgumentError: By `inverse`, if a search finds no root.

    Example:
        >>> import tfp_flows as tfpf
        >>> planar = tfpf.bijectors.Planar([1., 0.], [0., 2.], 0.)
        >>> planar.forward([100., 3.]).numpy().tolist()
        [100.0, 5.0]

    References:
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770, eq. 10 and appendix A.1
    """

    normal: TensorLike = Parameter("D", "Normal vector `w` of the plane.")
    direction: TensorLike = Parameter("D", "Gives `u`, as above.", start=0.0)
    offset: TensorLike = Parameter("", "The offset `b`, `[...]`.", start=0.0)

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def trainable(
        cls, size: int, *, seed: Seed = None, dtype: DType = tf.float32, **kwargs: Any
    ) -> Planar:
        """Return a map of new variables that starts as the identity.

        Args:
            seed: Seed of the normal vector and the offset.
        """
        _checks.at_least(size, 1, "size")
        rng = arguments.generator(seed)
        normal = rng.normal(size=size)
        normal /= np.linalg.norm(normal)
        given = {"normal": normal, "offset": rng.normal(), **kwargs}
        return cls._of_variables({"D": size}, dtype, **given)

    def _height(self, value: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.normal * value, axis=-1) + self.offset

    def _move(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return `u`, `w . u`, and one more than that."""
        normal = tf.convert_to_tensor(self.normal)
        direction = tf.convert_to_tensor(self.direction)
        raw = tf.reduce_sum(normal * direction, axis=-1)
        product, stretch = bends.bounded(raw)
        square = tf.reduce_sum(tf.square(normal), axis=-1)
        # A zero normal vector needs no correction.
        square = tf.where(square > 0.0, square, tf.ones_like(square))
        change = ((product - raw) / square)[..., tf.newaxis]
        return direction + change * normal, product, stretch

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        move, _, stretch = self._move()
        height = self._height(x)
        y = x + move * tf.tanh(height)[..., tf.newaxis]
        return y, bends.log_slope(height, stretch)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        move, product, stretch = self._move()
        height = bends.unbend(self._height(y), product, stretch)
        x = y - move * tf.tanh(height)[..., tf.newaxis]
        return x, -bends.log_slope(height, stretch)
