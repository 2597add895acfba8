"""Explicit Runge-Kutta methods: their tables, and single steps by them.

A state is a tensor or a tuple of tensors, as in `ode`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

__all__ = ["DOPRI5", "ERROR", "METHODS", "Field", "Method", "plus", "slopes"]

# Called with a time, `[]` or `[N]`, and a state; returns what is like the state.
Field = Callable[[tf.Tensor, Any], Any]


class Method(NamedTuple):
    """The table of a Runge-Kutta method: how stages and steps weigh slopes."""

    nodes: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


# Dormand, Prince (1980), A family of embedded Runge-Kutta formulae, of order 5.
DOPRI5 = Method(
    (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
# Weights of order 5 less those of order 4, the slope at the end being the last one.
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)

METHODS: dict[str, Method] = {
    "euler": Method((0.0,), ((),), (1.0,)),
    "midpoint": Method((0.0, 0.5), ((), (0.5,)), (0.0, 1.0)),
    "rk4": Method(
        (0.0, 0.5, 0.5, 1.0),
        ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    "dopri5": DOPRI5,
}


def plus(state: Any, step: tf.Tensor, weights: Sequence[float], slopes: Any) -> Any:
    """Return the state moved by a weighted sum of slopes."""
    used = [(w, k) for w, k in zip(weights, slopes, strict=False) if w]
    if not used:
        return state

    def moved(one: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
        total = used[0][0] * parts[0]
        for (weight, _), part in zip(used[1:], parts[1:], strict=True):
            total += weight * part
        return one + step * total

    return tf.nest.map_structure(moved, state, *(k for _, k in used))


def slopes(
    method: Method,
    field: Field,
    time: tf.Tensor,
    step: tf.Tensor,
    state: Any,
    first: Any = None,
) -> list[Any]:
    """Return the slopes of all stages of a step; `first` may be known."""
    found = [field(time, state) if first is None else first]
    for node, row in zip(method.nodes[1:], method.rows[1:], strict=True):
        found.append(field(time + node * step, plus(state, step, row, found)))
    return found
