"""What maps ask of TensorFlow's graphs: the names that another engine does not have.

Maths and maps use only names of TensorFlow that TensorFlow Probability's own rewrite
for JAX knows; what is left stands here, and in `_tapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows import _tapes

__all__ = [
    "called",
    "current",
    "for_each_shape",
    "is_for_xla",
    "pullback",
    "rows",
    "spec",
]

# By what a graph says which control flow its operations are in.
CONTEXT = "_get_control_flow_context"


def current() -> Any:
    """Return the graph that operations are put into."""
    return tf.compat.v1.get_default_graph()


def is_for_xla() -> bool:
    """Return whether XLA is to compile what is traced now.

    Where TensorFlow has no such name, nobody knows, and the answer is no.
    """
    graph = None if tf.executing_eagerly() else current()
    while graph is not None:
        context = getattr(graph, CONTEXT, lambda: None)()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


def spec(value: Any) -> Any:
    """Return the type of a composite tensor: structure, shapes and dtypes."""
    return tf.type_spec_from_value(value)


def rows(stacks: Sequence[tf.Tensor]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Return what loops read row `i` of each of some arrays by.

    A `tf.TensorArray` does so with three times the operations, of which a deep flow has
    one for each weight of a block: much of what is traced before its first call.

    Args:
        stacks: Arrays `[R, ...]` of known rank.
    """
    shapes: dict[tuple[int, ...], tf.Tensor] = {}
    lists = []
    for stack in stacks:
        shape = tuple(-1 if size is None else size for size in stack.shape[1:])
        if shape not in shapes:
            shapes[shape] = tf.constant(shape, tf.int32)
        lists.append(
            tf.raw_ops.TensorListFromTensor(tensor=stack, element_shape=shapes[shape])
        )

    def read(i: tf.Tensor) -> list[tf.Tensor]:
        unknown = tf.constant(-1)  # the lists know the shapes of their rows
        found = []
        for stack, handle in zip(stacks, lists, strict=True):
            row = tf.raw_ops.TensorListGetItem(
                input_handle=handle,
                index=i,
                element_shape=unknown,
                element_dtype=stack.dtype,
            )
            row.set_shape(stack.shape[1:])
            found.append(row)
        return found

    return read


def pullback(
    value: tf.Tensor, inputs: Sequence[tf.Tensor], upstream: tf.Tensor
) -> list[tf.Tensor]:
    """Return gradients within a graph, which need no tape; zeros where there is none.

    Args:
        value: What to differentiate.
        inputs: By what.
        upstream: Gradient by the value.
    """
    zero = tf.UnconnectedGradients.ZERO
    found = tf.gradients(value, inputs, upstream, unconnected_gradients=zero)
    return [tf.convert_to_tensor(gradient) for gradient in found]


def called(function: Any, *arguments: tf.Tensor) -> Any:
    """Return what a concrete function returns, at once where nothing records the call.

    TensorFlow first matches arguments with names, and asks what may watch them: small
    functions take no longer. What runs is what TensorFlow would run then, bit for bit.

    Args:
        function: Concrete function.
        *arguments: Its tensors without those that it holds, of its dtypes.
    """
    program = getattr(function, "inference_fn", None)  # other releases may lack it
    run = getattr(program, "call_preflattened", None)
    if run is None or _tapes.is_recording() or not tf.executing_eagerly():
        return function(*arguments)
    return run([*arguments, *function.captured_inputs])


def for_each_shape(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function of tensors that is traced once for each of their shapes.

    TensorFlow warns of retracing where several objects have one method traced, each for
    itself; not where it is asked for the graph.

    Args:
        function: Function of tensors.
        **options: Of `tf.function`.
    """
    asked = tf.function(function, autograph=False, **options)
    known: dict[tuple[Any, ...], Any] = {}

    def call(*arguments: tf.Tensor) -> Any:
        key = tuple((part.shape, part.dtype) for part in arguments)
        if key not in known:
            known[key] = asked.get_concrete_function(*arguments)
        return known[key](*arguments)

    return call
