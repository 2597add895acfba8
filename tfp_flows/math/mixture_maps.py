"""Maps of features to the normal law through CDFs of mixtures, with Gaussian tails.

`z = ndtri(F(y))`, where `F` is the CDF of a mixture of normal or logistic laws, is
smooth and increasing, and so is its inverse. The mixture has a broad component besides
those that it is given, so that its density does not vanish between them. Beyond the
last quantiles that floats resolve the map is a straight line of the same slope.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tfp_flows.math import normal

__all__ = ["KINDS", "gaussianize", "sample_map"]

KINDS = ("normal", "logistic")
# The broad component: its weight, and its deviation relative to that of the mixture.
BROAD_WEIGHT, BROAD_SCALE = 1e-4, 3.0
# Where the straight tails begin, in scales of the component that reaches furthest: a
# probability near 1e-9 in it.
REACH = {"normal": 6.0, "logistic": 20.0}
# A step of Newton, or half the bracket: the loop ends sooner when nothing moves.
MAX_STEPS = 100
# Deviation of a logistic law of unit scale.
DEVIATION = {"normal": 1.0, "logistic": math.pi / math.sqrt(3.0)}

Mixture = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


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
    return out[0], out[1], out[2]


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
    reach = REACH[kind] * scales
    low = tf.reduce_min(locations - reach, axis=0)
    return low, tf.reduce_max(locations + reach, axis=0)


def gaussianize(
    x: tf.Tensor,
    logits: tf.Tensor,
    locations: tf.Tensor,
    log_scales: tf.Tensor,
    kind: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Map each feature to the normal law by the CDF of its mixture.

    Args:
        x: Positions, `[..., D]`.
        logits: Log-weights of the components, up to a constant, `[D, K]`.
        locations: Their locations, `[D, K]`.
        log_scales: Logs of their scales, `[D, K]`.
        kind: `"normal"` or `"logistic"`.

    Returns:
        Levels of the normal law and log-derivatives, both `[..., D]`.
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
    """Invert `gaussianize`, by Newton steps within a bracket that halves.

    Gradients follow from the implicit function theorem, not from the iteration.

    Args:
        z: Levels of the normal law, `[..., D]`.
        logits: See `gaussianize`.
        locations: See `gaussianize`.
        log_scales: See `gaussianize`.
        kind: See `gaussianize`.

    Returns:
        Positions and log-derivatives of the inverse, both `[..., D]`.
    """
    mixture = _with_broad(logits, locations, log_scales, kind)
    a, b, c = (tf.stop_gradient(part) for part in mixture)
    fixed = (a, b, c)
    low, high = _ends(fixed, kind)
    lowest, lowest_slope = _inner(low, fixed, kind)
    highest, highest_slope = _inner(high, fixed, kind)
    target = tf.stop_gradient(z)
    inside = tf.clip_by_value(target, lowest, highest)
    tolerance = 4.0 * np.finfo(z.dtype.as_numpy_dtype).eps

    def step(
        start: tf.Tensor, end: tf.Tensor, x: tf.Tensor, last: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        value, log_slope = _inner(x, fixed, kind)
        error = value - inside
        start, end = tf.where(error < 0, x, start), tf.where(error > 0, x, end)
        newton = x - error * tf.exp(-log_slope)
        # Steps that do not shrink may repeat for ever: the bracket is halved instead.
        good = (newton >= start) & (newton <= end)
        good &= tf.abs(newton - x) <= 0.5 * last
        proposal = tf.where(good, newton, start + 0.5 * (end - start))
        size = tf.abs(proposal - x)
        moved = size > tolerance * (1.0 + tf.abs(x))
        return start, end, proposal, size, tf.reduce_any(moved)

    zero = tf.zeros_like(inside)
    middle = low + 0.5 * (high - low) + zero
    *_, x, _, _ = tf.while_loop(
        lambda *state: state[-1],
        step,
        (low + zero, high + zero, middle, high - low + zero, tf.constant(value=True)),
        maximum_iterations=MAX_STEPS,
    )
    beyond = tf.where(target < lowest, target - lowest, zero) * tf.exp(-lowest_slope)
    beyond += tf.where(target > highest, target - highest, zero) * tf.exp(
        -highest_slope
    )
    x = tf.stop_gradient(x + beyond)
    value, log_slope = _with_tails(x, mixture, kind)
    # Zero in value; its gradient is that of the implicit function.
    residual = (z - value) - tf.stop_gradient(z - value)
    finite = tf.math.is_finite(z)
    residual = tf.where(finite, residual, tf.zeros_like(residual))
    x = x + residual * tf.exp(-tf.stop_gradient(log_slope))
    log_det = -_with_tails(x, mixture, kind)[1]
    return tf.where(tf.math.is_nan(z), z, x), log_det
