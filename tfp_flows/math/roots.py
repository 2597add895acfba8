"""Roots of increasing functions of one number, many at once, with their derivatives.

`x` with `f(x, p) = y` is found by Newton steps within a bracket that closes around the
root. These steps are not differentiated. Derivatives are those of the implicit
function,

    dx = (dy - df/dp dp) / f'(x, p)

of every order, since `x` at the right is that function again. In forward mode they are
those of further steps, which start from the root and leave it where it is: the first
has derivatives of order 1, and after each one those of order `2 * n + 1` are right
where those of order `n` were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfp_flows.math import implicit

__all__ = [
    "Function",
    "Solution",
    "attach_derivatives",
    "require_found",
    "root",
    "solve",
]

# Maps `x` and the parameters to the value and the log of its derivative by `x`.
Function = Callable[..., tuple[tf.Tensor, tf.Tensor]]

# A bracket that is four times as wide at each step soon covers all floats.
EXPANSIONS = 550
GROWTH = 4.0


class Solution(NamedTuple):
    """Where a function takes its targets.

    Attributes:
        root: Positions `x`, differentiable by targets and parameters, `[...]`.
        converged: Whether the position is a root to the precision of the dtype,
            `[...]`. False where the bracket, however wide, holds none, where
            `max_steps` were too few, and where the function is NaN.
        num_steps: How often the function was evaluated within the bracket.
    """

    root: tf.Tensor
    converged: tf.Tensor
    num_steps: tf.Tensor


def solve(
    function: Function,
    target: tf.Tensor,
    low: tf.Tensor | None = None,
    high: tf.Tensor | None = None,
    parameters: Sequence[tf.Tensor] = (),
    *,
    bracketed: bool = False,
    max_steps: int = 200,
) -> Solution:
    """Solve `function(x, *parameters)[0] = target` for each element.

    A step of Newton is taken where it stays within the bracket and is at most half as
    long as the one before; elsewhere the bracket is halved. Derivatives are those of
    the implicit function; they reach `target` and `parameters`, and nothing that
    `function` holds besides.

    Args:
        function: Takes `x` and the parameters, and returns the value, increasing in
            `x`, and the log of its derivative by `x`. Both are made of differentiable
            operations that act on each element alone.
        target: Values wanted, of the shape of the function's value, `[...]`. Infinite
            targets have infinite roots, NaN has NaN.
        low: Below the root; `None` starts from -1. Broadcasts against `target`.
        high: Above the root; `None` starts from 1.
        parameters: Floating tensors that `function` needs, of any shapes that it can
            use.
        bracketed: Whether `low` and `high` are known to enclose the root. Otherwise the
            bracket is moved and widened until it does.
        max_steps: Most evaluations within the bracket.

    Returns:
        Roots, whether each was found, and the number of steps.

    Example:
        >>> import tensorflow as tf
        >>> from tfp_flows.math import roots
        >>> def cubic(x, a):
        ...     return a * x + x**3, tf.math.log(a + 3.0 * x**2)
        >>> found = roots.solve(cubic, tf.constant([10.0]), parameters=[1.0])
        >>> found.root.numpy().tolist(), found.converged.numpy().tolist()
        ([2.0], [True])
    """
    target = tf.convert_to_tensor(target)
    parameters = [tf.convert_to_tensor(p, target.dtype) for p in parameters]
    fixed = [tf.stop_gradient(p) for p in parameters]
    finite = tf.math.is_finite(target)
    zero, nan = tf.zeros_like(target), tf.constant(np.nan, target.dtype)
    # What has no finite root is done at once: it shall not hold up the others.
    wanted = tf.where(finite, tf.stop_gradient(target), nan)

    def error(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        value, log_slope = function(x, *fixed)
        return value - wanted, log_slope

    start, end = (
        tf.stop_gradient(tf.convert_to_tensor(edge, target.dtype)) + zero
        for edge in (-1.0 if low is None else low, 1.0 if high is None else high)
    )
    if not bracketed:
        start, end = _enclosing(error, start, end)
    size = 1.0 + tf.abs(wanted)
    x, converged, steps = _shrunk(error, start, end, size, max_steps)
    x, given = tf.where(finite, x, zero), tf.where(finite, target, zero)
    root = attach_derivatives(function, x, given, parameters)
    root = tf.where(finite, root, tf.stop_gradient(target))
    return Solution(root, converged | tf.math.is_inf(target), steps)


def root(
    function: Function,
    target: tf.Tensor,
    low: tf.Tensor | None = None,
    high: tf.Tensor | None = None,
    parameters: Sequence[tf.Tensor] = (),
    **options: Any,
) -> tf.Tensor:
    """Return the roots alone, and stop if one is missing.

    Args:
        function: See `solve`.
        target: See `solve`.
        low: See `solve`.
        high: See `solve`.
        parameters: See `solve`.
        **options: See `solve`.

    Returns:
        Roots, `[...]`. XLA, which has no errors, gets NaN where there is none. NaN in
        targets or parameters gives NaN.

    Raises:
        tf.errors.InvalidArgumentError: If a root was not found, with the number of
            those.
    """
    target = tf.convert_to_tensor(target)
    found = solve(function, target, low, high, parameters, **options)
    is_number = tf.math.is_finite(target) & tf.math.is_finite(found.root)
    return require_found(found.root, is_number & ~found.converged)


def require_found(root: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """Return roots, and stop if some are missing.

    Args:
        root: What was found, `[...]`.
        missing: Where it is no root, `[...]`.

    Returns:
        The roots, in XLA, which has no errors, NaN where there is none.

    Raises:
        tf.errors.InvalidArgumentError: If one is missing, with the number of those.
    """
    message = (
        "An inverse must converge, but an increasing function has no root for some "
        "values. Look for extreme weights, or use float64. Not found, and tried:"
    )
    count = tf.math.count_nonzero(missing), tf.size(missing)
    if tf.executing_eagerly():
        if count[0]:
            text = f"{message} {int(count[0])}, {int(count[1])}."
            raise tf.errors.InvalidArgumentError(None, None, text)
        return root
    check = tf.debugging.Assert(~tf.reduce_any(missing), [message, *count])
    with tf.control_dependencies([check]):
        nan = tf.constant(np.nan, root.dtype)
        return tf.where(missing, nan, root)


def _enclosing(
    error: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    low: tf.Tensor,
    high: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Move and widen brackets until the errors at their ends differ in sign."""
    kind = low.dtype.as_numpy_dtype
    least, most = float(np.finfo(kind).eps), float(np.finfo(kind).max) / 8.0

    def step(
        low: tf.Tensor, high: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        left, right = error(low)[0] > 0, error(high)[0] < 0
        width = GROWTH * tf.maximum(high - low, least * (1.0 + tf.abs(low)))
        further = tf.maximum(low - width, -most), tf.minimum(high + width, most)
        # What is to the left of the bracket is left of its low end, too.
        new_low = tf.where(left, further[0], tf.where(right, high, low))
        new_high = tf.where(left, low, tf.where(right, further[1], high))
        moved = (new_low < low) | (new_high > high)
        return new_low, new_high, tf.reduce_any(moved)

    low, high, _ = tf.while_loop(
        lambda *state: state[-1],
        step,
        (low, high, tf.constant(value=True)),
        maximum_iterations=EXPANSIONS,
    )
    return low, high


def _shrunk(
    error: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    first: tf.Tensor,
    last: tf.Tensor,
    size: tf.Tensor,
    max_steps: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Shrink brackets around roots; return these, whether found, and the steps."""
    # Rounding makes the last digits flicker for ever: they do not count as a move.
    tolerance = 4.0 * float(np.finfo(first.dtype.as_numpy_dtype).eps)
    # After a step so short the next has all digits: it is the one differentiated.
    near = _half_the_digits(first) / tolerance

    def step(
        count: tf.Tensor,
        low: tf.Tensor,
        high: tf.Tensor,
        x: tf.Tensor,
        limit: tf.Tensor,
        unsettled: tf.Tensor,
        moving: tf.Tensor,
        near_target: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        wrong, log_slope = error(x)
        near_target |= tf.abs(wrong) <= tolerance * size
        low, high = tf.where(wrong < 0, x, low), tf.where(wrong > 0, x, high)
        change = _inverse_slope(log_slope) * wrong
        newton, length, width = x - change, tf.abs(change), high - low
        margin = tolerance * (1.0 + tf.abs(x))
        outside = (newton < low - margin) | (newton > high + margin)
        # Where the slope underflows, the step says nothing: its length was bounded.
        outside |= (-log_slope > _steepest(x)) & tf.not_equal(wrong, 0.0)
        # What is found stays so: rounding would throw it back to its bracket.
        unsettled &= outside | (length > near * margin)
        # Steps that do not shrink may repeat for ever: the bracket is halved between.
        halved = outside | (length > tf.maximum(limit, near * margin))
        x = tf.where(moving, tf.where(halved, low + 0.5 * width, newton), x)
        limit = tf.where(halved, width, 0.5 * length)
        moving &= unsettled & (width > margin)
        return count + 1, low, high, x, limit, unsettled, moving, near_target

    yes = tf.ones_like(first, tf.bool)
    middle, width = first + 0.5 * (last - first), last - first
    start = (0, first, last, middle, width, yes, yes, ~yes)
    steps, low, high, x, _, unsettled, _, near_target = tf.while_loop(
        lambda *state: tf.reduce_any(state[-2]),
        step,
        start,
        maximum_iterations=max_steps,
    )
    # Both ends were moved: the root is between them, however steep the function.
    closed = (high - low <= tolerance * (1.0 + tf.abs(x))) & (low > first)
    converged = ~unsettled | (closed & (high < last))
    # At the end of a bracket rounding may leave the root just outside.
    converged |= near_target & (high - low <= tolerance * (1.0 + tf.abs(x)))
    return x, converged & tf.math.is_finite(x), steps


def attach_derivatives(
    function: Function,
    root: tf.Tensor,
    target: tf.Tensor,
    parameters: Sequence[tf.Tensor] = (),
    *,
    is_exact: bool = False,
    inverse_slope: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Return a known root as a function of the target and the parameters.

    Args:
        function: See `solve`.
        root: Solution of `function(root, *parameters)[0] = target`, `[...]`, to half of
            the digits of its dtype.
        target: See `solve`.
        parameters: See `solve`.
        is_exact: Whether the root has all digits.
        inverse_slope: One over the slope at a root, for a function without parameters
            whose value takes longer.

    Returns:
        The root to all digits, with the derivatives of the implicit function.
    """
    inputs = [target, *parameters]
    x = tf.stop_gradient(root)
    if not is_exact:
        x = _polished(function, x, *(tf.stop_gradient(tensor) for tensor in inputs))
    steps = implicit.steps_wanted(inputs)
    if steps:
        x = _stepped(function, x, target, parameters, steps)
        return implicit.limited(x, inputs, 2**steps - 1)

    def gradients(
        upstream: tf.Tensor, x: tf.Tensor, inputs: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        if inverse_slope is not None:
            return [upstream * inverse_slope(x)]

        def missing(
            target: tf.Tensor, *parameters: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            value, log_slope = function(x, *parameters)
            return target - value, upstream * _inverse_slope(log_slope)

        if len(inputs) == 1:
            return [missing(*inputs)[1]]
        return implicit.pullback(missing, inputs)

    return implicit.attached(x, inputs, gradients)


def _polished(
    function: Function, x: tf.Tensor, target: tf.Tensor, *parameters: tf.Tensor
) -> tf.Tensor:
    """Return a root to all digits of one to half of them, by one step."""
    value, log_slope = function(x, *parameters)
    change = (target - value) * _inverse_slope(log_slope)
    # A longer step is no improvement: the slope has underflown, or jumps.
    good = tf.abs(change) <= _half_the_digits(x) * (1.0 + tf.abs(x))
    return tf.stop_gradient(x + tf.where(good, change, tf.zeros_like(change)))


def _stepped(
    function: Function,
    x: tf.Tensor,
    target: tf.Tensor,
    parameters: Sequence[tf.Tensor],
    steps: int,
) -> tf.Tensor:
    """Return a root behind steps of Newton that leave it where it is."""
    for step in range(steps):
        value, log_slope = function(x, *parameters)
        missing = target - value
        # Zero in value: only derivatives are left to mend.
        missing -= tf.stop_gradient(missing)
        inverse_slope = _inverse_slope(log_slope)
        x += missing * (inverse_slope if step else tf.stop_gradient(inverse_slope))
    return x


def _half_the_digits(x: tf.Tensor) -> float:
    return float(np.finfo(x.dtype.as_numpy_dtype).eps) ** 0.5


def _inverse_slope(log_slope: tf.Tensor) -> tf.Tensor:
    """Return one over the slope, bounded where the slope underflows."""
    return tf.exp(tf.minimum(-log_slope, _steepest(log_slope)))


def _steepest(x: tf.Tensor) -> float:
    """Return the log up to which one over a slope is not bounded."""
    return 0.5 * float(np.log(np.finfo(x.dtype.as_numpy_dtype).max))
