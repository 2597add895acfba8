"""The map between pixels and the real line."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors._core import base
from tfp_flows.math import images

__all__ = ["PixelSigmoid"]


class PixelSigmoid(base.Bijector):
    """Map the real line to pixels: `x = num_values * (sigmoid(z) - alpha) / (1 - 2a)`.

    The inverse is the logit of RealNVP and MAF,
    `z = logit(alpha + (1 - 2 * alpha) * x / num_values)`, with every constant in the
    log-det: densities are per unit of raw pixels, and 0 where no `z` has such a pixel.
    Both directions cost one pass.

    Args:
        num_values: Number of values that a pixel may have: 256 for 8 bits.
        alpha: Share of the unit interval kept free at each end, from 0 to below 1/2.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If a number is out of range.

    Shapes:
        Elementwise.

    Example:
        >>> import tfp_flows as tfpf
        >>> pixels = tfpf.bijectors.PixelSigmoid(num_values=256)
        >>> pixels.forward(0.).numpy().tolist()
        128.0

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803, section 4.1
    """

    def __init__(
        self,
        *,
        num_values: float = 256.0,
        alpha: float = 0.05,
        validate_args: bool = False,
        name: str = "pixel_sigmoid",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            _checks.at_least(num_values, 1, "num_values")
            _checks.plain_number(alpha, "alpha")
            if not 0.0 <= alpha < 0.5:
                msg = f"`alpha` must be in [0, 0.5), got {alpha}. Use 0.05, or 1e-6."
                raise ValueError(msg)
            self._num_values = float(num_values)
            self._alpha = float(alpha)
            super().__init__(
                forward_min_event_ndims=0,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def num_values(self) -> float:
        """Number of values that a pixel may have."""
        return self._num_values

    @property
    def alpha(self) -> float:
        """Share of the unit interval kept free at each end."""
        return self._alpha

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {}

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images.pixel_sigmoid(x, self._num_values, self._alpha)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images.pixel_logit(y, self._num_values, self._alpha)
