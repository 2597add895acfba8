"""Derivatives of what was found by a search, of any order.

A solution `x` of `F(x, p) = 0` has the derivative `dx = -J^-1 dF/dp dp`, with `J` the
Jacobian of `F` by `x`. The rule is itself written by `x` as a function of `p`, and so
it can be differentiated as often as `F` can. In forward mode TensorFlow looks past such
rules: there `steps` of Newton carry the derivatives, as many as the open tapes and
accumulators may ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfp_flows import _graphs, _tapes

__all__ = [
    "attached",
    "limited",
    "pullback",
    "solution",
    "steps_wanted",
]

# Steps in forward mode: a persistent tape, which counts as one, may ask for more.
LEAST_STEPS = 3

Tensors = Sequence[tf.Tensor]


def solution(
    x: tf.Tensor,
    inputs: Tensors,
    missing: Callable[..., tf.Tensor],
    over_jacobian: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Return a known solution of several numbers as a function of its inputs.

    Args:
        x: Solution to half of the digits of its dtype.
        inputs: Floating tensors that determine it.
        missing: Called with a place and the inputs: `-F`, zero at the solution.
        over_jacobian: Called with a place, a right side, and the inputs; returns the
            right side divided by the Jacobian of `F`, or with `adjoint=True` by the
            transpose of it.

    Returns:
        The solution to all digits, with the derivatives of the implicit function.
    """
    fixed = [tf.stop_gradient(tensor) for tensor in inputs]
    x = tf.stop_gradient(x)
    x = tf.stop_gradient(x + over_jacobian(x, missing(x, *fixed), *fixed))
    steps = steps_wanted(inputs)
    for step in range(steps):
        rest = missing(x, *inputs)
        # Zero in value: only derivatives are left to mend.
        rest -= tf.stop_gradient(rest)
        x += over_jacobian(x, rest, *(inputs if step else fixed))
    if steps:
        return limited(x, inputs, 2**steps - 1)

    def gradients(upstream: tf.Tensor, x: tf.Tensor, inputs: Tensors) -> Tensors:
        by_missing = over_jacobian(x, upstream, *inputs, adjoint=True)
        return pullback(lambda *given: (missing(x, *given), by_missing), inputs)

    return attached(x, inputs, gradients)


def attached(
    x: tf.Tensor,
    inputs: Tensors,
    gradients: Callable[[tf.Tensor, tf.Tensor, Tensors], Tensors],
) -> tf.Tensor:
    """Return a known solution as a function of what it depends on.

    Args:
        x: The solution, `[...]`.
        inputs: Floating tensors that determine it.
        gradients: Called with the gradient by the solution, the solution as a function
            of the inputs, and the inputs; returns the gradients by the inputs, made of
            differentiable operations.

    Returns:
        The solution, in reverse mode with derivatives of every order.
    """
    found: list[tf.Tensor] = []

    @tf.custom_gradient
    def attach(x: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            # A gather upstream hands over slices.
            upstream = tf.convert_to_tensor(upstream)
            return None, *gradients(upstream, found[0], inputs)

        return tf.identity(x), gradient

    # Of the graph that is written now: a gradient of a gradient may be in another.
    inputs = [tf.identity(tensor) for tensor in inputs]
    found.append(attach(tf.stop_gradient(x), *inputs))
    return found[0]


def pullback(
    function: Callable[..., tuple[tf.Tensor, tf.Tensor]], inputs: Tensors
) -> list[tf.Tensor]:
    """Return gradients by the inputs of a function, inside a custom gradient.

    Args:
        function: Called with the inputs; returns a tensor and the gradient by it.
        inputs: Floating tensors.

    Raises:
        NotImplementedError: If an accumulator keeps the gradients for itself.
    """
    if not tf.executing_eagerly():
        # Tapes see nothing while TensorFlow derives forward mode from reverse mode.
        inputs = [tf.identity(tensor) for tensor in inputs]
        value, upstream = function(*inputs)
        return _graphs.pullback(value, inputs, upstream)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value, upstream = function(*inputs)
    found = tape.gradient(value, inputs, upstream)
    if all(gradient is None for gradient in found):
        _tapes.seen(None)
    return [
        tf.zeros_like(tensor) if gradient is None else tf.convert_to_tensor(gradient)
        for tensor, gradient in zip(inputs, found, strict=True)
    ]


def steps_wanted(inputs: Tensors) -> int:
    """Return how many steps of Newton have all derivatives that may be asked for.

    None if it is by reverse mode, for which `attached` is. After `n` steps those of
    order `2**n - 1` are right.
    """
    if not _tapes.in_forward_mode(inputs):
        return 0
    orders = sum(_tapes.count(tensor) or 0 for tensor in inputs)
    return max(LEAST_STEPS, (orders + 1).bit_length())


def limited(value: tf.Tensor, inputs: Tensors, orders: int) -> tf.Tensor:
    """Return a value whose derivatives above some order raise.

    An accumulator asks for one order as a tape does.

    Args:
        value: What derivatives of so many orders are right of.
        inputs: Floating tensors that count.
        orders: How many.

    Raises:
        NotImplementedError: When a derivative of a higher order is taken.
    """
    return value + _nothing([value], inputs, orders)[0]


def _nothing(likes: Tensors, inputs: Tensors, orders: int) -> Tensors:
    """Return zeros, of as many derivatives."""

    @tf.custom_gradient
    def zeros(*tensors: tf.Tensor) -> tuple[Tensors, Callable]:
        def gradient(*_: tf.Tensor) -> Tensors:
            if not orders:
                msg = (
                    "No derivative of so high an order can be had here. Open one tape "
                    "for each order, each inside the one before, and none that is "
                    "persistent, in eager mode."
                )
                raise NotImplementedError(msg)
            return _nothing(tensors, tensors, orders - 1)

        return [tf.zeros_like(tensor) for tensor in likes], gradient

    return zeros(*(tf.identity(tensor) for tensor in inputs))
