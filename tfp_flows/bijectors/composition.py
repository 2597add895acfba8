"""Maps made of maps: chains, inversion, and a fixed condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks
from tfp_flows._types import Condition, Given, Pair
from tfp_flows.bijectors._core import (
    arguments,
    base,
    conditioned,
    looping,
    monotone,
    properties,
    scan,
)
from tfp_flows.bijectors._core.parameters import Option, Part, Parts

__all__ = ["Chain", "Conditioned", "Invert"]


class Chain(conditioned.EitherWay, base.Bijector):
    """Compose maps, rightmost first, as `tfb.Chain` does.

    The differences to `tfb.Chain`: one pass through the parts gives the value and the
    log-det, a condition reaches every conditional part without nested names, and
    nothing stale is served in eager mode when a variable changes. Parts may be maps
    of this package or of TFP that keep the rank of the event.

    Both directions cost what the parts cost in that direction.

    Shapes:
        The event has the rank of the part with the largest minimal event.

    Example:
        >>> import tfp_flows as tfpf
        >>> from tensorflow_probability import bijectors as tfb
        >>> chain = tfpf.bijectors.Chain([tfb.Exp(), tfb.Scale(2.)])
        >>> float(chain.forward(0.5).numpy())
        2.7182817459106445
    """

    bijectors: Sequence[tfb.Bijector] = Parts(
        "The parts; `Chain([f, g]).forward(x) == f(g(x))`. Empty: identity."
    )
    _: KW_ONLY
    checkpoint: bool = Option(
        "Whether the gradient keeps only the input of each part, or of each block of "
        "parts that is repeated, and runs it once more: less memory, for about a third "
        "more time per training step.",
        default=False,
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        shapes = [getattr(b, "condition_shape", None) for b in self._bijectors]
        shapes = list(dict.fromkeys(s for s in shapes if s is not None))
        if len(shapes) > 1:
            msg = (
                "`bijectors` must agree on the condition, got parts with "
                f"condition_shape {shapes[0]} and {shapes[1]}. Build all with one."
            )
            raise ValueError(msg)
        for part in self._bijectors:
            if part.forward_min_event_ndims != part.inverse_min_event_ndims:
                msg = (
                    "`bijectors` must keep the rank of the event, got "
                    f"`{part.name}` that maps rank {part.forward_min_event_ndims} "
                    f"to {part.inverse_min_event_ndims}. Use `tfb.Chain` for it."
                )
                raise ValueError(msg)
        rank = max((b.forward_min_event_ndims for b in self._bijectors), default=0)
        known = {getattr(b, "checked_shape", None) for b in self._bijectors}
        known = {shape for shape in known if shape and len(shape) == rank}
        # That of every part, unless one changes it, as a map onto a sphere does.
        parts = self._bijectors if rank == 1 else ()
        if any(b.forward_event_shape(s) != s for b in parts for s in known):
            known = set()
        return {
            # Parts of TFP would broadcast a wrong event before ours sees it.
            "event_shape": known.pop() if len(known) == 1 else None,
            "forward_min_event_ndims": rank,
            "is_constant_jacobian": all(
                b.is_constant_jacobian for b in self._bijectors
            ),
        }

    @property
    def repeatable(self) -> bool:
        """Whether all parts are."""
        return all(getattr(part, "repeatable", False) for part in self._bijectors)

    def loop_form(self) -> base.Bijector:
        """Return the chain of the parts in the form that loops go through."""
        if not self.repeatable:
            return self
        parts = [part.loop_form() for part in self._bijectors]
        return Chain(parts, checkpoint=self._checkpoint)

    def _forward_event_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        for part in reversed(self._bijectors):
            input_shape = part.forward_event_shape(input_shape)
        return input_shape

    def _forward_event_shape_tensor(self, input_shape: tf.Tensor) -> tf.Tensor:
        for part in reversed(self._bijectors):
            input_shape = part.forward_event_shape_tensor(input_shape)
        return input_shape

    def _inverse_event_shape(self, output_shape: tf.TensorShape) -> tf.TensorShape:
        for part in self._bijectors:
            output_shape = part.inverse_event_shape(output_shape)
        return output_shape

    def _inverse_event_shape_tensor(self, output_shape: tf.Tensor) -> tf.Tensor:
        for part in self._bijectors:
            output_shape = part.inverse_event_shape_tensor(output_shape)
        return output_shape

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        increasing = True
        for part in self._bijectors:
            increasing = tf.equal(increasing, monotone.of(part, condition))
        return increasing

    def _either(self, value: tf.Tensor, condition: Given, *, inverse: bool) -> Pair:
        rank = self.forward_min_event_ndims
        one = base.inverse_and_log_det if inverse else base.forward_and_log_det
        log_det = tf.zeros([], value.dtype)
        parts = self._bijectors if inverse else self._bijectors[::-1]
        least = looping.least_blocks(rank=rank, checkpoint=self._checkpoint)
        forms: scan.Forms = {}
        for blocks in looping.blocks(parts, least, forms):
            (first, *_), *others = blocks
            if others or (self._checkpoint and getattr(first, "repeatable", False)):
                value, part_log_det = scan.evaluate(
                    blocks,
                    value,
                    condition,
                    event_ndims=rank,
                    inverse=inverse,
                    forms=forms,
                )
            else:
                value, part_log_det = one(first, value, condition, event_ndims=rank)
            log_det = log_det + part_log_det
        return value, log_det


class Invert(base.Bijector):
    """Swap the two directions of a map, as `tfb.Invert` does.

    The condition passes through. Each direction costs what the other one costs in the
    wrapped map: an inverted masked autoregressive map is an inverse autoregressive one.
    """

    bijector: tfb.Bijector = Part(
        "The map to invert, of this package or of TFP.",
        event_ndims=properties.same_event_ndims,
    )

    def _setup(self, sizes: dict[str, int]) -> dict[str, Any]:
        return {
            "forward_min_event_ndims": self.bijector.inverse_min_event_ndims,
            "is_constant_jacobian": self.bijector.is_constant_jacobian,
        }

    def _forward_event_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return self.bijector.inverse_event_shape(input_shape)

    def _forward_event_shape_tensor(self, input_shape: tf.Tensor) -> tf.Tensor:
        return self.bijector.inverse_event_shape_tensor(input_shape)

    def _inverse_event_shape(self, output_shape: tf.TensorShape) -> tf.TensorShape:
        return self.bijector.forward_event_shape(output_shape)

    def _inverse_event_shape_tensor(self, output_shape: tf.Tensor) -> tf.Tensor:
        return self.bijector.forward_event_shape_tensor(output_shape)

    def _is_increasing(self, condition: Condition = None) -> tf.Tensor | bool:
        return monotone.of(self.bijector, condition)

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        rank = self.forward_min_event_ndims
        return base.inverse_and_log_det(self.bijector, x, condition, event_ndims=rank)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        rank = self.forward_min_event_ndims
        return base.forward_and_log_det(self.bijector, y, condition, event_ndims=rank)


class Conditioned(base.Bijector):
    """Fix the condition of a conditional map, which makes it unconditional.

    Both directions cost what they cost in the wrapped map.

    Args:
        bijector: A conditional map of this package.
        condition: Its condition, `[..., *condition_shape]`; a variable is read at each
            use. Leading dimensions broadcast against those of the input.
        validate_args: Whether to run value checks.
        name: Name of the map.

    Raises:
        ValueError: If the map takes no condition, or one of another shape.
    """

    def __init__(
        self,
        bijector: base.Bijector,
        condition: Any,
        *,
        validate_args: bool = False,
        name: str = "conditioned",
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._bijector = bijector
            hint = bijector.dtype or tf.float32
            if arguments.reference(condition) is None and not callable(condition):
                condition = tf.convert_to_tensor(condition, dtype_hint=hint)
            self._condition = arguments.as_parameter(condition, "condition", hint)
            shape = getattr(bijector, "condition_shape", None)
            owner = f"`{type(bijector).__name__}`"
            _checks.require_condition(self._condition, shape, owner)
            _checks.require_trailing(self._condition.shape, shape, "condition", owner)
            super().__init__(
                forward_min_event_ndims=bijector.forward_min_event_ndims,
                is_constant_jacobian=bijector.is_constant_jacobian,
                validate_args=validate_args,
                parameters=parameters,
                dtype=bijector.dtype,
                name=name,
            )

    @property
    def bijector(self) -> base.Bijector:
        """The conditional map."""
        return self._bijector

    @property
    def condition(self) -> tf.Tensor | tf.Variable:
        """The fixed condition."""
        return self._condition

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        # The rank of the condition belongs to the minimal event of the map.
        def condition_ndims(self: Conditioned, x_event_ndims: int) -> int:
            extra = x_event_ndims - self.forward_min_event_ndims
            return len(self._bijector.condition_shape or ()) + extra

        return {
            "bijector": tfp.util.BatchedComponentProperties(
                properties.same_event_ndims
            ),
            "condition": properties.free(condition_ndims),
        }

    def _is_increasing(self) -> tf.Tensor | bool:
        return monotone.of(self._bijector, self._condition)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bijector.forward_and_log_det(x, self._condition)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._bijector.inverse_and_log_det(y, self._condition)
