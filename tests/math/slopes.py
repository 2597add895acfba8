"""Derivatives of formulas, by autodiff."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

__all__ = ["assert_log_slope", "log_slope"]


def log_slope(function, x):
    """Return the log of the derivative of each element of `function(x)[0]`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)[0]
    return tf.math.log(tape.gradient(y, x))


def assert_log_slope(function, x, atol=1e-9):
    """Check that a function's second output is the log of its derivative."""
    x = tf.constant(x, tf.float64)
    np.testing.assert_allclose(function(x)[1], log_slope(function, x), atol=atol)
