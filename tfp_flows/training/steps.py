"""Whether a flow has taken the steps to which values are rounded for structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfp_flows import flows
from tfp_flows.preprocessing import detect
from tfp_flows.training.baseline import Estimate, estimate
from tfp_flows.training.data import arrays
from tfp_flows.training.data.kinds import observed

__all__ = ["gain"]

# Rows by which steps are found, those that are enough to compare, and points around
# each.
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
    steps = np.array([column.step or 0.0 for column in detect(observed(train)[:SEEN])])
    if flow.cells is not None:
        steps = np.where(flow.cells.spec.plain, steps, 0.0)
    if not steps.any():
        return None
    u = np.random.default_rng(0).uniform(
        -0.5, 0.5, size=(POINTS, len(rows), len(steps))
    )
    around = rows.x + (u * steps).reshape(POINTS, *rows.x.shape)
    given = rows.condition
    if given is not None:
        given = np.concatenate([given] * POINTS)
    found = log_prob(flow, around.reshape(-1, *rows.x.shape[1:]), given)
    found = found.reshape(POINTS, -1)
    # Beyond an end of a column there is no density.
    inside = np.isfinite(found)
    middle = log_prob(flow, rows.x, rows.condition)
    kept = np.isfinite(middle) & inside.any(axis=0)
    if not kept.any():
        return None
    found = np.where(inside, found, -np.inf)[:, kept]
    beside = np.logaddexp.reduce(found, axis=0) - np.log(inside.sum(axis=0)[kept])
    difference = middle[kept] - beside
    weights = None if rows.weights is None else rows.weights[kept]
    out = estimate(difference, weights)
    is_clear = out.mean > max(CLEAR_NATS, CLEAR_ERRORS * (out.error or 0.0))
    return out if is_clear else None
