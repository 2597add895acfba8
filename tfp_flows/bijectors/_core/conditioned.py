"""What maps by a transformer and a conditioner share."""

from __future__ import annotations

import abc
from typing import Any

import tensorflow as tf

from tfp_flows._types import Given, Pair
from tfp_flows.bijectors._core import base

__all__ = ["ByConditioner", "EitherWay", "OnColumns"]


class EitherWay(abc.ABC):
    """Part of maps that write one function for both directions."""

    @abc.abstractmethod
    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        """Return the value and the log-det of a direction."""

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        return self._either(x, condition, inverse=False)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        return self._either(y, condition, inverse=True)


class ByConditioner(EitherWay, base.Bijector):
    """Base class of maps whose transformer takes its parameters from a network.

    Subclasses declare `transformer` and `conditioner`, and write one function for both
    directions.
    """

    transformer: Any
    conditioner: Any

    def _transformed(
        self, value: tf.Tensor, params: tf.Tensor, *, inverse: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return scalars mapped by the transformer, and their log-derivatives."""
        if inverse:
            return self.transformer.inverse(value, params)
        return self.transformer.forward(value, params)


class OnColumns(ByConditioner):
    """Base class of those that take vectors of a batch as columns, `[D, N]`.

    Subclasses write `_on_batch`, for columns.
    """

    @abc.abstractmethod
    def _on_batch(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        """Return columns, and the log-dets of single numbers."""

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        value, condition, batch = self._columns(value, condition)
        out, log_det = self._on_batch(value, condition, inverse=inverse)
        return batch.events(out), batch.scalars(tf.reduce_sum(log_det, axis=0))
