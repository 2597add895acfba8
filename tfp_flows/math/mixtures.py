"""CDFs of mixtures of logistics in log space, and their inverse.

The component axis is first: logits, locations and log-scales are `[K, ...]`.
"""

from __future__ import annotations

import tensorflow as tf

from tfp_flows.math import roots

__all__ = ["logit_cdf", "logit_cdf_inverse"]

# Further out the value is a straight line, in this range nothing overflows float32.
FAR = 1e30


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
    log_below, log_above = -tf.nn.softplus(-u), -tf.nn.softplus(u)
    below, above = log_weights + log_below, log_weights + log_above
    log_cdf = tf.reduce_logsumexp(below, axis=0)
    log_survival = tf.reduce_logsumexp(above, axis=0)
    # The density over one tail, as a mean over the components in that tail: far out
    # density and tail are both tiny, and their logs must not be subtracted.
    in_lower = tf.reduce_logsumexp(below - log_cdf + log_above - log_scales, axis=0)
    in_upper = tf.reduce_logsumexp(
        above - log_survival + log_below - log_scales, axis=0
    )
    upper = log_cdf > log_survival
    log_derivative = tf.where(upper, in_upper - log_cdf, in_lower - log_survival)
    value = log_cdf - log_survival
    return tf.where(tf.math.is_inf(x), x + value, value), log_derivative


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
    clipped = tf.clip_by_value(y, -FAR, FAR)
    quantiles = locations + clipped * tf.exp(log_scales)
    low, high = tf.reduce_min(quantiles, axis=0), tf.reduce_max(quantiles, axis=0)
    x = roots.solve(logit_cdf, clipped, low, high, parameters, bracketed=True).root
    log_det = -logit_cdf(x, *parameters)[1]
    return tf.where(tf.math.is_inf(y), tf.stop_gradient(y), x), log_det
