"""Compiled evaluation and export of flows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _checks, _context, _graphs, _process, _tapes
from tfp_flows._types import Condition, Seed, Shape, TensorLike
from tfp_flows.distributions import pathwise
from tfp_flows.flows._model import buckets, condition_kinds, recomputed, shared

__all__ = ["MAKERS", "CompiledFlow"]

# A shape: numbers where it is known. Computing with tensors of one or two numbers takes
# longer than small flows do.
Sizes: TypeAlias = "tuple[int, ...] | tf.Tensor"


class CompiledFlow:
    """Compiled functions of one flow: traced once, for every batch size.

    Inputs are flattened to one batch dimension of unknown size, so that changing batch
    sizes do not trace again. Under XLA, which compiles for one size, batches are filled
    up to the next power of two; calls outside of tapes and functions share what it
    compiles with flows of equal structure. Weights are read in each call.

    Second derivatives, persistent tapes and forward mode evaluate the operations one by
    one: TensorFlow would build, for each order, a function of the whole flow.

    Args:
        flow: The flow.
    """

    def __init__(self, flow: Any) -> None:
        self._flow = flow
        self._functions: dict[tuple[str, bool], Any] = {}
        self._programs: dict[str, Any] = {}
        self._gradients: dict[str, Any] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFlow:
        """Return functions for the copy of the flow, traced when first used."""
        return CompiledFlow(memo.get(id(self._flow), self._flow))

    def _call(self, kind: str, *arguments: tf.Tensor, jit_compile: bool) -> tf.Tensor:
        _process.require_own()
        if _graphs.is_for_xla():  # as a part of what is compiled, loops and all
            with _context.values_scope(points=kind in POINTS):
                return MAKERS[kind](self._flow)[0](*arguments)
        function = self._function(kind, jit_compile=jit_compile)
        if _tapes.is_recording():
            # Tapes begin to watch variables when one is read.
            for variable in function.trainable_variables[:1]:
                variable.value()
            if _tapes.wants_higher_orders([*arguments, *function.captured_inputs]):
                return MAKERS[kind](self._flow)[0](*arguments)
            if jit_compile and tf.executing_eagerly():
                return self._recorded(kind, function, arguments)
        elif jit_compile and tf.executing_eagerly():
            function = self._shared(kind, function)
        run = functools.partial(_graphs.called, function)
        return buckets.evaluated(run, *arguments) if jit_compile else run(*arguments)

    def evaluated(self, kind: str, *arguments: tf.Tensor) -> tf.Tensor:
        """Return what one of the functions gives for whole batches."""
        return self._call(kind, *arguments, jit_compile=False)

    def _function(self, kind: str, *, jit_compile: bool) -> Any:
        key = (kind, jit_compile)
        if key not in self._functions:
            function, signature = MAKERS[kind](self._flow)
            traced = tf.function(
                function,
                input_signature=signature,
                autograph=False,
                jit_compile=jit_compile,
            )
            # A concrete function: TensorFlow would warn of retracing where many flows
            # exist.
            # Tapes would follow the trace, and accumulators fail in its loops.
            apart = tf.init_scope() if _tapes.is_recording() else nullcontext()
            with _context.values_scope(points=kind in POINTS), apart:
                self._functions[key] = traced.get_concrete_function()
            shared.forget_with(self, self._functions[key])
        return self._functions[key]

    def _recorded(
        self, kind: str, function: Any, arguments: tuple[tf.Tensor, ...]
    ) -> tf.Tensor:
        """Call a function that XLA compiled while a tape watches."""
        if kind not in self._gradients:
            try:
                return buckets.evaluated(function, *arguments)
            except tf.errors.UnimplementedError:
                # What a loop keeps for its gradient cannot leave it.
                evaluate, signature = MAKERS[kind](self._flow)
                with _context.values_scope(points=kind in POINTS):
                    self._gradients[kind] = recomputed.gradients(
                        evaluate, signature, function
                    )
        program, backwards = self._shared(kind, function), self._gradients[kind]
        weights = [variable.value() for variable in function.trainable_variables]
        return buckets.evaluated(
            functools.partial(recomputed.call, program, backwards, weights), *arguments
        )

    def _shared(self, kind: str, traced: Any) -> Any:
        """Return the program that equal flows share, for calls without derivatives."""
        if kind not in self._programs:
            self._programs[kind] = shared.bound(traced)
        return self._programs[kind]

    def _owner(self) -> str:
        return f"this flow (`{type(self._flow).__name__}`)"

    def _condition(self, condition: Condition) -> tf.Tensor | None:
        shape = self._flow.condition_shape
        condition = _checks.lifted_condition(condition, shape)
        _checks.require_condition(condition, shape, self._owner())
        if condition is None:
            return None
        condition = _arrays.as_tensor(condition, self._flow.variable_dtype, "condition")
        _checks.require_trailing(condition.shape, shape, "condition", self._owner())
        return condition_kinds.noticed(self._flow, condition)

    def log_prob(
        self,
        x: TensorLike,
        condition: Condition,
        *,
        jit_compile: bool,
        kind: str = "log_prob",
        shape: tuple[int, ...] = (),
    ) -> tf.Tensor:
        """See `Flow.log_prob`; another `kind` gives `shape` for each event."""
        flow = self._flow
        x = _arrays.as_tensor(x, flow.variable_dtype)
        _checks.require_trailing(x.shape, flow.event_shape, "x", self._owner())
        condition = self._condition(condition)
        is_one_batch = x.shape.rank == 1 + len(flow.event_shape)
        if is_one_batch and condition is None:
            return self._call(kind, x, jit_compile=jit_compile)
        batch = _batch_shape(x, flow.event_shape)
        parts = [(x, flow.event_shape)]
        if condition is not None:
            batch = _broadcast(batch, _batch_shape(condition, flow.condition_shape))
            parts.append((condition, flow.condition_shape))
        arguments = [_flatten(value, batch, event) for value, event in parts]
        out = self._call(kind, *arguments, jit_compile=jit_compile)
        return _unflatten(out, batch, shape)

    def quantile(self, levels: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        """Return quantiles of a flow of numbers, `[K, N]`, see `Evaluated.quantiles`.

        Those of one flow take fewer operations than a function takes to be traced.
        """
        return self._flow.distribution(condition).quantile(levels)

    def sample(
        self,
        sample_shape: Shape | tuple[()],
        condition: Condition,
        seed: Seed,
        *,
        jit_compile: bool,
    ) -> tf.Tensor:
        """See `Flow.sample`."""
        flow = self._flow
        condition = self._condition(condition)
        seed = _context.stateless_seed(seed)
        shape = _sizes(sample_shape)
        batch: Sizes = ()
        conditions: tuple[tf.Tensor, ...] = ()
        if condition is not None:
            batch = _batch_shape(condition, flow.condition_shape)
            conditions = (_flatten(condition, batch, flow.condition_shape),)
        count = _product(shape)
        if jit_compile:
            # The noise comes from outside: XLA draws it slowly on a CPU.
            number = _product(_concat(shape, batch))
            z = self._call("noise", number, seed, jit_compile=False)
            ones = [1] * len(flow.condition_shape or ())
            conditions = tuple(tf.tile(c, [count, *ones]) for c in conditions)
            out = self._call("push", z, *conditions, jit_compile=True)
        else:
            out = self._call("sample", count, seed, *conditions, jit_compile=False)
        return _unflatten(out, _concat(shape, batch), flow.event_shape)


def _sizes(shape: Shape | tuple[()] | tf.Tensor) -> Sizes:
    """Return a shape as numbers, or as a tensor `[N]` if it is one."""
    if tf.is_tensor(shape):
        return tf.reshape(tf.cast(shape, tf.int32), [-1])
    return tuple(int(size) for size in np.asarray(shape, np.int32).ravel())


def _batch_shape(value: tf.Tensor, event_shape: tuple[int, ...]) -> Sizes:
    """Return the batch shape: as numbers where it is known."""
    if value.shape.rank is None:
        return tf.shape(value)[: tf.rank(value) - len(event_shape)]
    cut = value.shape.rank - len(event_shape)
    batch = value.shape[:cut]
    return tuple(batch) if batch.is_fully_defined() else tf.shape(value)[:cut]


def _product(sizes: Sizes) -> tf.Tensor:
    """Return the number of elements."""
    if isinstance(sizes, tuple):
        return tf.constant(math.prod(sizes), tf.int32)
    return tf.reduce_prod(sizes)


def _concat(one: Sizes, other: Sizes) -> Sizes:
    """Join two shapes."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return (*one, *other)
    return tf.concat([one, other], axis=0)


def _broadcast(one: Sizes, other: Sizes) -> Sizes:
    """Return the shape that two batches have together."""
    if not (isinstance(one, tuple) and isinstance(other, tuple)):
        tensors = (tf.convert_to_tensor(sizes, tf.int32) for sizes in (one, other))
        return tf.broadcast_dynamic_shape(*tensors)
    try:
        return np.broadcast_shapes(one, other)
    except ValueError:
        msg = (
            f"`x` has a batch of shape {one} and `condition` one of shape {other}, "
            "which do not broadcast."
        )
        raise ValueError(msg) from None


def _specs(flow: Any, *names: str) -> list[tf.TensorSpec]:
    """Return the signature of arguments by their names."""
    dtype = flow.variable_dtype
    known = {
        "x": tf.TensorSpec([None, *flow.event_shape], dtype, name="x"),
        "z": tf.TensorSpec([None, *flow.event_shape], dtype, name="z"),
        "count": tf.TensorSpec([], tf.int32, name="count"),
        "seed": tf.TensorSpec([2], tf.int32, name="seed"),
    }
    if flow.condition_shape is not None:
        shape = [None, *flow.condition_shape]
        known["condition"] = tf.TensorSpec(shape, dtype, name="condition")
        names = (*names, "condition")
    return [known[name] for name in names]


def _log_prob_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return the log-density of a batch as a function, and its signature."""

    def unconditional(x: tf.Tensor) -> tf.Tensor:
        return flow.call(x)

    def conditional(x: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        return flow.call({"x": x, "condition": condition})

    function = unconditional if flow.condition_shape is None else conditional
    return function, _specs(flow, "x")


def _member_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return the log-densities of members as a function, and its signature."""

    def members(x: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        inputs = {"x": x, "condition": condition[0]} if condition else x
        return tf.transpose(flow.members_log_prob(inputs))

    return members, _specs(flow, "x")


def _sample_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return sampling as a function, and its signature."""

    def unconditional(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return flow.distribution().sample(count, seed=seed)

    def conditional(
        count: tf.Tensor, seed: tf.Tensor, condition: tf.Tensor
    ) -> tf.Tensor:
        return flow.distribution(condition).sample(count, seed=seed)

    function = unconditional if flow.condition_shape is None else conditional
    return function, _specs(flow, "count", "seed")


def _noise_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return sampling of the base as a function, and its signature."""

    def noise(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        density = flow.base.distribution()
        pathwise.require_right_tangents(density)
        return density.sample(count, seed=seed)

    return noise, _specs(flow, "count", "seed")[:2]


def _push_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return the map from the base to data as a function, and its signature."""

    def push(z: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        return flow.pushed(z, *condition)

    return push, _specs(flow, "z")


def _number_specs(flow: Any) -> list[tf.TensorSpec]:
    """Return the signature of a function of numbers `[K, N]` and of conditions."""
    numbers = tf.TensorSpec([None, None], flow.variable_dtype, name="numbers")
    return [numbers, *_specs(flow)]


def _quantile_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return quantiles of numbers as a function, and its signature."""

    def quantile(levels: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        return flow.partial(flow.num_maps, *condition).quantile(levels)

    return quantile, _number_specs(flow)


def _tails_function(flow: Any) -> tuple[Callable[..., tf.Tensor], list]:
    """Return both tails and the density there as a function, and its signature."""

    def tails(x: tf.Tensor, *condition: tf.Tensor) -> tf.Tensor:
        density = flow.partial(flow.num_maps, *condition)
        logs = density.log_cdf(x), density.log_survival_function(x), density.log_prob(x)
        return tf.stack(logs)

    return tails, _number_specs(flow)


# Functions that return points, and read no log-det.
POINTS = ("noise", "push", "quantile", "sample")
MAKERS = {
    "log_prob": _log_prob_function,
    "members": _member_function,
    "noise": _noise_function,
    "push": _push_function,
    "quantile": _quantile_function,
    "sample": _sample_function,
    "tails": _tails_function,
}


def _flatten(value: tf.Tensor, batch: Sizes, event_shape: tuple[int, ...]) -> tf.Tensor:
    """Return a value as one batch, repeated where it lacks dimensions of the batch."""
    shape = _concat(batch, event_shape)
    if not isinstance(shape, tuple) or tuple(value.shape) != shape:
        value = tf.broadcast_to(value, shape)
    elif len(batch) == 1:
        return value
    return tf.reshape(value, [-1, *event_shape])


def _unflatten(
    value: tf.Tensor, batch: Sizes, event_shape: tuple[int, ...] = ()
) -> tf.Tensor:
    """Give values the shape that the caller's batch has."""
    is_one_batch = value.shape.rank == 1 + len(event_shape)
    if is_one_batch and isinstance(batch, tuple) and len(batch) == 1:
        return value
    return tf.reshape(value, _concat(batch, event_shape))
