"""Increasing functions on an interval that go on as straight lines, and their inverse.

Outside of the interval the line has the value and the slope of its end. An increasing
function thus reaches every number, and densities keep tails like those of the base.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows.math import roots

__all__ = ["beyond", "forward", "inverse"]


def beyond(value: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return how far values are outside of an interval, 0 inside."""
    below, above = value < low, value > high
    distance = value - tf.where(below, tf.cast(low, value.dtype), high)
    return tf.where(below | above, distance, tf.zeros_like(value))


def forward(
    function: roots.Function,
    x: tf.Tensor,
    parameters: Sequence[tf.Tensor],
    low: float,
    high: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a function, or the line that continues it.

    Args:
        function: Takes scalars in the interval and the parameters; returns the value
            and the log of its derivative.
        x: Scalars, `[...]`.
        parameters: What the function needs, of any shapes.
        low: Where the interval begins.
        high: Where it ends.

    Returns:
        Value and log-derivative, `[...]`.
    """
    y, log_slope = function(tf.clip_by_value(x, low, high), *parameters)
    return y + beyond(x, low, high) * tf.exp(log_slope), log_slope


def inverse(
    function: roots.Function,
    y: tf.Tensor,
    parameters: Sequence[tf.Tensor],
    low: float,
    high: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `forward(x) = y`, in a bracket that starts from the interval.

    Args:
        function: See `forward`.
        y: Scalars of the shape of the function's value, `[...]`.
        parameters: See `forward`.
        low: See `forward`.
        high: See `forward`.

    Returns:
        Value and log-derivative of the inverse map, `[...]`.
    """

    def continued(x: tf.Tensor, *parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return forward(function, x, parameters, low, high)

    ends = tf.constant(low, y.dtype), tf.constant(high, y.dtype)
    x = roots.root(continued, y, *ends, parameters)
    return x, -continued(x, *parameters)[1]
