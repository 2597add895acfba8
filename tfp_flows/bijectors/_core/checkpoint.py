"""Gradients that keep only what a function was given, and run it once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows import _context, _graphs, _tapes

__all__ = ["across_xla", "gradients", "recomputed"]

Function = Callable[..., tuple[tf.Tensor, ...]]


def recomputed(
    function: Function, value: tf.Tensor, tensors: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """Evaluate a function, of which the backward pass keeps no intermediate result.

    Unlike `tf.recompute_grad` it can be differentiated twice.

    Args:
        function: Called as `function(value, *tensors)`; reads no variable itself.
        value: What most of its work depends on.
        tensors: What else it depends on.

    Returns:
        What the function returns, a tuple of tensors.
    """
    if _tapes.in_forward_mode([value, *tensors]):
        return function(value, *tensors)
    training = _context.is_training()

    @tf.custom_gradient
    def evaluate(
        value: tf.Tensor, *tensors: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., list[tf.Tensor]]]:
        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            with _context.training_scope(training):
                upstream = tuple(tf.convert_to_tensor(part) for part in upstream)
                later = _after_upstream(value, upstream[0])
                return gradients(function, [later, *tensors], upstream)

        return function(value, *tensors), gradient

    return evaluate(value, *tensors)


def across_xla(
    function: Function, value: tf.Tensor, tensors: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """Evaluate a function with a loop, which tapes pass that are outside of XLA.

    What a loop keeps for its gradient cannot leave a function that XLA compiled: there
    the gradient runs it once more. In training, tapes are inside of the function.

    Args:
        function: See `recomputed`.
        value: See `recomputed`.
        tensors: See `recomputed`.
    """
    if _graphs.is_for_xla() and not _context.is_training():
        return recomputed(function, value, tensors)
    return function(value, *tensors)


def gradients(
    function: Function,
    inputs: Sequence[tf.Tensor],
    upstream: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable] = (),
) -> list[tf.Tensor]:
    """Run a function and return its gradients by the inputs, and by variables.

    Args:
        function: Called with the inputs.
        inputs: Tensors.
        upstream: Gradients by what the function returns.
        variables: What else it reads.

    Returns:
        Gradients; zeros by what is no float.
    """
    floats = [tensor for tensor in inputs if tensor.dtype.is_floating]
    sources = [*floats, *variables]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = function(*inputs)
    found = tape.gradient(outputs, sources, output_gradients=list(upstream))
    if all(gradient is None for gradient in found):
        _tapes.seen(None)
    rest = iter(found)
    by_inputs = [next(rest) if t.dtype.is_floating else None for t in inputs]
    return [
        tf.zeros_like(t) if g is None else tf.convert_to_tensor(g)
        for t, g in zip([*inputs, *variables], [*by_inputs, *rest], strict=True)
    ]


def _after_upstream(value: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return `value`, as far as a compiler can tell not before `upstream` is known.

    A compiler would find the second run equal to the first, and keep the results.
    """
    zero: Any = tf.minimum(tf.square(tf.reshape(upstream, [-1])[:1]), 0.0)
    return value + tf.cast(tf.reduce_sum(zero), value.dtype)
