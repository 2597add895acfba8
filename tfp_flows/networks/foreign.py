"""The variables of networks that this package has not built."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["build", "deepcopy", "raw"]


def raw(value: Any) -> Any:
    """Return the `tf.Variable` that a variable of Keras wraps, else `value`.

    `tf.Module` does not list variables of Keras: they would never be trained.
    """
    inner = getattr(value, "value", None)
    return inner if isinstance(inner, tf.Variable) else value


def _listed(network: Any) -> list[tf.Variable]:
    return [raw(v) for v in getattr(network, "variables", ())]


def build(
    network: Any, call: Callable[..., tf.Tensor], *inputs: tf.Tensor | None
) -> tuple[tf.Tensor, list[tf.Variable]]:
    """Call a network for the first time, and list its variables.

    Keras 3 hides its variables from `tf.Module`: they are handed over as they are. Of
    a plain function, those count that the call has read and that are trainable.

    Args:
        network: Keras 3 or tf_keras network, `tf.Module`, or any callable.
        call: Calls it.
        *inputs: What `call` gets.

    Returns:
        What the call returned, and the `tf.Variable`s.
    """
    with tf.GradientTape() as tape:
        out = call(*inputs)
    found = {id(v): v for v in (*_listed(network), *tape.watched_variables())}
    return out, list(found.values())


def deepcopy(
    network: Any, weights: list[tf.Variable], memo: dict[int, Any]
) -> tuple[Any, list[tf.Variable]]:
    """Return a copy of a network and the variables that the copy reads.

    Args:
        network: The network.
        weights: Its variables.
        memo: As in `copy.deepcopy`.

    Returns:
        Copy and variables; a plain function is its own copy.
    """
    copied = copy.deepcopy(network, memo)
    return copied, weights if copied is network else _listed(copied)
