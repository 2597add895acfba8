"""Radial maps: points move towards a centre, or away from it."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Seed, TensorLike
from tfp_flows.bijectors._core import arguments, base, monotone
from tfp_flows.bijectors._core.parameters import MAX_LOG_SCALE, Parameter
from tfp_flows.math import balls, bends
from tfp_flows.math.linear import products

__all__ = ["Radial"]


class Radial(base.Bijector):
    """Move points from a centre: `y = x + beta * (x - center) / (alpha + r)`.

    `r` is the distance of `x` from the centre, and `alpha = exp(s)` that within which
    points move most. The map is invertible for `beta > -alpha`, and any `strength` is
    made so: `beta = alpha * strength`, if negative `alpha * strength / (1 - strength)`.

    Both directions are closed forms, `O(D)` per event: the inverse is the root of a
    quadratic equation.

    Example:
        >>> import tfp_flows as tfpf
        >>> radial = tfpf.bijectors.Radial([0., 0.], 0., 1.)
        >>> radial.forward([1., 0.]).numpy().tolist()
        [1.5, 0.0]

    References:
        Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
        https://arxiv.org/abs/1505.05770, eq. 14 and appendix A.2
    """

    center: TensorLike = Parameter("D", "The centre.")
    log_radius: TensorLike = Parameter("", "Gives `s`, `[...]`.", start=0.0)
    strength: TensorLike = Parameter("", "Gives `beta`, as above, `[...]`.", start=0.0)
    _: KW_ONLY
    max_log_scale: float | None = MAX_LOG_SCALE

    _is_increasing = monotone.increasing_of_one

    @classmethod
    def trainable(
        cls,
        size: int,
        *,
        seed: Seed = None,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        **kwargs: Any,
    ) -> Radial:
        """Return a map of new variables that starts as the identity.

        Args:
            seed: Seed of the centre, which is drawn from a standard normal.
        """
        _checks.at_least(size, 1, "size")
        kwargs["max_log_scale"] = max_log_scale
        center = arguments.generator(seed).normal(size=size)
        return cls._of_variables({"D": size}, dtype, center=center, **kwargs)

    def _sizes(self) -> tuple[tf.Tensor, tf.Tensor]:
        log_radius = products.bounded_log_scale(
            tf.convert_to_tensor(self.log_radius), self.max_log_scale
        )
        stretch = bends.bounded(tf.convert_to_tensor(self.strength))[1]
        return tf.exp(log_radius), stretch

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        center = tf.convert_to_tensor(self.center)
        y, log_det = balls.forward(x - center, *self._sizes())
        return y + center, log_det

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        center = tf.convert_to_tensor(self.center)
        x, log_det = balls.inverse(y - center, *self._sizes())
        return x + center, log_det
