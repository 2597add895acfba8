"""What a numerical inverse owes far outside of the range of data."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

__all__ = ["assert_inverse_holds_far_out"]


def assert_inverse_holds_far_out(forward, inverse, params):
    """Solve for values to +-100, each with parameters of its own, `[P, N]`.

    The value of the root is right to 8 roundings of the value, or of the root where
    that is what limits it; the root to 1e-5, in float64 1e-10, times the condition.
    """
    kind = params.dtype.as_numpy_dtype
    size, eps = params.shape[1], np.finfo(kind).eps
    rng = np.random.default_rng(0)
    y = rng.uniform(-100.0, 100.0, size)
    y[::2] = rng.normal(size=len(y[::2]))
    y = tf.constant(y, kind)
    x, log_det = inverse(y, params)
    again, log_slope = forward(tf.identity(x), params)
    np.testing.assert_allclose(log_det, -log_slope, atol=1e-12)
    slope = np.exp(log_slope)
    scale = np.maximum(np.maximum(1.0, np.abs(y)), slope * np.abs(x))
    assert np.max(np.abs(again - y) / scale) <= 8 * eps
    # From the other side: here the root is known.
    known = y
    y, log_slope = forward(known, params)
    found, _ = inverse(y, params)
    size_of = [np.maximum(1.0, np.abs(value)) for value in (known, y)]
    condition = np.maximum(1.0, size_of[1] / size_of[0] / np.exp(log_slope))
    error = np.abs(found - known) / size_of[0]
    assert np.max(error / condition) <= (1e-5 if eps > 1e-10 else 1e-10)
