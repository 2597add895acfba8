"""Adam on stacks of variables of equal shape: few operations, however deep a flow is.

Keras traces some twenty operations for every variable, one after the other. Deep flows
have hundreds of equal ones; their update took most of the time until the first step.
Stacked, those of one shape and type are updated as one array. Adam and AdamW act on
each number by itself, so that a stack of variables gets the very same numbers; what
does not, or acts on whole variables, is left to Keras. So is all, if a release of Keras
lacks one of the names without a public form that are read here (`INTERNALS`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

__all__ = ["stacked"]

# Subclasses may do anything: exactly these.
KINDS = (keras.optimizers.Adam, keras.optimizers.AdamW)
# What Keras' optimizers have no public name for.
INTERNALS = {
    "means": "_momentums",
    "squares": "_velocities",
    "largest": "_velocity_hats",
    "decays": "_use_weight_decay",
    "position": "_get_variable_index",
}


class Internals(NamedTuple):
    """What is kept of an optimizer: slots of each kind, and questions on variables."""

    slots: list[list[keras.Variable]]
    decays: Callable[[keras.Variable], bool]
    position: Callable[[keras.Variable], int]


class Group(NamedTuple):
    """Variables of one shape and type, and what Adam keeps for each."""

    variables: list[tf.Variable]
    slots: list[list[tf.Variable]]  # one list for each kind of slot
    decays: bool


@contextlib.contextmanager
def stacked(optimizer: Any, *, jit_compile: bool = False) -> Iterator[None]:
    """Let an optimizer update equal variables together, where that changes nothing.

    Args:
        optimizer: A Keras optimizer, in whose `apply_gradients` it happens, or `None`.
        jit_compile: Whether XLA compiles the step. It would build each stack anew for
            each part that is taken out of it: variables then stay apart, and only the
            formula is traced once for all of a shape.
    """
    # Eagerly there is nothing to trace; replicas have to agree on their gradients.
    used = not tf.executing_eagerly() and not tf.distribute.has_strategy()
    internals = _internals(optimizer) if used and _is_elementwise(optimizer) else None
    if internals is None:
        yield
        return
    optimizer.apply_gradients = _replacement(optimizer, internals, apart=jit_compile)
    try:
        yield
    finally:
        del optimizer.apply_gradients  # the method of the class again


def _is_elementwise(optimizer: Any) -> bool:
    """Whether every number is updated by itself, but for a clip of the whole norm."""
    return (
        type(optimizer) in KINDS
        and optimizer.built
        and not optimizer.clipnorm
        and not optimizer.use_ema
        and not optimizer.gradient_accumulation_steps
        and optimizer.loss_scale_factor is None
    )


def _internals(optimizer: Any) -> Internals | None:
    """Return what has no public name, `None` if this release of Keras has it not so."""
    found = {key: getattr(optimizer, name, None) for key, name in INTERNALS.items()}
    kinds = ["means", "squares", *(["largest"] if optimizer.amsgrad else [])]
    slots = [slot for kind in kinds if isinstance(slot := found[kind], list)]
    decays, position = found["decays"], found["position"]
    if len(slots) < len(kinds) or not (callable(decays) and callable(position)):
        return None
    return Internals(slots, decays, position)


def _replacement(
    optimizer: Any, internals: Internals, *, apart: bool
) -> Callable[[Iterable[tuple[Any, Any]]], tf.Variable]:
    by_keras = optimizer.apply_gradients

    def apply_gradients(pairs: Iterable[tuple[Any, Any]]) -> tf.Variable:
        gradients, variables = (list(part) for part in zip(*pairs, strict=True))
        # No gradient, or a sparse one.
        dense = all(isinstance(gradient, tf.Tensor) for gradient in gradients)
        plain = not any(
            variable.constraint is not None
            or getattr(variable, "overwrite_with_gradient", False)
            for variable in variables
        )
        if not (dense and plain):
            return by_keras(zip(gradients, variables, strict=True))
        _apply(optimizer, internals, gradients, variables, apart=apart)
        return optimizer.iterations

    return apply_gradients


def _grouped(
    optimizer: Any,
    internals: Internals,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
    *,
    apart: bool,
) -> tuple[list[Group], list[tf.Tensor]]:
    """Return groups of equal variables, and their gradients in stacks.

    Groups are of one variable if they are to stay `apart`.
    """
    kept = internals.slots
    groups: dict[Any, tuple[Group, list[tf.Tensor]]] = {}
    for gradient, variable in zip(gradients, variables, strict=True):
        decays = optimizer.weight_decay is not None
        decays = decays and internals.decays(variable)
        index = internals.position(variable)
        key = tuple(variable.shape), variable.dtype, decays, index if apart else None
        new: tuple[Group, list[tf.Tensor]] = (Group([], [[] for _ in kept], decays), [])
        group, found = groups.setdefault(key, new)
        group.variables.append(variable.value)
        for slots, some in zip(group.slots, kept, strict=True):
            slots.append(some[index].value)
        found.append(tf.cast(gradient, variable.dtype))
    return (
        [group for group, _ in groups.values()],
        [_joined(found) for _, found in groups.values()],
    )


def _clipped(optimizer: Any, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    if optimizer.global_clipnorm:
        return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
    if optimizer.clipvalue:
        bound = optimizer.clipvalue
        return [tf.clip_by_value(gradient, -bound, bound) for gradient in gradients]
    return gradients


def _apply(
    optimizer: Any,
    internals: Internals,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
    *,
    apart: bool,
) -> None:
    """Do one step of Adam: what Keras' `update_step` does, on stacks."""
    groups, stacks = _grouped(optimizer, internals, gradients, variables, apart=apart)
    rates: dict[Any, tuple[tf.Tensor, ...]] = {}
    step = tf.function(_step, autograph=False)
    for group, gradient in zip(groups, _clipped(optimizer, stacks), strict=True):
        kind = gradient.dtype
        if kind not in rates:
            rates[kind] = _rates(optimizer, kind)
        rate, decay = rates[kind]
        kept = [_joined(each) for each in (group.variables, *group.slots)]
        decay = decay if group.decays else tf.zeros([], kind)
        moments = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
        kept = step(gradient, kept, rate, decay, moments)
        for each, stack in zip((group.variables, *group.slots), kept, strict=True):
            _write(each, stack)
    optimizer.iterations.assign_add(1)


def _rates(optimizer: Any, kind: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the bias-corrected rate of this step, and what decays of a weight."""
    steps = tf.cast(optimizer.iterations + 1, kind)
    powers = [
        tf.pow(tf.cast(beta, kind), steps)
        for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    rate = tf.cast(optimizer.learning_rate, kind)
    decay = rate * tf.cast(optimizer.weight_decay or 0.0, kind)
    return rate * tf.sqrt(1 - powers[1]) / (1 - powers[0]), decay


def _step(
    gradient: tf.Tensor,
    kept: Sequence[tf.Tensor],
    rate: tf.Tensor,
    decay: tf.Tensor,
    moments: tuple[float, float, float],
) -> list[tf.Tensor]:
    """Return values, means, squares, and largest squares if they are kept.

    References:
        Diederik Kingma, Jimmy Ba (2015). Adam: A Method for Stochastic Optimization.
        https://arxiv.org/abs/1412.6980
    """
    values, mean, square, *largest = kept
    beta_1, beta_2, epsilon = moments
    mean += (gradient - mean) * (1 - beta_1)
    square += (tf.square(gradient) - square) * (1 - beta_2)
    if largest:
        largest = [tf.maximum(largest[0], square)]
    root = tf.sqrt(largest[0] if largest else square)
    values -= values * decay
    return [values - mean * rate / (root + epsilon), mean, square, *largest]


def _joined(parts: Sequence[Any]) -> tf.Tensor:
    return tf.stack(parts) if len(parts) > 1 else tf.convert_to_tensor(parts[0])


def _write(variables: Sequence[tf.Variable], stack: tf.Tensor) -> None:
    parts = tf.unstack(stack) if len(variables) > 1 else [stack]
    for variable, value in zip(variables, parts, strict=True):
        variable.assign(value, read_value=False)
