"""Ordinary differential equations, many rows at once, each row for itself.

A field takes a time and a state, and returns the derivative of the state by time. A
state is a tensor or a tuple of tensors, each with the rows in the last axis `[..., N]`.
The solvers are explicit Runge-Kutta methods in a loop, which XLA compiles and through
which gradients of all orders go. With given numbers of steps the result is a smooth
function of its inputs; with a tolerance each row chooses its own steps, so that no row
depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfp_flows.math import runge_kutta
from tfp_flows.math.runge_kutta import METHODS, Field

__all__ = [
    "METHODS",
    "Solution",
    "adaptive",
    "adaptive_march",
    "each",
    "fixed",
    "fixed_march",
    "require_solved",
]

# Bounds of how much longer or shorter one step is than the last, and the caution.
SHRINK, GROW, CAUTION = 0.2, 5.0, 0.9


class Solution(NamedTuple):
    """Where a differential equation leads.

    Attributes:
        state: The state at the end.
        failed: Which rows are not solved, `[N]`.
        reached: The time up to which each row came, `[N]`.
        num_evaluations: How often the field was evaluated for each row, `[N]`.
    """

    state: Any
    failed: tf.Tensor
    reached: tf.Tensor
    num_evaluations: tf.Tensor


class Step(NamedTuple):
    """One step of Dormand and Prince that was tried.

    Attributes:
        start: Time at the begin of the whole way.
        span: Time of the whole way.
        time: Where each row is, as a part of the span, `[N]`.
        used: Length of the step of each row, as a part of the span, `[N]`.
        state: The state before it.
        slopes: At all stages, times the span.
        good: Which rows take it, `[N]`.
    """

    start: tf.Tensor
    span: tf.Tensor
    time: tf.Tensor
    used: tf.Tensor
    state: Any
    slopes: list[Any]
    good: tf.Tensor

    def stages(self) -> list[tuple[float, tf.Tensor, Any]]:
        """Return weight, time and state of the stages that move the state."""
        method, found = runge_kutta.DOPRI5, []
        for weight, node, row in zip(
            method.weights, method.nodes, method.rows, strict=True
        ):
            if weight:
                time = self.start + self.span * (self.time + node * self.used)
                state = runge_kutta.plus(self.state, self.used, row, self.slopes)
                found.append((weight, time, state))
        return found


def each(reduce: Callable, state: Any) -> list[tf.Tensor]:
    """Reduce each tensor of a state to one number for each row.

    Args:
        reduce: Called with a tensor and the axes.
        state: Tensors, `[..., N]`.
    """
    parts = tf.nest.flatten(state)
    return [reduce(part, axis=list(range(part.shape.rank - 1))) for part in parts]


def _row_of_zeros(state: Any) -> tf.Tensor:
    first = tf.nest.flatten(state)[0]
    return tf.zeros_like(first[(0,) * (first.shape.rank - 1)])


def _finite(state: Any) -> tf.Tensor:
    parts = tf.nest.map_structure(tf.math.is_finite, state)
    return tf.reduce_all(tf.stack(each(tf.reduce_all, parts)), axis=0)


def fixed(
    field: Field,
    state: Any,
    start: Any,
    stop: Any,
    num_steps: int,
    method: str = "rk4",
) -> Solution:
    """Solve by equal steps.

    Args:
        field: See the module.
        state: State at `start`.
        start: Time to begin at.
        stop: Time to end at; may be before `start`.
        num_steps: Number of steps.
        method: `"euler"` (1 evaluation a step), `"midpoint"` (2), `"rk4"` (4), or
            `"dopri5"` (6, order 5).

    Example:
        >>> import tensorflow as tf
        >>> from tfp_flows.math import ode
        >>> found = ode.fixed(lambda t, x: -x, tf.ones([1]), 0.0, 1.0, 10)
        >>> print(found.state.numpy().round(4))
        [0.3679]
    """
    was_finite = _finite(state)

    def watch(after: tf.Tensor, state: Any, kept: Any) -> tuple[tf.Tensor, tf.Tensor]:
        failed, reached = kept
        failed |= was_finite & ~_finite(state)
        return failed, tf.where(failed, reached, after)

    start = tf.cast(start, tf.nest.flatten(state)[0].dtype)
    unknown = tf.zeros_like(was_finite), _row_of_zeros(state) + start
    state, (failed, reached) = fixed_march(
        field, state, start, stop, num_steps, method, watch, unknown
    )
    count = num_steps * len(METHODS[method].nodes)
    return Solution(state, failed, reached, tf.fill(tf.shape(failed), count))


def fixed_march(
    field: Field,
    state: Any,
    start: Any,
    stop: Any,
    num_steps: int,
    method: str,
    watch: Callable = lambda time, state, kept: kept,
    kept: Any = (),
) -> tuple[Any, Any]:
    """Take equal steps.

    Args:
        field: See the module.
        state: See `fixed`.
        start: See `fixed`.
        stop: See `fixed`.
        num_steps: See `fixed`.
        method: See `fixed`.
        watch: Called with the time and the state after each step, and what it returned
            after the one before.
        kept: What `watch` gets first.

    Returns:
        The state at the end, and what `watch` returned last.
    """
    chosen, dtype = METHODS[method], tf.nest.flatten(state)[0].dtype
    start, stop = tf.cast(start, dtype), tf.cast(stop, dtype)
    step = (stop - start) / num_steps
    static = tf.nest.map_structure(lambda part: part.shape, state)

    def body(i: tf.Tensor, state: Any, kept: Any) -> tuple[Any, ...]:
        time = start + step * tf.cast(i, dtype)
        slopes = runge_kutta.slopes(chosen, field, time, step, state)
        state = runge_kutta.plus(state, step, chosen.weights, slopes)
        state = tf.nest.map_structure(tf.ensure_shape, state, static)
        return i + 1, state, watch(time + step, state, kept)

    return tf.while_loop(
        lambda i, *_: i < num_steps,
        body,
        (tf.constant(0), state, kept),
        maximum_iterations=num_steps,
    )[1:]


def adaptive(
    field: Field,
    state: Any,
    start: Any,
    stop: Any,
    tolerance: float = 1e-5,
    max_steps: int = 1_000,
) -> Solution:
    """Solve by steps of Dormand and Prince that keep an error below a tolerance.

    Derivatives are those at the steps taken: the steps themselves are not
    differentiated. XLA keeps memory for `max_steps` of them; see `adjoint.adaptive`.

    Args:
        field: See the module; it is given a time for each row, `[N]`.
        state: State at `start`.
        start: Time to begin at.
        stop: Time to end at; may be before `start`.
        tolerance: Largest error of each step, relative to the size of what moves where
            that is above 1. Below the rounding of the dtype none is met.
        max_steps: Most steps of a row, the rejected ones included.
    """
    return adaptive_march(field, state, start, stop, tolerance, max_steps)[0]


def adaptive_march(
    field: Field,
    state: Any,
    start: Any,
    stop: Any,
    tolerance: float,
    max_steps: int,
    watch: Callable[[Step, Any], Any] = lambda step, kept: kept,
    kept: Any = (),
) -> tuple[Solution, Any]:
    """Take the steps of `adaptive`.

    Args:
        field: See `adaptive`.
        state: See `adaptive`.
        start: See `adaptive`.
        stop: See `adaptive`.
        tolerance: See `adaptive`.
        max_steps: See `adaptive`.
        watch: Called with each step that was tried, and with what it returned before.
        kept: What `watch` gets first.

    Returns:
        The solution, and what `watch` returned last.
    """
    dtype = tf.nest.flatten(state)[0].dtype
    start = tf.cast(start, dtype)
    span = tf.cast(stop, dtype) - start
    static = tf.nest.map_structure(lambda part: part.shape, state)
    was_finite = _finite(state)
    time = _row_of_zeros(state)

    # Time runs from 0 to 1 inside, so that it ends there exactly.
    def scaled(time: tf.Tensor, state: Any) -> Any:
        slopes = field(start + span * time, state)
        return tf.nest.map_structure(lambda part: span * part, slopes)

    def body(
        i: tf.Tensor,
        time: tf.Tensor,
        step: tf.Tensor,
        state: Any,
        first: Any,
        count: tf.Tensor,
        kept: Any,
    ) -> tuple[Any, ...]:
        left = 1.0 - time
        is_last = step >= left
        used = tf.minimum(step, left)
        new, slopes, error = _proposed(scaled, time, used, state, first)
        error /= tolerance
        moving = (time < 1.0) & was_finite
        good = moving & (error <= 1.0)
        kept = watch(Step(start, span, time, used, state, slopes, good), kept)
        state = _select(good, new, state, static)
        first = _select(good, slopes[-1], first, static)
        time = tf.where(good, tf.where(is_last, tf.ones_like(time), time + used), time)
        step = tf.where(moving, tf.stop_gradient(used * _factor(error)), step)
        count += 6 * tf.cast(moving, tf.int32)
        return i + 1, time, step, state, first, count, kept

    first = scaled(time, state)
    step = tf.fill(tf.shape(time), tf.cast(tolerance**0.2, dtype))
    step.set_shape(time.shape)
    count = tf.ones_like(time, tf.int32)
    _, time, _, state, _, count, kept = tf.while_loop(
        lambda i, time, *_: tf.reduce_any((time < 1.0) & was_finite),
        body,
        (tf.constant(0), time, step, state, first, count, kept),
        maximum_iterations=max_steps,
    )
    failed = was_finite & ((time < 1.0) | ~_finite(state))
    state = _unsolved(was_finite, state)
    return Solution(state, failed, start + span * time, count), kept


def _proposed(
    field: Field, time: tf.Tensor, step: tf.Tensor, state: Any, first: Any
) -> tuple[Any, list[Any], tf.Tensor]:
    """Return the state after a step, the slopes on the way, and its relative error."""
    method = runge_kutta.DOPRI5
    slopes = runge_kutta.slopes(method, field, time, step, state, first)
    new = runge_kutta.plus(state, step, method.weights, slopes)
    slopes.append(field(time + step, new))
    zero = tf.nest.map_structure(tf.zeros_like, state)
    error = runge_kutta.plus(zero, step, runge_kutta.ERROR, slopes)
    return new, slopes, _error(error, state, new)


def _select(good: tf.Tensor, new: Any, old: Any, static: Any) -> Any:
    """Return the new state of good rows, and the old one of others."""

    def chosen(one: tf.Tensor, other: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
        return tf.ensure_shape(tf.where(good, one, other), shape)

    return tf.nest.map_structure(chosen, new, old, static)


def _unsolved(was_finite: tf.Tensor, state: Any) -> Any:
    """Return NaN for rows that were not finite: they were not moved."""

    def marked(part: tf.Tensor) -> tf.Tensor:
        return tf.where(was_finite, part, tf.constant(np.nan, part.dtype))

    return tf.nest.map_structure(marked, state)


def _error(error: Any, old: Any, new: Any) -> tf.Tensor:
    """Return the largest relative error of each row."""

    def relative(wrong: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        size = tf.maximum(tf.abs(one), tf.abs(other))
        return tf.abs(wrong) / tf.maximum(size, 1.0)

    parts = tf.nest.map_structure(relative, error, old, new)
    return tf.stop_gradient(tf.reduce_max(tf.stack(each(tf.reduce_max, parts)), axis=0))


def _factor(error: tf.Tensor) -> tf.Tensor:
    """Return by how much the next step is longer."""
    tiny = float(np.finfo(error.dtype.as_numpy_dtype).tiny)
    wanted = CAUTION * tf.maximum(error, tiny) ** -0.2
    wanted = tf.where(tf.math.is_finite(error), wanted, SHRINK)
    return tf.clip_by_value(wanted, SHRINK, GROW)


def require_solved(solution: Solution, remedy: str) -> Any:
    """Return the state, and stop if rows are not solved.

    Args:
        solution: What a solver returned.
        remedy: What to do, for the message.

    Returns:
        The state; in XLA, which has no errors, NaN in rows that are not solved. Rows
        that were not finite at the start are none of these.

    Raises:
        tf.errors.InvalidArgumentError: Naming the first such row and its time.
    """
    failed = solution.failed
    count, places = tf.size(failed), tf.range(tf.size(failed))
    row = tf.reduce_min(tf.where(failed, places, count))
    time = tf.reduce_sum(tf.where(places == row, solution.reached, 0.0))
    message = "A differential equation must be solved to its end, but row"
    if tf.executing_eagerly():
        if int(row) < int(count):
            text = (
                f"{message} {int(row)} stopped at time {float(time):.4g}, in all "
                f"{int(tf.math.count_nonzero(failed))} of {int(count)} rows. {remedy}"
            )
            raise tf.errors.InvalidArgumentError(None, None, text)
        return solution.state
    data = [message, row, "stopped at time", time, ". " + remedy]
    with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(failed), data)]):
        return tf.nest.map_structure(
            lambda part: tf.where(failed, tf.constant(np.nan, part.dtype), part),
            solution.state,
        )
