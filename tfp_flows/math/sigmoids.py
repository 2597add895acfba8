"""Deep sigmoidal functions: log-odds of means of sigmoids, layer by layer.

A layer takes increasing functions `h` of one number to others,

    h'[i] = logit(sum_k w[i, k] * sigmoid(exp(a[k]) * sum_j u[k, j] * h[j] + b[k]))

with rows of `w` and of `u` that sum to 1. The first one is given the number itself, and
the last one returns one function. All is computed in log space: far out the function
is a straight line.

References:
    Chin-Wei Huang, David Krueger, Alexandre Lacoste, Aaron Courville (2018). Neural
    Autoregressive Flows. https://arxiv.org/abs/1804.00779, eq. 8 to 10
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows.math import mixtures, roots
from tfp_flows.math.splines import rational_quadratic

__all__ = ["forward", "inverse", "sizes"]

# Logs of slopes of single sigmoids are softly clipped to this size.
LOG_SLOPE_BOUND = 5.0


def sizes(num_units: int, num_layers: int) -> list[int]:
    """Return how many numbers each layer takes: `a`, `b`, logits of `w` and of `u`."""
    inner = [num_units] * (num_layers - 1)
    widths = zip([1, *inner], [*inner, 1], strict=True)
    # Of one number there is nothing to average.
    return [
        2 * num_units + num_units * after + num_units * before * (before > 1)
        for before, after in widths
    ]


def forward(
    x: tf.Tensor, layers: Sequence[tf.Tensor], num_units: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluate a deep sigmoidal function.

    Args:
        x: Scalars, `[...]`.
        layers: Numbers of each layer, see `sizes`, `[P, ...]`; zeros give the
            identity.
        num_units: Sigmoids in each layer.

    Returns:
        Value and log-derivative, `[...]`.
    """
    clipped = tf.clip_by_value(x, -mixtures.FAR, mixtures.FAR)
    h = clipped[tf.newaxis]
    log_slopes = tf.zeros_like(h)
    for params in layers:
        h, log_slopes = _layer(h, log_slopes, params, num_units)
    value = h[0]
    return tf.where(tf.math.is_inf(x), x + value, value), log_slopes[0]


def inverse(
    y: tf.Tensor, layers: Sequence[tf.Tensor], num_units: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `forward(x) = y`; returns `x` and the log-derivative of the inverse.

    Args:
        y: Scalars, `[...]`.
        layers: See `forward`.
        num_units: See `forward`.

    Returns:
        Value and log-derivative of the inverse map, `[...]`.
    """

    def function(x: tf.Tensor, *layers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return forward(x, layers, num_units)

    y = y + tf.zeros_like(layers[0][0])
    far = mixtures.FAR_TARGET
    x = roots.root(function, tf.clip_by_value(y, -far, far), parameters=layers)
    log_det = -function(x, *layers)[1]
    return mixtures.continued(y, x, log_det), log_det


def _layer(
    h: tf.Tensor, log_slopes: tf.Tensor, params: tf.Tensor, num_units: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the functions of the next layer and the logs of their slopes."""
    before, units = h.shape[0], num_units
    mixed = units * before if before > 1 else 0
    raw, b, w, u = tf.split(params, [units, units, -1, mixed])
    log_w = _log_softmax(w, units)
    if before > 1:
        log_u = _log_softmax(u, before)
        h = tf.reduce_sum(tf.exp(log_u) * h[:, tf.newaxis], axis=0)
        log_slopes = tf.reduce_logsumexp(log_u + log_slopes[:, tf.newaxis], axis=0)
    a = rational_quadratic.soft_clip(raw, LOG_SLOPE_BOUND)
    inner = (tf.exp(a) * h + b)[:, tf.newaxis]
    return mixtures.log_odds(log_w, inner, (a + log_slopes)[:, tf.newaxis])


def _log_softmax(logits: tf.Tensor, size: int) -> tf.Tensor:
    """Return logs of weights, `[size, ..., *]` of logits `[size * N, *]`."""
    shape = tf.concat([[size, logits.shape[0] // size], tf.shape(logits)[1:]], 0)
    out = tf.reshape(logits, shape)
    out.set_shape([size, logits.shape[0] // size, *logits.shape[1:]])
    return out - tf.reduce_logsumexp(out, axis=0, keepdims=True)
