"""The bijector that every map of this package derives from.

A map writes one primitive per direction, which returns the value and the log-det
together. TFP's methods are derived from them here, once, with shape checks, a memory
that is never stale (`cache.py`), and a `condition` that needs no nested names.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _arrays, _checks, _numpy_guard, _tapes
from tfp_flows._types import Condition, Given, Pair, TensorLike
from tfp_flows.bijectors._core import (
    arguments,
    batch,
    cache,
    declared,
    inputs,
    monotone,
    parameters,
    unknown_shapes,
)

__all__ = ["Bijector", "forward_and_log_det", "inverse_and_log_det"]

_numpy_guard.explain_pad()


class Bijector(inputs.Explaining, declared.Declared, tfb.AutoCompositeTensorBijector):
    """Base class of all maps: one pass gives the value and the log-det.

    Subclasses implement `_forward_and_log_det(x)` and `_inverse_and_log_det(y)`, with
    a further argument `condition` if they are conditional. Each returns the value and
    the log-det of that direction per minimal event. Everything that TFP defines on a
    bijector follows from these two.

    The arguments of a map are declared (see `parameters.py`): then it has a constructor
    and is a composite tensor that copies, slices and crosses `tf.function`. A subclass
    with a constructor of its own needs an attribute of the name of every argument (with
    or without leading underscore), and `parameters = dict(locals())` as the first
    statement.

    Args:
        event_shape: Trailing shape that inputs must have, `None` to accept any.
        condition_shape: Trailing shape of the condition, `None` for a map without.
        forward_min_event_ndims: Number of trailing dimensions of one minimal event.
        **kwargs: Further arguments of `tfb.Bijector`.

    Raises:
        TypeError: If a part of the map has variables, but is no composite tensor.
    """

    _cache = cache.Memo()

    if TYPE_CHECKING:
        # What every declared map takes beside its parameters.
        _: KW_ONLY
        validate_args: bool = parameters.Option("", default=False)
        name: str = parameters.Option("", default="")

    def __init__(
        self,
        *,
        event_shape: tuple[int, ...] | None = None,
        condition_shape: tuple[int, ...] | None = None,
        forward_min_event_ndims: int = 1,
        **kwargs: Any,
    ) -> None:
        self._checked_shape = event_shape
        self._condition_shape = condition_shape
        _require_composite(type(self).__name__, kwargs.get("parameters") or {})
        self._memo_variables: Any = None
        self._cached = True
        super().__init__(forward_min_event_ndims=forward_min_event_ndims, **kwargs)
        arguments.check_batches(self)

    def _construct(self, given: dict[str, Any]) -> None:
        """Make the map that a class declares, of its arguments."""
        with tf.name_scope(given["name"]) as name:
            Bijector.__init__(self, name=name, **self._settings(given))

    @property
    def checked_shape(self) -> tuple[int, ...] | None:
        """Trailing shape that inputs must have, `None` if any is accepted."""
        return self._checked_shape

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the condition that the map needs, `None` without one."""
        return self._condition_shape

    @property
    def repeatable(self) -> bool:
        """Whether the map is a function of its input and of its tensors alone.

        Then a chain may rebuild it from other tensors, to evaluate it in a loop of
        equal maps or to run it once more for its gradient. Batches of parameters widen
        the input, which a loop cannot.
        """
        if not self._of_tensors or self._has_batch(self.forward_min_event_ndims):
            return False
        parts = self._parts().values()
        return all(getattr(part, "repeatable", False) for part in parts)

    def loop_form(self) -> Bijector:
        """Return an equal map with the most of what defines it in tensors."""
        forms = {
            name: part.loop_form()
            for name, part in self._parts().items()
            if isinstance(part, Bijector)
        }
        return self.copy(**forms) if forms else self

    @property
    def cache(self) -> bool:
        """Whether the last value and log-det are remembered; may be set to `False`."""
        return self._cached

    @cache.setter
    def cache(self, enabled: bool) -> None:
        self._cached = bool(enabled)

    def memo_variables(self) -> tuple[tf.Variable, ...]:
        """Return the variables on which remembered values depend."""
        known = self._memo_variables
        if known is None or known.owner() is not self:
            known = self._memo_variables = _Known(self)
        return known.variables

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; Keras registers only what has them."""
        return dict(self.parameters)

    def __getitem__(self, slices: Any) -> Bijector:
        """Return a part of a batch of maps.

        Raises:
            IndexError: If an index is out of the batch's range, or one too many.
        """
        places = slices if isinstance(slices, tuple) else (slices,)
        shape = self.experimental_batch_shape(self.forward_min_event_ndims)
        _checks.batch_index(places, shape, f"`{self.name}`")
        return super().__getitem__(places)

    def _broadcast_parameters_with_batch_shape(
        self, batch_shape: tf.Tensor, x_event_ndims: int
    ) -> Bijector:
        """Return the map with the rank of a batch, for TFP to slice.

        A single map serves every member of a batch as it is, with its variables; so
        does one that states nothing of its parameters.
        """
        sizes = tf.get_static_value(batch_shape)
        try:
            single = self.experimental_batch_shape(x_event_ndims).rank == 0
        except NotImplementedError:
            return self
        if single and sizes is not None and all(size == 1 for size in sizes):
            return self
        return super()._broadcast_parameters_with_batch_shape(
            batch_shape, x_event_ndims
        )

    def _requirements(self) -> Sequence[arguments.Requirement]:
        """Return what the values of parameters must fulfil.

        Checked when the map is made: numbers always, tensors under `validate_args`;
        what is read at each use, under `validate_args` at each use.
        """
        return self._stated_requirements()

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        if not cls._declares:
            return super()._parameter_properties(dtype)
        return cls._stated_properties(dtype)

    def _parameter_control_dependencies(self, is_init: bool) -> list:  # noqa: FBT001
        if not is_init:
            return []  # `_evaluate` checks them, for parts of a chain as well
        return arguments.check_new(self, self._requirements())

    def _is_increasing(self, condition: Condition = None) -> bool:
        del condition
        monotone.require_one(self, None)
        return False

    def forward_and_log_det(
        self,
        x: TensorLike,
        condition: Condition = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return `forward(x)` and its log-det per minimal event, in one pass.

        Args:
            x: Input, `[..., *event_shape]`.
            condition: What the map is conditioned on, `[..., *condition_shape]`.

        Returns:
            The output and the forward log-det `[...]`.
        """
        return self._evaluate(self._forward_and_log_det, x, condition, "x")

    def inverse_and_log_det(
        self,
        y: TensorLike,
        condition: Condition = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return `inverse(y)` and its log-det per minimal event, in one pass.

        Args:
            y: Input, `[..., *event_shape]`.
            condition: What the map is conditioned on, `[..., *condition_shape]`.

        Returns:
            The output and the inverse log-det `[...]`.
        """
        return self._evaluate(self._inverse_and_log_det, y, condition, "y")

    def _evaluate(
        self,
        primitive: Callable[..., tuple[tf.Tensor, tf.Tensor]],
        value: TensorLike,
        condition: Condition,
        argument: str,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        owner = f"`{type(self).__name__}`"
        value = inputs.numbers(self, value, argument)
        if self._checked_shape is not None:
            _checks.require_trailing(value.shape, self._checked_shape, argument, owner)
        condition = _checks.lifted_condition(condition, self.condition_shape)
        _checks.require_condition(condition, self.condition_shape, owner)
        if self.validate_args:
            checks = arguments.check_used(self, self._requirements())
            with tf.control_dependencies(checks):
                value = tf.identity(value)
        if condition is not None:
            condition = _arrays.as_tensor(condition, value.dtype, "condition")
            _checks.require_trailing(
                condition.shape, self.condition_shape, "condition", owner
            )
        given = [value] if condition is None else [value, condition]
        with _tapes.explained(owner, given):
            return unknown_shapes.evaluate(self, primitive, value, condition)

    def _columns(
        self, value: tf.Tensor, condition: Given
    ) -> tuple[tf.Tensor, Given, batch.Batch]:
        """Return events as columns `[D, N]`, their conditions, and the batch."""
        ndims = len(self.condition_shape or ())
        return batch.to_columns(value, condition, ndims)

    def _forward_and_log_det(self, x: tf.Tensor, condition: Given = None) -> Pair:
        msg = f"`{type(self).__name__}` has no forward map. Use its inverse."
        raise NotImplementedError(msg)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Given = None) -> Pair:
        msg = f"`{type(self).__name__}` has no inverse map. Use its forward."
        raise NotImplementedError(msg)

    def _forward(self, x: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        return self.forward_and_log_det(x, condition)[0]

    def _inverse(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        return self.inverse_and_log_det(y, condition)[0]

    def _forward_log_det_jacobian(
        self,
        x: tf.Tensor,
        condition: Condition = None,
    ) -> tf.Tensor:
        return self.forward_and_log_det(x, condition)[1]

    def _inverse_log_det_jacobian(
        self,
        y: tf.Tensor,
        condition: Condition = None,
    ) -> tf.Tensor:
        return self.inverse_and_log_det(y, condition)[1]


class _Known:
    """The variables of one map; a copy, which has its own, asks again.

    No tuple: `tf.Module` would list the variables a second time.
    """

    __slots__ = ("owner", "variables")

    def __init__(self, owner: Bijector) -> None:
        self.owner = weakref.ref(owner)
        self.variables = tuple(owner.variables)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(None), ()


def _require_composite(owner: str, parameters: dict[str, Any]) -> None:
    """Raise if a part has variables that `tf.Module` would lose inside a map.

    TFP lists the variables of a composite tensor from its tensors, and skips a part
    that is a `tf.Module` but no composite tensor.
    """
    for argument, value in parameters.items():
        if argument in ("self", "__class__"):
            continue
        for part in tf.nest.flatten(value):
            if not (isinstance(part, tf.Module) and part.variables):
                continue
            if tf.nest.flatten(part, expand_composites=True)[0] is part:
                msg = (
                    f"`{argument}` of `{owner}` must be a composite tensor, got "
                    f"`{type(part).__name__}`, whose variables nobody would find. Wrap "
                    "a network by networks.as_conditioner, compose a foreign bijector "
                    "by tfb.Chain, or derive from tfp.experimental.AutoCompositeTensor."
                )
                raise TypeError(msg)


def _takes(bijector: tfb.Bijector, condition: Condition) -> Condition:
    """Return the condition if `bijector` is a map of ours that wants it."""
    return condition if getattr(bijector, "condition_shape", None) else None


def forward_and_log_det(
    bijector: tfb.Bijector,
    x: tf.Tensor,
    condition: Condition = None,
    *,
    event_ndims: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate any bijector, ours or TFP's, with the log-det of whole events.

    Maps that take no condition are not given one. TFP's own maps see a fresh tensor,
    which keeps their cache from serving a log-det older than their variables.

    Args:
        bijector: The map.
        x: Input, `[..., *event_shape]`.
        condition: Passed on to conditional maps.
        event_ndims: Number of trailing dimensions to sum the log-det over.

    Returns:
        Output and forward log-det.
    """
    if isinstance(bijector, Bijector):
        y, log_det = bijector.forward_and_log_det(x, _takes(bijector, condition))
        return y, _sum_rest(bijector, log_det, x, event_ndims)
    x = tf.identity(x)
    return bijector.forward(x), bijector.forward_log_det_jacobian(x, event_ndims)


def inverse_and_log_det(
    bijector: tfb.Bijector,
    y: tf.Tensor,
    condition: Condition = None,
    *,
    event_ndims: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate the inverse of any bijector; see `forward_and_log_det`."""
    if isinstance(bijector, Bijector):
        x, log_det = bijector.inverse_and_log_det(y, _takes(bijector, condition))
        return x, _sum_rest(bijector, log_det, y, event_ndims)
    y = tf.identity(y)
    x = bijector.inverse(y)
    return x, bijector.inverse_log_det_jacobian(y, event_ndims)


def _sum_rest(
    bijector: Bijector,
    log_det: tf.Tensor,
    value: tf.Tensor,
    event_ndims: int,
) -> tf.Tensor:
    """Sum a log-det per minimal event over the rest of the event."""
    rest = event_ndims - bijector.forward_min_event_ndims
    if rest == 0:
        return log_det
    # A map may give one log-det for many scalars: count it once for each of them.
    rank = bijector.forward_min_event_ndims
    shape = tf.shape(value)[: tf.rank(value) - rank]
    log_det = tf.broadcast_to(
        log_det, tf.broadcast_dynamic_shape(tf.shape(log_det), shape)
    )
    return tf.reduce_sum(log_det, axis=list(range(-rest, 0)))
