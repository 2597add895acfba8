"""Wrappers that fit a map on vectors to other events and other conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, Given, Pair
from tfp_flows.bijectors._core import base, monotone, properties
from tfp_flows.bijectors._core.parameters import Option, Part

__all__ = ["EmbedCondition", "OnFlattened"]


class OnFlattened(base.Bijector):
    """Apply a map on vectors to events of any shape, flattened in row-major order.

    Both directions cost what they cost in the wrapped map.
    """

    bijector: base.Bijector = Part(
        "A map of this package on vectors of `prod(event_shape)` numbers.",
        # The map works on vectors, whatever the rank of the event is.
        event_ndims=1,
    )
    event_shape: Any = Option("Shape of one event.", convert=_checks.static_shape)

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        return {
            "event_shape": self.event_shape,
            "forward_min_event_ndims": len(self.event_shape),
            "is_constant_jacobian": self.bijector.is_constant_jacobian,
        }

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        monotone.require_one(self, self.event_shape)
        return monotone.of(self.bijector, condition)

    def _flat(self, value: tf.Tensor) -> tf.Tensor:
        batch = value.shape[: value.shape.rank - len(self.event_shape)]
        size = math.prod(self.event_shape)
        shape = tf.shape(value)[: value.shape.rank - len(self.event_shape)]
        out = tf.reshape(value, tf.concat([shape, [size]], axis=0))
        out.set_shape(batch.concatenate([size]))
        return out

    def _shaped(self, value: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([tf.shape(value)[:-1], self.event_shape], axis=0)
        out = tf.reshape(value, shape)
        out.set_shape(value.shape[:-1].concatenate(self.event_shape))
        return out

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        y, log_det = base.forward_and_log_det(
            self.bijector, self._flat(x), condition, event_ndims=1
        )
        return self._shaped(y), log_det

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        x, log_det = base.inverse_and_log_det(
            self.bijector, self._flat(y), condition, event_ndims=1
        )
        return self._shaped(x), log_det


class EmbedCondition(base.Bijector):
    """Give a conditional map an embedding of the condition instead of the condition.

    The embedding is evaluated once per pass, however many parts the map has.

    Raises:
        ValueError: If the map takes no condition.
    """

    bijector: base.Bijector = Part(
        "A conditional map of this package.", event_ndims=properties.same_event_ndims
    )
    embedding: Callable[[tf.Tensor], tf.Tensor] = Option(
        "`tf.Module` or callable from conditions `[..., *condition_shape]` to what the "
        "map takes, `[..., *bijector.condition_shape]`."
    )
    condition_shape: Any = Option(
        "Trailing shape of the condition to be embedded.",
        convert=_checks.static_shape,
    )

    _of_tensors = False

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        bijector = self.bijector
        if bijector.condition_shape is None:
            msg = (
                "`bijector` must be conditional to embed its condition, got "
                f"`{type(bijector).__name__}` without condition_shape."
            )
            raise ValueError(msg)
        return {
            "condition_shape": self.condition_shape,
            "forward_min_event_ndims": bijector.forward_min_event_ndims,
            "is_constant_jacobian": bijector.is_constant_jacobian,
        }

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        inner = None if condition is None else self.embedding(condition)
        return monotone.of(self.bijector, inner)

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        return self.bijector.forward_and_log_det(x, self.embedding(condition))

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        return self.bijector.inverse_and_log_det(y, self.embedding(condition))
