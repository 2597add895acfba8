"""What follows from a single column: its kind of support, its grid, its codes."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.preprocessing.column import Column

__all__ = ["coded", "inner_value", "kind", "length", "multiple"]


def coded(column: Column) -> Column:
    """Return a column of categories as that of their positions."""
    if column.categories is None:
        return column
    return Column(low=0.0, high=len(column.categories) - 1.0, step=1.0)


def kind(column: Column) -> str:
    """Return the kind of support, one of `supports.KINDS`."""
    if column.periodic:
        return "wrapped" if column.wrap else "circle"
    below, above = math.isfinite(column.low), math.isfinite(column.high)
    if below and above:
        return "interval"
    if not (below or above):
        return "line"
    side = "above" if below else "below"
    return f"log-{side}" if column.logarithmic else side


def inner_value(column: Column) -> float:
    """Return some value that a column may have."""
    first, last = column.first_and_last
    finite = [end for end in (first, last) if math.isfinite(end)]
    if column.step is not None:
        return finite[0] if finite else column.offset
    if len(finite) == 2:
        return 0.5 * (first + last)
    if not finite:
        return 0.0
    return first + 1.0 if math.isfinite(first) else last - 1.0


def multiple(x: tf.Tensor, step: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Return the multiple of a step next to a value, rounded as decimals are."""
    safe = tf.where(step > 0.0, step, tf.ones_like(step))
    number = tf.round((x - offset) / safe)
    parts = tf.round(1.0 / safe)
    # The third multiple of 0.1 is 3 / 10, not 3 * 0.1.
    decimal = tf.abs(parts * safe - 1.0) < 1e-6
    parts = tf.where(decimal, parts, tf.ones_like(parts))
    # By a constant, a compiled function would multiply with 1 / parts, rounded.
    parts = tf.where(tf.math.is_nan(number), tf.ones_like(number), parts)
    return tf.where(decimal, number / parts, number * safe) + offset


def length(x: np.ndarray) -> float:
    """Return about how long the range is over which values spread."""
    if not len(x):
        return 1.0
    low, high = np.quantile(x, [0.1, 0.9])
    found = (high - low) / 0.8 if high > low else np.ptp(x)
    return float(found) if found > 0.0 else 1.0
