"""A check of derivatives of orders 3 and 4, along a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_high_derivatives", "compare_orders", "derivatives"]

Function = Callable[[tf.Tensor], tf.Tensor]

# Of differences in float64. The smaller step does not cross a knot that the other does.
_STEPS = (1e-4, 1e-5)
_TOLERANCE = 1e-5
_ROWS = 2
_ZERO = tf.UnconnectedGradients.ZERO


def derivatives(function: Function, times: tf.Tensor, order: int) -> list[tf.Tensor]:
    """Return a function of numbers and its derivatives, by one tape for each order.

    Args:
        function: From `[N]` to `[N]`, each from its own.
        times: `[N]`.
        order: The highest one.

    Returns:
        `order + 1` tensors `[N]`.
    """
    if not order:
        return [function(times)]
    with tf.GradientTape() as tape:
        tape.watch(times)
        found = derivatives(function, times, order - 1)
    last = tape.gradient(found[-1], times, unconnected_gradients=_ZERO)
    return [*found, last]


def compare_orders(
    case: Any,
    check: str,
    what: str,
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    orders: tuple[int, ...],
) -> None:
    """Fail unless derivatives are differences of those of the order below.

    Args:
        case: What fails.
        check: Name of the check.
        what: Name of the function.
        function: Called with times `[N]` and the row of each, `[N]`; returns `[N]`.
        orders: Which ones.
    """
    offsets = np.array([0.0, *_STEPS, *(-step for step in _STEPS)])
    times = tf.constant(np.tile(offsets, _ROWS))
    rows = tf.constant(np.repeat(np.arange(_ROWS), len(offsets)))
    found = derivatives(lambda t: function(t, rows), times, max(orders))
    tables = [value.numpy().reshape(_ROWS, len(offsets)) for value in found]
    count = len(_STEPS)
    for order in orders:
        exact, below = tables[order][:, 0], tables[order - 1]
        spans = below[:, 1 : 1 + count] - below[:, 1 + count :]
        slopes = spans / (2.0 * np.array(_STEPS))
        best = np.argmin(np.abs(slopes - exact[:, np.newaxis]), axis=1)
        wanted = np.take_along_axis(slopes, best[:, np.newaxis], axis=1)[:, 0]
        # A derivative of 0 comes from such numbers of lower orders that cancel.
        size = max(float(np.max(np.abs(table[:, 0]))) for table in tables[: order + 1])
        label = f"derivative of order {order} of {what} along a line"
        registry.compare(case, check, label, exact, wanted, _TOLERANCE, max(1.0, size))


def _lines(
    case: BijectorCase,
) -> Iterator[tuple[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]]:
    """Yield values and log-dets of both directions as functions of times and rows."""
    bijector = case.bijector("float64")
    x = case.points((_ROWS,), "float64", salt=4)
    given = case.condition((_ROWS,), "float64")
    methods = registry.directions(case, bijector, x, given)
    for name, (method, log_det, start) in methods.items():

        def function(
            times: tf.Tensor,
            rows: tf.Tensor,
            method: Callable[..., Any] = method,
            log_det: Callable[..., Any] = log_det,
            start: tf.Tensor = start,
        ) -> tf.Tensor:
            point = _moved(start, times, rows, case.seed)
            now = {k: _moved(v, times, rows, case.seed + 1) for k, v in given.items()}
            value = method(tf.identity(point), **now)
            number = log_det(case, bijector, tf.identity(point), **now)
            shape = tf.shape(times)
            noise = _noise(value.shape[1:], case.seed + 2)
            weighted = tf.reshape(value * noise, [shape[0], -1])
            return tf.reduce_sum(weighted, axis=-1) + tf.broadcast_to(number, shape)

        yield name, function


def _moved(start: tf.Tensor, times: tf.Tensor, rows: tf.Tensor, seed: int) -> tf.Tensor:
    """Return where a line through each start is at some times."""
    along = tf.reshape(times, [-1, *[1] * (start.shape.rank - 1)])
    return tf.gather(start, rows) + along * _noise(start.shape[1:], seed)


def _noise(shape: Any, seed: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=tuple(shape)))


@registry.bijector_check
def check_high_derivatives(case: BijectorCase) -> None:
    """Derivatives of orders 3 and 4 equal differences of those of the order below.

    In float64, along a line through random points, of value and log-det of both
    directions; or they raise `NotImplementedError`. A map that can be had in float32
    only is not checked.
    """
    if "float64" not in case.dtypes:
        return
    for name, function in _lines(case):
        try:
            compare_orders(case, "high_derivatives", name, function, (3, 4))
        except NotImplementedError:
            continue
