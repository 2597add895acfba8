"""Leaky rectifiers, which are invertible for positive slopes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import DType, Shape, TensorLike
from tfp_flows.bijectors._core import arguments, base, properties
from tfp_flows.math import leaky
from tfp_flows.math.linear import products

__all__ = ["LeakyReLU", "PReLU"]


def _require_positive(slope: Any) -> None:
    if isinstance(slope, (int, float)) and not 0 < slope < math.inf:
        msg = (
            f"`negative_slope` must be positive and finite, got {slope!r}. A slope of "
            "0 has no inverse; pass for example 0.1."
        )
        raise ValueError(msg)


def _is_positive(value: tf.Tensor) -> tf.Tensor:
    return value > 0.0


class LeakyReLU(base.Bijector):
    """Scale negative numbers: `y = x if x >= 0 else x * negative_slope`.

    Both directions cost `O(1)` per scalar. The density has a jump at zero.

    Args:
        negative_slope: Positive slope left of zero, a scalar or one number per channel
            `[..., C]`.
        validate_args: Whether to check that a slope in a tensor is positive.
        name: Name of the map.

    Raises:
        ValueError: If the slope is a number that is not positive.

    Shapes:
        Scalars; with slopes `[..., C]` inputs are `[..., C]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> leaky = tfpf.bijectors.LeakyReLU(0.5)
        >>> leaky.forward([-2., 2.]).numpy().tolist()
        [-1.0, 2.0]
    """

    def __init__(
        self,
        negative_slope: TensorLike = 0.2,
        *,
        validate_args: bool = False,
        name: str = "leaky_relu",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            _require_positive(negative_slope)
            # A plain number is exact in any dtype.
            dtype, shape = None, tf.TensorShape([])
            if not isinstance(negative_slope, (int, float)):
                owner = f"`{type(self).__name__}`"
                dtype = arguments.common_dtype(negative_slope, owner=owner)
                negative_slope = arguments.as_parameter(
                    negative_slope, "negative_slope", dtype
                )
                shape = negative_slope.shape
            self._negative_slope = negative_slope
            super().__init__(
                event_shape=tuple(shape[-1:]) or None,
                forward_min_event_ndims=0,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def negative_slope(self) -> float | tf.Tensor | tf.Variable:
        """Slope left of zero."""
        return self._negative_slope

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        positive = properties.positive(0, dtype)
        return {"negative_slope": positive}

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    def _requirements(self) -> list[arguments.Requirement]:
        message = "`negative_slope` must be positive. A slope of 0 has no inverse."
        return [arguments.Requirement(("negative_slope",), _is_positive, message)]

    def _log_slope(self, dtype: tf.DType) -> tf.Tensor:
        return tf.math.log(tf.convert_to_tensor(self._negative_slope, dtype))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.forward(x, self._log_slope(x.dtype))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.inverse(y, self._log_slope(y.dtype))


class PReLU(base.Bijector):
    """Scale negative numbers by a learned slope, `exp(s)`.

    `y = x if x >= 0 else x * exp(s)`. Both directions cost `O(1)` per scalar.

    Args:
        log_slope: Gives `s`, a scalar or one number per channel `[..., C]`.
        max_log_scale: Soft bound, `s = max * tanh(log_slope / max)`; `None` takes
            `s = log_slope` as it is.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Shapes:
        Scalars; with slopes `[..., C]` inputs are `[..., C]`.

    Example:
        >>> import tfp_flows as tfpf
        >>> prelu = tfpf.bijectors.PReLU.trainable(negative_slope=0.5)
        >>> prelu.forward([-2., 2.]).numpy().tolist()
        [-1.0, 2.0]

    References:
        He et al. (2015). Delving Deep into Rectifiers. https://arxiv.org/abs/1502.01852
    """

    _of_tensors = True

    def __init__(
        self,
        log_slope: TensorLike,
        *,
        max_log_scale: float | None = None,
        validate_args: bool = False,
        name: str = "prelu",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            owner = f"`{type(self).__name__}`"
            dtype = arguments.common_dtype(log_slope, owner=owner)
            self._log_slope = arguments.as_parameter(log_slope, "log_slope", dtype)
            if max_log_scale is not None:
                _checks.at_least(max_log_scale, 1e-3, "max_log_scale")
            self._max_log_scale = max_log_scale
            super().__init__(
                event_shape=tuple(self._log_slope.shape[-1:]) or None,
                forward_min_event_ndims=0,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls,
        shape: Shape = (),
        *,
        negative_slope: float = 1.0,
        max_log_scale: float | None = 5.0,
        dtype: DType = tf.float32,
        name: str = "prelu",
        **kwargs: Any,
    ) -> PReLU:
        """Return a map of a new variable that starts as the identity.

        Args:
            shape: Shape of the slopes: `()` for one, the number of channels for one
                per channel.
            negative_slope: Slope to start from; 1 is the identity.
            max_log_scale: Soft bound of the log-slope, see the class.
            dtype: Dtype of the variable.
            name: Name of the map.
            **kwargs: Further arguments of the constructor.

        Returns:
            The map.
        """
        _require_positive(negative_slope)
        sizes = _checks.static_shape(shape, "shape") or ()
        with tf.init_scope():
            start = tf.constant(math.log(negative_slope), tf.float64)
            start = products.unbounded_log_scale(start, max_log_scale)
            start = start + np.zeros(sizes)
        with tf.name_scope(name):
            log_slope = arguments.variable(start, "log_slope", dtype)
            return cls(log_slope, max_log_scale=max_log_scale, name=name, **kwargs)

    @property
    def log_slope(self) -> tf.Tensor | tf.Variable:
        """Logarithm of the slope, before the bound."""
        return self._log_slope

    @property
    def max_log_scale(self) -> float | None:
        """Soft bound of the log-slope."""
        return self._max_log_scale

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {"log_slope": properties.free(0)}

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    def _bounded(self) -> tf.Tensor:
        log_slope = tf.convert_to_tensor(self._log_slope)
        return products.bounded_log_scale(log_slope, self._max_log_scale)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.forward(x, self._bounded())

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return leaky.inverse(y, self._bounded())
