"""A density of one number after a monotone map of its distribution function."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Seed
from tfp_flows.distributions import shared
from tfp_flows.math.splines import rational_quadratic

__all__ = ["Recalibrated"]


class Recalibrated(shared.Wrapper):
    """The density whose distribution function is `G(F(x))`, with a spline `G`.

    `p(x) = G'(F(x)) * f(x)`, exactly; quantiles are those of `F` at `G^-1` of levels.

    Args:
        distribution: Over numbers, with `cdf` and `quantile`.
        x_knots: Knots of `G` in its domain, from 0 to 1, `[K + 1]`.
        y_knots: Values there, from 0 to 1, `[K + 1]`.
        knot_slopes: Slopes there, `[K + 1]`.
        validate_args: Whether to run value checks.
        name: Name.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows.distributions import Recalibrated
        >>> half = Recalibrated(tfd.Normal(0.0, 1.0), [0.0, 0.5, 1.0],
        ...                     [0.0, 0.8, 1.0], [1.6, 0.7, 0.4])
        >>> round(float(half.cdf(0.0)), 3)
        0.8
    """

    _parameter_properties = shared.Wrapper.parameter_properties

    def __init__(
        self,
        distribution: tfd.Distribution,
        x_knots: Any,
        y_knots: Any,
        knot_slopes: Any,
        *,
        validate_args: bool = False,
        name: str = "recalibrated",
    ) -> None:
        parameters = dict(locals())
        self._distribution = distribution
        self._spline = [
            np.asarray(part, np.float64) for part in (x_knots, y_knots, knot_slopes)
        ]
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([], tf.int32)

    def _knots(self, like: tf.Tensor) -> list[tf.Tensor]:
        shape = [-1, *[1] * like.shape.rank]
        return [tf.reshape(tf.constant(p, like.dtype), shape) for p in self._spline]

    def _mapped(self, level: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rational_quadratic.forward(level, *self._knots(level))

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        density = self.distribution
        return density.log_prob(x) + self._mapped(density.cdf(x))[1]

    def _cdf(self, x: tf.Tensor) -> tf.Tensor:
        return self._mapped(self.distribution.cdf(x))[0]

    def _quantile(self, value: tf.Tensor) -> tf.Tensor:
        level = rational_quadratic.inverse(value, *self._knots(value))[0]
        return self.distribution.quantile(level)

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        seed = tfp.random.sanitize_seed(seed)
        return self._quantile(
            tf.random.stateless_uniform(shape, seed, dtype=self.dtype)
        )
