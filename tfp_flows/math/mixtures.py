"""CDFs of mixtures of logistics in log space, and their inverse.

The component axis is first: logits, locations and log-scales are `[K, ...]`.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import lines, roots

__all__ = [
    "FAR",
    "FAR_TARGET",
    "continued",
    "log_odds",
    "logit_cdf",
    "logit_cdf_inverse",
]

# Further out the value is a straight line, in this range nothing overflows float32.
FAR = 1e30
# and roots are searched for up to here: they may lie further out than their targets.
FAR_TARGET = 1e20


def logit_cdf(
    x: tf.Tensor, log_weights: tf.Tensor, locations: tf.Tensor, log_scales: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `log F(x) - log(1 - F(x))` and the log of its derivative.

    Both tails are computed on their own side, so that nothing saturates.

    Args:
        x: Positions, `[...]`.
        log_weights: Normalised log-weights of the components, `[K, ...]`.
        locations: Locations, `[K, ...]`.
        log_scales: Logs of the scales, `[K, ...]`.

    Returns:
        Value and log-derivative, `[...]`.
    """
    clipped = tf.clip_by_value(x, -FAR, FAR)
    u = (clipped - locations) * tf.exp(-log_scales)
    value, log_derivative = log_odds(log_weights, u, -log_scales)
    return tf.where(tf.math.is_inf(x), x + value, value), log_derivative


def log_odds(
    log_weights: tf.Tensor, u: tf.Tensor, log_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the log-odds of a mean of sigmoids, and the log of its derivative.

    Args:
        log_weights: Normalised log-weights of the sigmoids, `[K, ...]`.
        u: What the sigmoids are taken of, increasing functions of one number,
            `[K, ...]`.
        log_slopes: Logs of the derivatives of `u` by that number, `[K, ...]`.

    Returns:
        Value and log-derivative, `[...]`.
    """
    log_below, log_above = -tf.nn.softplus(-u), -tf.nn.softplus(u)
    below, above = log_weights + log_below, log_weights + log_above
    log_cdf = tf.reduce_logsumexp(below, axis=0)
    log_survival = tf.reduce_logsumexp(above, axis=0)
    # The density over one tail, as a mean over the components in that tail: far out
    # density and tail are both tiny, and their logs must not be subtracted.
    in_lower = tf.reduce_logsumexp(below - log_cdf + log_above + log_slopes, axis=0)
    in_upper = tf.reduce_logsumexp(
        above - log_survival + log_below + log_slopes, axis=0
    )
    upper = log_cdf > log_survival
    log_derivative = tf.where(upper, in_upper - log_cdf, in_lower - log_survival)
    # Zero, but not its derivative by a single weight.
    log_derivative += tf.reduce_logsumexp(log_weights, axis=0)
    return log_cdf - log_survival, log_derivative


def logit_cdf_inverse(
    y: tf.Tensor, log_weights: tf.Tensor, locations: tf.Tensor, log_scales: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve `logit_cdf(x) = y`; returns `x` and the log-derivative of the inverse.

    Every component maps its own quantile to `y`, and the quantile of the mixture lies
    between the smallest and the largest of them.

    Args:
        y: Log-odds, `[...]`.
        log_weights: Normalised log-weights of the components, `[K, ...]`.
        locations: Locations, `[K, ...]`.
        log_scales: Logs of the scales, `[K, ...]`.

    Returns:
        Value and log-derivative of the inverse map, `[...]`.
    """
    parameters = (log_weights, locations, log_scales)
    clipped = tf.clip_by_value(y, -FAR_TARGET, FAR_TARGET)
    quantiles = locations + clipped * tf.exp(log_scales)
    low, high = tf.reduce_min(quantiles, axis=0), tf.reduce_max(quantiles, axis=0)
    x = roots.root(logit_cdf, clipped, low, high, parameters, bracketed=True)
    log_det = -logit_cdf(x, *parameters)[1]
    return continued(y, x, log_det), log_det


def continued(y: tf.Tensor, x: tf.Tensor, log_det: tf.Tensor) -> tf.Tensor:
    """Continue an inverse as a line where targets lie beyond `FAR_TARGET`.

    Args:
        y: Targets, `[...]`.
        x: Where the function takes the targets, or the ends of the line, `[...]`.
        log_det: Log-derivative of the inverse there, `[...]`.
    """
    infinite = tf.math.is_inf(y)
    finite = tf.where(infinite, tf.zeros_like(y), y)
    step = lines.beyond(finite, -FAR_TARGET, FAR_TARGET)
    # Between components far apart the slope of the inverse overflows.
    zero = tf.zeros_like(log_det)
    x += step * tf.exp(tf.where(tf.equal(step, 0.0), zero, log_det))
    return tf.where(infinite, tf.stop_gradient(y), x)
