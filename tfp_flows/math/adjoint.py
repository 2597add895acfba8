"""Solutions of differential equations whose gradients solve an equation, too.

Nothing is kept but the end, however many steps there are. Gradients are those of the
exact solution, up to the error of the solver; those of `ode` are exact for what it
computes.

Chen, Rubanova, Bettencourt, Duvenaud (2018). Neural Ordinary Differential Equations.
https://arxiv.org/abs/1806.07366, section 2
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _tapes
from tfp_flows.math import ode
from tfp_flows.math.runge_kutta import Field

__all__ = ["adaptive", "fixed"]

Tensors = list[tf.Tensor]
# Called with a time, a flat state and the parameters.
Flat = Callable[[tf.Tensor, Tensors, Tensors], Tensors]


def fixed(
    field: Callable[..., Any],
    state: Any,
    parameters: Sequence[tf.Tensor],
    start: Any,
    stop: Any,
    num_steps: int,
    method: str = "rk4",
) -> ode.Solution:
    """Solve as `ode.fixed`, and find gradients by equal steps backwards.

    Args:
        field: Called with a time, a state, and the parameters.
        state: See `ode.fixed`.
        parameters: Tensors that derivatives reach; they reach nothing else that the
            field holds.
        start: See `ode.fixed`.
        stop: See `ode.fixed`.
        num_steps: See `ode.fixed`.
        method: See `ode.fixed`.
    """

    def forwards(field: Field, state: Any) -> ode.Solution:
        return ode.fixed(field, state, start, stop, num_steps, method)

    def backwards(
        field: Flat, end: Tensors, upstream: Tensors, given: Tensors
    ) -> tuple[Tensors, Tensors]:
        def slopes(time: tf.Tensor, joint: Any) -> Any:
            now, back, _ = joint
            return _backwards(field, time, now, back, given)

        joint = (end, upstream, [tf.zeros_like(part) for part in given])
        joint = ode.fixed_march(slopes, joint, stop, start, num_steps, method)[0]
        return joint[1], joint[2]

    return _solved(forwards, backwards, field, state, parameters)


def adaptive(
    field: Callable[..., Any],
    state: Any,
    parameters: Sequence[tf.Tensor],
    start: Any,
    stop: Any,
    tolerance: float = 1e-5,
    max_steps: int = 1_000,
) -> ode.Solution:
    """Solve as `ode.adaptive`, and find gradients by such steps backwards.

    Where the way back takes more than `max_steps`, gradients are NaN.

    Args:
        field: See `fixed`; it is given a time for each row, `[N]`.
        state: See `ode.adaptive`.
        parameters: See `fixed`.
        start: See `ode.adaptive`.
        stop: See `ode.adaptive`.
        tolerance: See `ode.adaptive`; of gradients relative to those at the end.
        max_steps: See `ode.adaptive`, in each direction.
    """

    def forwards(field: Field, state: Any) -> ode.Solution:
        return ode.adaptive(field, state, start, stop, tolerance, max_steps)

    def backwards(
        field: Flat, end: Tensors, upstream: Tensors, given: Tensors
    ) -> tuple[Tensors, Tensors]:
        # A gradient is linear in the one at the end, whose size says nothing.
        size = _size(upstream)

        def slopes(time: tf.Tensor, joint: Any) -> Any:
            now, back = joint
            return _backwards(field, time, now, back, given)[:2]

        def watch(step: ode.Step, sums: Tensors) -> Tensors:
            length = tf.where(step.good, step.span * step.used * size, 0.0)
            for weight, time, (now, back) in step.stages():
                # What a row that stays would add must be zero, and never NaN.
                now = [tf.where(step.good, part, 0.0) for part in now]
                back = [
                    tf.where(step.good, weight * length * part, 0.0) for part in back
                ]
                more = _backwards(field, time, now, back, given)[2]
                sums = [one + other for one, other in zip(sums, more, strict=True)]
            return sums

        found, sums = ode.adaptive_march(
            slopes,
            (end, [part / size for part in upstream]),
            stop,
            start,
            tolerance,
            max_steps,
            watch,
            [tf.zeros_like(part) for part in given],
        )
        nan = tf.constant(np.nan, size.dtype)
        lost = tf.reduce_any(found.failed)
        return (
            [tf.where(found.failed, nan, part * size) for part in found.state[1]],
            [tf.where(lost, nan, part) for part in sums],
        )

    return _solved(forwards, backwards, field, state, parameters)


def _size(upstream: Tensors) -> tf.Tensor:
    """Return the largest gradient of each row `[N]`, or 1 where all are zero."""
    parts = ode.each(tf.reduce_max, [tf.abs(part) for part in upstream])
    size = tf.reduce_max(tf.stack(parts), axis=0)
    return tf.where(size > 0.0, size, tf.ones_like(size))


def _backwards(
    field: Flat, time: tf.Tensor, now: Tensors, upstream: Tensors, given: Tensors
) -> tuple[Tensors, Tensors, Tensors]:
    """Return slopes of the state, of its gradients, and of those of the parameters."""
    with tf.GradientTape() as tape:
        tape.watch([*now, *given])
        out = field(time, now, given)
    by_all = tape.gradient(out, [*now, *given], upstream, "zero")
    back = [-tf.convert_to_tensor(part) for part in by_all]
    return out, back[: len(now)], back[len(now) :]


def _solved(
    forwards: Callable[[Field, Any], ode.Solution],
    backwards: Callable[[Flat, Tensors, Tensors, Tensors], tuple[Tensors, Tensors]],
    field: Callable[..., Any],
    state: Any,
    parameters: Sequence[tf.Tensor],
) -> ode.Solution:
    """Return the solution, with gradients by `backwards`."""
    given = tf.nest.flatten(state)
    size = len(given)
    if _tapes.in_forward_mode([*given, *parameters]):
        return forwards(lambda t, s: field(t, s, *parameters), state)

    def flat(time: tf.Tensor, parts: Tensors, parameters: Tensors) -> Tensors:
        now = tf.nest.pack_sequence_as(state, list(parts))
        return tf.nest.flatten(field(time, now, *parameters))

    @tf.custom_gradient
    def solve(*tensors: tf.Tensor) -> tuple[Any, Any]:
        parts, given = list(tensors[:size]), list(tensors[size:])
        found = forwards(lambda t, s: flat(t, s, given), parts)

        def gradient(*upstream: tf.Tensor) -> Tensors:
            ends = [tf.convert_to_tensor(part) for part in upstream[:size]]
            back = backwards(flat, list(found.state), ends, given)
            return [*back[0], *back[1]]

        rest = found.failed, found.reached, found.num_evaluations
        return (*found.state, *rest), gradient

    *parts, failed, reached, count = solve(*given, *parameters)
    end = tf.nest.pack_sequence_as(state, parts)
    return ode.Solution(end, failed, reached, count)
