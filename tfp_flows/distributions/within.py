"""A density that is 0 outside of its bounds, whatever TFP says of it there."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Seed

__all__ = ["Within"]


class Within(tfd.Independent):
    """A distribution whose log-density outside of an interval is minus infinity.

    TFP leaves it open what a density is outside of its support: of a Beta or a gamma
    distribution it is NaN, of an exponential one a number above 0. At the ends, and
    inside, it is that of TFP.

    Args:
        distribution: A density of events whose coordinates lie in one interval.
        low: Its lower end, may be infinite.
        high: Its upper end, may be infinite.
        validate_args: Whether to run value checks.
        name: Name.
    """

    def __init__(
        self,
        distribution: tfd.Distribution,
        low: float,
        high: float,
        *,
        validate_args: bool = False,
        name: str | None = None,
    ) -> None:
        parameters = dict(locals())
        self._low, self._high = float(low), float(high)
        super().__init__(
            distribution,
            reinterpreted_batch_ndims=0,
            validate_args=validate_args,
            name=name or distribution.name,
        )
        self._parameters = self._no_dependency(parameters)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        found = tfd.Independent.parameter_properties(dtype, num_classes)
        return {"distribution": found["distribution"]}

    def _log_prob(self, value: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        outside = (value < self._low) | (value > self._high)
        axes = list(range(-self.event_shape.rank, 0))
        if axes:
            outside = tf.reduce_any(outside, axis=axes, keepdims=True)
        # An event inside where it is not, so that gradients are finite.
        safe = tf.where(outside, tf.cast(self._inside, value.dtype), value)
        found = self.distribution.log_prob(safe, **kwargs)
        nowhere = tf.squeeze(outside, axes) if axes else outside
        return tf.where(nowhere, tf.cast(-math.inf, found.dtype), found)

    @property
    def _inside(self) -> float:
        if math.isinf(self._high):
            return self._low + 1.0
        if math.isinf(self._low):
            return self._high - 1.0
        return 0.5 * (self._low + self._high)

    def _sample_and_log_prob(
        self, sample_shape: Any, seed: Seed, **kwargs: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        x = self.distribution.sample(sample_shape, seed=seed, **kwargs)
        return x, self.log_prob(x)

    def _clipped(self, value: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(value, self._low, self._high)

    def _cdf(self, value: tf.Tensor) -> tf.Tensor:
        return self.distribution.cdf(self._clipped(value))

    def _log_cdf(self, value: tf.Tensor) -> tf.Tensor:
        return self.distribution.log_cdf(self._clipped(value))

    def _survival_function(self, value: tf.Tensor) -> tf.Tensor:
        return self.distribution.survival_function(self._clipped(value))

    def _log_survival_function(self, value: tf.Tensor) -> tf.Tensor:
        return self.distribution.log_survival_function(self._clipped(value))

    def _quantile(self, value: tf.Tensor) -> tf.Tensor:
        return self.distribution.quantile(value)
