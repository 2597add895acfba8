"""Shifts and scales."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows.bijectors.transformers import base
from tfp_flows.math.linear import products

__all__ = ["Additive", "Affine"]


@dataclasses.dataclass(frozen=True)
class Additive(base.Transformer):
    """`y = x + shift`: volume preserving (NICE).

    References:
        Dinh et al. (2014). NICE. https://arxiv.org/abs/1410.8516
    """

    @property
    def params_size(self) -> int:
        """One shift."""
        return 1

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Add the shift; the log-derivative is 0."""
        y = x + params[0]
        return y, tf.zeros_like(y)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Subtract the shift; the log-derivative is 0."""
        x = y - params[0]
        return x, tf.zeros_like(x)


@dataclasses.dataclass(frozen=True)
class Affine(base.Transformer):
    """`y = x * exp(s) + shift` with `s` softly bounded, so that inverses stay finite.

    Args:
        max_log_scale: Bound of `s = max * tanh(raw / max)`.

    References:
        Dinh et al. (2016). RealNVP. https://arxiv.org/abs/1605.08803
    """

    max_log_scale: float = 5.0

    def __post_init__(self) -> None:
        _checks.at_least(self.max_log_scale, 1e-3, "max_log_scale")

    @property
    def params_size(self) -> int:
        """Shift and raw log-scale."""
        return 2

    def _log_scale(self, raw: tf.Tensor) -> tf.Tensor:
        return products.bounded_log_scale(raw, self.max_log_scale)

    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Scale, then shift."""
        shift, raw = tf.unstack(params)
        log_scale = self._log_scale(raw)
        y = x * tf.exp(log_scale) + shift
        return y, log_scale + tf.zeros_like(y)

    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Shift back, then scale back."""
        shift, raw = tf.unstack(params)
        log_scale = self._log_scale(raw)
        x = (y - shift) * tf.exp(-log_scale)
        return x, tf.zeros_like(x) - log_scale
