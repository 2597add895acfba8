"""Whether a flow has taken the steps to which values are rounded for structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfp_flows import flows
from tfp_flows.preprocessing import detect
from tfp_flows.training.baseline import Estimate, estimate
from tfp_flows.training.data import arrays

__all__ = ["gain"]

# Rows by which steps are found, those that are compared, and points around each.
SEEN, ROWS, POINTS = 10_000, 256, 8
# A gain is clear from so many nats on, and so many standard errors.
CLEAR_NATS, CLEAR_ERRORS = 0.1, 3.0


def gain(
    flow: flows.Flow,
    train: arrays.Data,
    rows: arrays.Data,
    log_prob: Callable[[Any, np.ndarray, np.ndarray | None], np.ndarray],
) -> Estimate | None:
    """Return by how much densities at rounded values are above those around them.

    A smooth density is the same all over a step. One with peaks at the multiples of
    the steps tells how values were rounded, and its likelihood has no bound.

    Args:
        flow: The flow, fitted.
        train: Rows that it was fitted to.
        rows: Rows to compare.
        log_prob: Called with the flow, events and conditions; returns log-densities.

    Returns:
        The mean over rows in nats, or `None` if it is not clear, or if no values are
        rounded but those that the flow takes for such.
    """
    if rows.x.ndim > 2 or not len(rows):
        return None
    seen = train.x[:SEEN].reshape(min(len(train), SEEN), -1)
    if train.holes is not None:  # filled cells are on no step
        seen = np.where(train.holes[:SEEN], np.nan, seen)
    steps = np.array([column.step or 0.0 for column in detect(seen)])
    if flow.cells is not None:
        steps = np.where(flow.cells.spec.plain, steps, 0.0)
    if not steps.any():
        return None
    some = rows.select(np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(int))
    u = np.random.default_rng(0).uniform(
        -0.5, 0.5, size=(POINTS, len(some), len(steps))
    )
    around = some.x + (u * steps).reshape(POINTS, *some.x.shape)
    given = some.condition
    if given is not None:
        given = np.concatenate([given] * POINTS)
    found = log_prob(flow, around.reshape(-1, *some.x.shape[1:]), given)
    found = found.reshape(POINTS, -1)
    # Beyond an end of a column there is no density.
    inside = np.isfinite(found)
    middle = log_prob(flow, some.x, some.condition)
    kept = np.isfinite(middle) & inside.any(axis=0)
    if not kept.any():
        return None
    found, inside = found[:, kept], inside[:, kept]
    top = np.where(inside, found, -np.inf).max(axis=0)
    mean = np.log(np.exp(np.where(inside, found - top, -np.inf)).sum(axis=0))
    difference = middle[kept] - (top + mean - np.log(inside.sum(axis=0)))
    weights = None if some.weights is None else some.weights[kept]
    out = estimate(difference, weights)
    is_clear = out.mean > max(CLEAR_NATS, CLEAR_ERRORS * (out.error or 0.0))
    return out if is_clear else None
