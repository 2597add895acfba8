"""Small calls of traced functions, which TensorFlow's own call would only delay.

What TensorFlow asks before it runs a traced function, and its way through other
threads, take a tenth of a millisecond: more than small flows do. The operation that
calls a function runs the same graph at once, in the thread of the caller.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tfp_flows import _context, _tapes

__all__ = ["Direct"]

# Products of scalars and weights up to which operations side by side would save little:
# at most a millisecond of arithmetic, of convolutions, too.
SMALL = 2**22


class Direct:
    """Calls a traced function that returns one tensor, in the shortest way there is.

    Calls that a tape or a graph records, big ones, and those on a GPU or of replicas
    are TensorFlow's own.

    Args:
        function: Concrete function; who calls it has checked shapes and dtypes.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._held = function.captured_inputs
        self._types = [tensor.dtype for tensor in function.outputs]
        weights = sum(math.prod(variable.shape) for variable in function.variables)
        self._weights = math.inf if _is_elsewhere() else max(1, weights)

    def __call__(self, *arguments: tf.Tensor, scalars: int | None) -> tf.Tensor:
        """Return what the function returns.

        Args:
            *arguments: Tensors of eager mode.
            scalars: How many numbers their events have, if that is known.
        """
        is_small = scalars is not None and scalars * self._weights <= SMALL
        if not is_small or not tf.executing_eagerly() or _tapes.is_recording():
            return self._function(*arguments)
        values = [*arguments, *self._held]
        return tf.raw_ops.StatefulPartitionedCall(
            args=values, Tout=self._types, f=self._function
        )[0]


def _is_elsewhere() -> bool:
    """Return whether TensorFlow decides where a function runs."""
    return _context.on_gpu() or tf.distribute.has_strategy()
