"""Densities and draws of columns given any others, one coordinate after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows.any_order import lines
from tfp_flows.flows.any_order.lines import Positions
from tfp_flows.math.linear import products

__all__ = ["draw", "log_prob", "log_terms", "tails", "terms_given"]

# Up to this width on the line of the base the mass of a cell is Simpson's rule, which
# is right to 1e-4 there; beyond, a difference of tails keeps its digits.
NARROW = 0.2


def _scalars(flow: Any) -> Any:
    """Return the base density of each coordinate, over `[..., D]`."""
    return flow.base.distribution().distribution


def _log_base(flow: Any, z: tf.Tensor, places: Sequence[int] | None) -> tf.Tensor:
    """Return log-densities of the base, `[A, N]`."""
    return _of_rows(flow, _scalars(flow).log_prob, z, places)


def _log_tail(flow: Any, z: tf.Tensor, places: Sequence[int] | None) -> tf.Tensor:
    """Return the log-probabilities below `z`, which is not above 0, `[A, N]`."""
    scalars, tiny = _scalars(flow), np.finfo(z.dtype.as_numpy_dtype).tiny

    def log_cdf(value: tf.Tensor) -> tf.Tensor:
        if flow.base.kind == "normal":
            return scalars.log_cdf(value)
        return tf.math.log(tf.maximum(scalars.cdf(value), tiny))

    return _of_rows(flow, log_cdf, z, places)


def _of_rows(
    flow: Any, function: Any, z: tf.Tensor, places: Sequence[int] | None
) -> tf.Tensor:
    """Apply a function of `[N, D]` to some rows, `[A, N]`."""
    if places is None:
        return products.transpose(function(products.transpose(z)))
    # The base may differ by coordinate: each row is put in its place.
    index = np.full(flow.event_size, len(places))
    index[list(places)] = np.arange(len(places))
    full = tf.gather(tf.concat([z, tf.zeros_like(z[:1])], axis=0), index)
    found = products.transpose(function(products.transpose(full)))
    return tf.gather(found, list(places))


def log_terms(
    flow: Any,
    rows: Positions,
    params: tf.Tensor,
    places: Sequence[int] | None = None,
) -> tf.Tensor:
    """Return the log-densities, or log-masses, of single coordinates.

    Args:
        flow: The flow.
        rows: Where the rows lie.
        params: Parameters of the coordinates, `[P, A, N]`.
        places: Positions of the coordinates, `None` for all.

    Returns:
        `[A, N]`, minus infinity where no row has such a value.
    """

    def own(part: Any) -> tf.Tensor:
        return part if places is None else tf.gather(part, list(places))

    z, log_slope = flow.transformer.inverse(own(rows.u), params)
    found = _log_base(flow, z, places) + log_slope + own(rows.log_det)
    if rows.is_discrete is not None and flow.is_discrete:
        is_discrete = own(rows.is_discrete)
        low, high = (
            # Where there is no cell any will do.
            tf.where(is_discrete, own(end), own(rows.u) + shift)
            for end, shift in ((rows.low, -1.0), (rows.high, 1.0))
        )
        low, high = (flow.transformer.inverse(end, params)[0] for end in (low, high))
        mass = _log_mass(flow, low, high, places) + own(rows.log_factor)
        found = tf.where(is_discrete, mass, found)
    if rows.outside is not None:
        found = tf.where(own(rows.outside), tf.constant(-np.inf, found.dtype), found)
    return found


def _log_mass(
    flow: Any,
    low: tf.Tensor,
    high: tf.Tensor,
    places: Sequence[int] | None,
) -> tf.Tensor:
    """Return the log-probability of intervals on the line of the base, `[A, N]`."""
    low = tf.clip_by_value(low, -lines.FAR, lines.FAR)
    high = tf.clip_by_value(high, -lines.FAR, lines.FAR)
    width = high - low
    is_narrow = width < NARROW
    # By the smaller tail: both bases are symmetric.
    is_above = low + high > 0.0
    near = tf.where(is_above, -low, high)
    far = tf.where(is_above, -high, low)
    near = tf.where(is_narrow, tf.zeros_like(near), near)
    far = tf.where(is_narrow, -tf.ones_like(far), far)
    log_near = _log_tail(flow, tf.minimum(near, 0.0), places)
    # An interval around 0 has two parts, the larger one by its complement.
    crosses = near > 0.0
    other = _log_tail(flow, -tf.maximum(near, 0.0), places)
    log_far = _log_tail(flow, far, places)
    inside = 1.0 - tf.exp(other) - tf.exp(log_far)
    safe = tf.where(crosses, inside, tf.ones_like(inside))
    gap = tf.where(crosses, -tf.ones_like(near), log_far - log_near)
    difference = log_near + tf.math.log(-tf.math.expm1(gap))
    wide = tf.where(crosses, tf.math.log(safe), difference)
    width = tf.where(is_narrow, width, tf.ones_like(width))
    points = [
        tf.where(is_narrow, p, tf.zeros_like(p))
        for p in (low, 0.5 * (low + high), high)
    ]
    logs = [_log_base(flow, p, places) for p in points]
    weighted = [logs[0], logs[1] + np.log(4.0), logs[2]]
    tiny = np.finfo(low.dtype.as_numpy_dtype).tiny
    narrow = tf.reduce_logsumexp(tf.stack(weighted), axis=0)
    narrow += tf.math.log(tf.maximum(width, tiny) / 6.0)
    return tf.where(is_narrow, narrow, wide)


def terms_given(
    flow: Any, rows: Positions, seen: tf.Tensor, condition: tf.Tensor | None
) -> tf.Tensor:
    """Return `log p(x_i | what is seen)` of all coordinates, by one pass: `[D, N]`.

    Args:
        flow: The flow.
        rows: Where the rows lie.
        seen: Which coordinates are seen, `[D, N]`.
        condition: Conditions, `[C, N]`, or `None`.
    """
    params = flow.conditioner.given(rows.u, seen, condition)
    return log_terms(flow, rows, params)


def log_prob(
    flow: Any,
    rows: Positions,
    seen: tf.Tensor,
    places: Sequence[int],
    condition: tf.Tensor | None,
) -> tf.Tensor:
    """Return the log-density of some coordinates given those that are seen, `[N]`.

    The chain rule from left to right over those of `places` that are there: missing
    ones are neither asked for nor seen.

    Args:
        flow: The flow.
        rows: Where the rows lie.
        seen: Which coordinates are given, bools `[D, N]` or `[D, 1]`.
        places: Positions of the coordinates that are asked for.
        condition: Conditions, `[C, N]`, or `None`.
    """
    wanted = np.zeros([flow.event_size, 1], bool)
    wanted[list(places)] = True
    targets = wanted & ~rows.missing
    before = np.arange(flow.event_size)[:, np.newaxis] < np.array(places)
    seen = seen & ~rows.missing
    each = seen[:, np.newaxis] | (targets[:, np.newaxis] & before[:, :, np.newaxis])
    params = flow.conditioner.of_places(rows.u, each, list(places), condition)
    terms = log_terms(flow, rows, params, places)
    kept = tf.gather(targets, list(places))
    return tf.reduce_sum(tf.where(kept, terms, tf.zeros_like(terms)), axis=0)


def draw(
    flow: Any,
    u: tf.Tensor,
    seen: tf.Tensor,
    z: tf.Tensor,
    places: Sequence[int],
    condition: tf.Tensor | None,
) -> tf.Tensor:
    """Return positions with what is not seen drawn, from left to right.

    Args:
        flow: The flow.
        u: Positions, `[D, N]`.
        seen: Which of them are given, bools `[D, N]`.
        z: Numbers of the base density, `[D, N]`.
        places: Positions of the coordinates to draw, where they are not seen.
        condition: Conditions, `[C, N]`, or `None`.
    """
    rows = tf.range(flow.event_size)[:, tf.newaxis]
    order = tf.constant(list(places), tf.int32)

    def step(i: tf.Tensor, u: tf.Tensor, seen: tf.Tensor) -> tuple[tf.Tensor, ...]:
        place = order[i]
        params = flow.conditioner.of_places(
            u, seen[:, tf.newaxis], place[tf.newaxis], condition
        )
        value, _ = flow.transformer.forward(tf.gather(z, place), params[:, 0])
        now = tf.equal(rows, place)
        new = lines.settled(flow, tf.where(now & ~seen, value, u))
        new = tf.where(now & ~seen, new, u)
        return i + 1, tf.ensure_shape(new, u.shape), seen | now

    count = len(places)
    _, u, _ = tf.while_loop(
        lambda i, *_: i < count,
        step,
        (tf.constant(0), u, seen),
        maximum_iterations=count,
    )
    return u


def tails(
    flow: Any,
    rows: Positions,
    seen: tf.Tensor,
    place: int,
    condition: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the probabilities of values up to and from those of one coordinate, `[N]`.

    Args:
        flow: The flow.
        rows: Where the rows lie.
        seen: Which coordinates are given, bools `[D, N]`.
        place: Position of the coordinate.
        condition: Conditions, `[C, N]`, or `None`.
    """
    each = seen[:, tf.newaxis]
    params = flow.conditioner.of_places(rows.u, each, [place], condition)
    ends = (rows.u, rows.u) if rows.high is None else (rows.high, rows.low)
    found = []
    for sign, end in zip((1.0, -1.0), ends, strict=True):
        z, _ = flow.transformer.inverse(tf.gather(end, [place]), params)
        z = sign * tf.clip_by_value(z, -lines.FAR, lines.FAR)
        found.append(_of_rows(flow, _scalars(flow).cdf, z, [place])[0])
    return found[0], found[1]
