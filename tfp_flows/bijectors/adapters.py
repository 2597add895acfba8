"""Wrappers that fit a map on vectors to other events and other conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Condition, Shape
from tfp_flows.bijectors._core import base, monotone

__all__ = ["EmbedCondition", "OnFlattened"]


class OnFlattened(base.Bijector):
    """Apply a map on vectors to events of any shape, flattened in row-major order.

    Both directions cost what they cost in the wrapped map.

    Args:
        bijector: A map of this package on vectors of `prod(event_shape)` numbers.
        event_shape: Shape of one event.
        validate_args: Whether to run value checks.
        name: Name of the map.
    """

    def __init__(
        self,
        bijector: base.Bijector,
        event_shape: Shape,
        *,
        validate_args: bool = False,
        name: str = "on_flattened",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._bijector = bijector
            self._event_shape = _checks.static_shape(event_shape, "event_shape")
            super().__init__(
                event_shape=self._event_shape,
                condition_shape=bijector.condition_shape,
                forward_min_event_ndims=len(self._event_shape),
                is_constant_jacobian=bijector.is_constant_jacobian,
                dtype=bijector.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def bijector(self) -> base.Bijector:
        """The map on vectors."""
        return self._bijector

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self._event_shape

    @property
    def repeatable(self) -> bool:
        """Whether the map on vectors is."""
        return getattr(self._bijector, "repeatable", False)

    def loop_form(self) -> base.Bijector:
        """Return the map with the one on vectors in the form that loops go through."""
        return OnFlattened(self._bijector.loop_form(), self._event_shape)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        # The map works on vectors, whatever the rank of the event is.
        return {"bijector": tfp.util.BatchedComponentProperties(event_ndims=1)}

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        monotone.require_one(self, self._event_shape)
        return monotone.of(self._bijector, condition)

    def _flat(self, value: tf.Tensor) -> tf.Tensor:
        batch = value.shape[: value.shape.rank - len(self._event_shape)]
        size = math.prod(self._event_shape)
        shape = tf.shape(value)[: value.shape.rank - len(self._event_shape)]
        out = tf.reshape(value, tf.concat([shape, [size]], axis=0))
        out.set_shape(batch.concatenate([size]))
        return out

    def _shaped(self, value: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([tf.shape(value)[:-1], self._event_shape], axis=0)
        out = tf.reshape(value, shape)
        out.set_shape(value.shape[:-1].concatenate(self._event_shape))
        return out

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = base.forward_and_log_det(
            self._bijector, self._flat(x), condition, event_ndims=1
        )
        return self._shaped(y), log_det

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = base.inverse_and_log_det(
            self._bijector, self._flat(y), condition, event_ndims=1
        )
        return self._shaped(x), log_det


class EmbedCondition(base.Bijector):
    """Give a conditional map an embedding of the condition instead of the condition.

    The embedding is evaluated once per pass, however many parts the map has.

    Args:
        bijector: A conditional map of this package.
        embedding: `tf.Module` or callable from conditions `[..., *condition_shape]` to
            what the map takes, `[..., *bijector.condition_shape]`.
        condition_shape: Trailing shape of the condition to be embedded.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If the map takes no condition.
    """

    def __init__(
        self,
        bijector: base.Bijector,
        embedding: Callable[[tf.Tensor], tf.Tensor],
        condition_shape: Shape,
        *,
        validate_args: bool = False,
        name: str = "embed_condition",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._bijector = bijector
            self._embedding = embedding
            if bijector.condition_shape is None:
                msg = (
                    "`bijector` must be conditional to embed its condition, got "
                    f"`{type(bijector).__name__}` without condition_shape."
                )
                raise ValueError(msg)
            super().__init__(
                condition_shape=_checks.static_shape(
                    condition_shape, "condition_shape"
                ),
                forward_min_event_ndims=bijector.forward_min_event_ndims,
                is_constant_jacobian=bijector.is_constant_jacobian,
                dtype=bijector.dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @property
    def bijector(self) -> base.Bijector:
        """The conditional map."""
        return self._bijector

    @property
    def embedding(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """What the condition passes through."""
        return self._embedding

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        def event_ndims(_: EmbedCondition, x_event_ndims: int) -> int:
            return x_event_ndims

        return {"bijector": tfp.util.BatchedComponentProperties(event_ndims)}

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        inner = None if condition is None else self._embedding(condition)
        return monotone.of(self._bijector, inner)

    def _forward_and_log_det(
        self, x: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bijector.forward_and_log_det(x, self._embedding(condition))

    def _inverse_and_log_det(
        self, y: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bijector.inverse_and_log_det(y, self._embedding(condition))
