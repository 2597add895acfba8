"""What maps by a transformer and a conditioner share."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfp_flows.bijectors._core import base

__all__ = ["ByConditioner"]


class ByConditioner(base.Bijector):
    """Base class of maps whose transformer takes its parameters from a network.

    Subclasses declare `transformer` and `conditioner`, and write one function for both
    directions.
    """

    transformer: Any
    conditioner: Any

    def _either(
        self, value: tf.Tensor, condition: tf.Tensor | None, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the value and the log-det of a direction."""
        raise NotImplementedError

    def _transformed(
        self, value: tf.Tensor, params: tf.Tensor, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return scalars mapped by the transformer, and their log-derivatives."""
        if inverse:
            return self.transformer.inverse(value, params)
        return self.transformer.forward(value, params)

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._either(x, condition, inverse=False)

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._either(y, condition, inverse=True)
