"""Maps that make features normal through CDFs of mixtures, with Gaussian tails.

`z = ndtri(F(y))`, where `F` is the CDF of a mixture of normal or logistic
distributions, is smooth and increasing, and so is its inverse. The mixture has a broad
component besides those that it is given, so that its density does not vanish between
them. Beyond the last quantiles that floats resolve the map is a straight line of the
same slope.
"""

from __future__ import annotations

import math

import tensorflow as tf

from tfp_flows.math import normal, roots

__all__ = ["KINDS", "gaussianize", "sample_map"]

KINDS = ("normal", "logistic")
# The broad component: its weight, and its deviation relative to that of the mixture.
BROAD_WEIGHT, BROAD_SCALE = 1e-4, 3.0
# Where the straight tails begin, in scales of the component that reaches furthest: a
# probability near 1e-9 in it.
HALF_WIDTH = {"normal": 6.0, "logistic": 20.0}
# Deviation of a logistic distribution of unit scale.
DEVIATION = {"normal": 1.0, "logistic": math.pi / math.sqrt(3.0)}

# Weights, locations and scales.
Mixture = tuple[tf.Tensor, ...]


def _with_broad(
    logits: tf.Tensor, locations: tf.Tensor, log_scales: tf.Tensor, kind: str
) -> Mixture:
    """Return weights, locations and scales, `[K + 1, D]` each, the broad one last."""
    weights = tf.nn.softmax(logits, axis=-1)
    scales = tf.exp(log_scales)
    mean = tf.reduce_sum(weights * locations, axis=-1, keepdims=True)
    square = tf.square(scales * DEVIATION[kind]) + tf.square(locations - mean)
    variance = tf.reduce_sum(weights * square, axis=-1, keepdims=True)
    broad = BROAD_SCALE / DEVIATION[kind] * tf.sqrt(variance)
    parts = (
        ((1.0 - BROAD_WEIGHT) * weights, BROAD_WEIGHT * tf.ones_like(mean)),
        (locations, mean),
        (scales, broad),
    )
    out = [tf.transpose(tf.concat(part, axis=-1)) for part in parts]
    return tuple(out)


def _inner(x: tf.Tensor, mixture: Mixture, kind: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return normal quantiles and log-slopes where both tails are resolved."""
    # Components first, then the batch: sums run over the outer axis.
    batch = (slice(None), *[tf.newaxis] * (x.shape.rank - 1))
    weights, locations, scales = (part[batch] for part in mixture)
    u = (x[tf.newaxis] - locations) / scales
    if kind == "normal":
        below, above = normal.tails(u)
        density = tf.exp(normal.log_prob(u))
    else:
        below, above = tf.math.sigmoid(u), tf.math.sigmoid(-u)
        density = below * above
    below, above, density = (
        tf.reduce_sum(part, axis=0)
        for part in (weights * below, weights * above, weights / scales * density)
    )
    z = normal.quantile(below, above)
    return z, tf.math.log(density) - normal.log_prob(z)


def _ends(mixture: Mixture, kind: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where the straight tails begin, `[D]` each."""
    _, locations, scales = mixture
    half_widths = HALF_WIDTH[kind] * scales
    low = tf.reduce_min(locations - half_widths, axis=0)
    return low, tf.reduce_max(locations + half_widths, axis=0)


def gaussianize(
    x: tf.Tensor,
    logits: tf.Tensor,
    locations: tf.Tensor,
    log_scales: tf.Tensor,
    kind: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Map each feature to the normal distribution by the CDF of its mixture.

    Args:
        x: Positions, `[..., D]`.
        logits: Log-weights of the components, up to a constant, `[D, K]`.
        locations: Their locations, `[D, K]`.
        log_scales: Logs of their scales, `[D, K]`.
        kind: `"normal"` or `"logistic"`.

    Returns:
        Levels of the normal distribution and log-derivatives, both `[..., D]`.
    """
    mixture = _with_broad(logits, locations, log_scales, kind)
    return _with_tails(x, mixture, kind)


def _with_tails(
    x: tf.Tensor, mixture: Mixture, kind: str
) -> tuple[tf.Tensor, tf.Tensor]:
    low, high = _ends(mixture, kind)
    inside = tf.clip_by_value(x, low, high)
    # At the ends and between them: the slope of a tail is that at its end.
    z, log_slope = _inner(inside, mixture, kind)
    outside = (x < low) | (x > high)
    step = tf.where(outside, x - inside, tf.zeros_like(x))
    z = z + step * tf.exp(log_slope)
    return tf.where(tf.math.is_nan(x), x, z), log_slope


def sample_map(
    z: tf.Tensor,
    logits: tf.Tensor,
    locations: tf.Tensor,
    log_scales: tf.Tensor,
    kind: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Invert `gaussianize`, by Newton steps within a bracket.

    Args:
        z: Levels of the normal distribution, `[..., D]`.
        logits: See `gaussianize`.
        locations: See `gaussianize`.
        log_scales: See `gaussianize`.
        kind: See `gaussianize`.

    Returns:
        Positions and log-derivatives of the inverse, both `[..., D]`.
    """
    mixture = _with_broad(logits, locations, log_scales, kind)

    def level(x: tf.Tensor, *mixture: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _with_tails(x, mixture, kind)

    # Beyond the ends the map is a straight line: there the bracket is the root itself.
    low, high = _ends(mixture, kind)
    (lowest, low_slope), (highest, high_slope) = (
        level(low, *mixture),
        level(high, *mixture),
    )
    before = low + (z - lowest) * tf.exp(-low_slope)
    after = high + (z - highest) * tf.exp(-high_slope)
    start = tf.where(z > highest, after, tf.minimum(low, before))
    end = tf.where(z < lowest, before, tf.maximum(high, after))
    x = roots.solve(level, z, start, end, mixture, bracketed=True).root
    return x, -level(x, *mixture)[1]
