"""Gradients of compiled functions that evaluate a flow once more.

A function that XLA compiled hands what its gradient needs to another one. It cannot
hand over what a loop keeps for its gradient. Here the gradient is a function of its
own that holds the loop, and a loop back, as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.bijectors._core import checkpoint
from tfp_flows.flows._model import shared

__all__ = ["call", "gradients"]


def gradients(
    evaluate: Callable[..., tf.Tensor], signature: Sequence[Any], traced: Any
) -> Callable[..., Any]:
    """Return a compiled function of the gradients of another one.

    Args:
        evaluate: The function, as it is traced.
        signature: Of its arguments.
        traced: The function once it was traced: its variables and its output count.

    Returns:
        Called with the arguments and the gradient by the output; returns those by all
        arguments that are floats, and by the variables.
    """
    variables, out = traced.trainable_variables, traced.structured_outputs

    def found(*given: tf.Tensor) -> list[tf.Tensor]:
        *arguments, upstream = given
        by_all = checkpoint.gradients(
            lambda *inputs: (evaluate(*inputs),), arguments, [upstream], variables
        )
        return [gradient for gradient in by_all if gradient.dtype.is_floating]

    specs = [*signature, tf.TensorSpec(out.shape, out.dtype)]
    function = tf.function(
        found, input_signature=specs, autograph=False, jit_compile=True
    )
    return shared.bound(function.get_concrete_function())


def call(
    program: Callable[..., tf.Tensor],
    backwards: Callable[..., Any],
    weights: Sequence[tf.Tensor],
    *arguments: tf.Tensor,
) -> tf.Tensor:
    """Call a program, in eager mode, with gradients by another one.

    Args:
        program: The function itself.
        backwards: What `gradients` returned.
        weights: Values of the variables, which tapes watch.
        *arguments: Of the program.
    """
    count = len(arguments)

    @tf.custom_gradient
    def run(*inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
        given = inputs[:count]

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor | None]:
            with tf.init_scope():  # where no tape watches
                found = iter(backwards(*given, upstream))
            is_float = [tensor.dtype.is_floating for tensor in inputs]
            return [next(found) if each else None for each in is_float]

        with tf.init_scope():
            return program(*given), gradient

    return run(*arguments, *weights)
