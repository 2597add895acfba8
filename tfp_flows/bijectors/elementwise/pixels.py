"""The map between pixels and the real line."""

from __future__ import annotations

from dataclasses import KW_ONLY

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors._core import base, monotone
from tfp_flows.bijectors._core.parameters import Option, at_least
from tfp_flows.math import images

__all__ = ["PixelSigmoid"]


def _is_margin(value: float, name: str) -> None:
    _checks.plain_number(value, name)
    if not 0.0 <= value < 0.5:
        msg = f"`{name}` must be in [0, 0.5), got {value}. Use 0.05, or 1e-6."
        raise ValueError(msg)


class PixelSigmoid(base.Bijector):
    """Map the real line to pixels: `x = num_values * (sigmoid(z) - alpha) / (1 - 2a)`.

    The inverse is the logit of RealNVP and MAF,
    `z = logit(alpha + (1 - 2 * alpha) * x / num_values)`, with every constant in the
    log-det: densities are per unit of raw pixels, and 0 where no `z` has such a pixel.
    Both directions cost one pass.

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

    _: KW_ONLY
    num_values: float = Option(
        "Number of values that a pixel may have: 256 for 8 bits.",
        default=256.0,
        check=at_least(1),
    )
    alpha: float = Option(
        "Share of the unit interval kept free at each end, from 0 to below 1/2.",
        default=0.05,
        check=_is_margin,
    )

    _event = ""
    _is_increasing = monotone.increasing

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images.pixel_sigmoid(x, float(self.num_values), float(self.alpha))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return images.pixel_logit(y, float(self.num_values), float(self.alpha))
