"""Where rows of a table lie on the standardised lines of their columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfp_flows.math.linear import products
from tfp_flows.preprocessing.cells import Cell

__all__ = ["Positions", "positions", "settled", "values"]

# Beyond, nothing is left of a density; squares of it are finite in float32.
FAR = 1e6
# Kinds of supports with an end below, and above.
LOW = ("interval", "above", "log-above")
HIGH = ("interval", "below", "log-below")
# By this part of half a cell its end may miss that of the column.
EDGE = 1e-2


class Positions(NamedTuple):
    """Rows on the standardised lines, each `[D, N]`.

    Attributes:
        u: Positions; of discrete values the middles of their cells.
        missing: Where cells of the table are missing; positions there are 0.
        log_det: What turns log-densities of positions into those of values.
        low: Lower ends of the cells of discrete values, `None` if there are none.
        high: Upper ends.
        is_discrete: Where values have cells.
        log_factor: What turns log-masses of cells into `log_prob` of values.
        outside: Where no row has such a value.
    """

    u: tf.Tensor
    missing: tf.Tensor
    log_det: tf.Tensor
    low: tf.Tensor | None = None
    high: tf.Tensor | None = None
    is_discrete: tf.Tensor | None = None
    log_factor: tf.Tensor | None = None
    outside: tf.Tensor | None = None


def _standardised(flow: Any, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return standardised numbers and the log-derivatives of that, `[N, D]`."""
    scaling = flow.standardization
    log_det = -tf.math.log(tf.abs(tf.convert_to_tensor(scaling.scale)))
    return scaling.inverse(tf.identity(v)), log_det + tf.zeros_like(v)


def _on_lines(flow: Any, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the same of positions on the unfolded axes of columns, `[N, D]`."""
    supports = None if flow.cells is None else flow.cells.supports
    if supports is None:
        return _standardised(flow, v)
    line, log_det = supports.inverse_each(v)
    u, more = _standardised(flow, tf.clip_by_value(line, -FAR, FAR))
    return u, log_det + more


def _cell_ends(flow: Any, cell: Cell) -> list[tf.Tensor]:
    """Return both ends of cells on the lines, far out at the ends of columns."""
    supports, found = flow.cells.supports, []
    for sign, share in ((-1.0, 0.0), (1.0, 1.0)):
        v = cell.at(tf.constant(share, cell.start.dtype))
        u, _ = _on_lines(flow, v)
        if supports is not None:
            names, end = (LOW, supports.low) if sign < 0 else (HIGH, supports.high)
            bounded = np.array([kind in names for kind in supports.kinds])
            # The last mass belongs to the last cell: rounding must not cut it off.
            inner = cell.at(tf.constant(0.5, v.dtype))
            at_end = bounded & (tf.abs(end - v) <= EDGE * tf.abs(v - inner))
            u = tf.where(at_end, tf.constant(sign * FAR, u.dtype), u)
        found.append(u)
    return found


def positions(flow: Any, x: tf.Tensor) -> Positions:
    """Return where rows lie on the lines.

    Args:
        flow: An `AnyOrderFlow`.
        x: Rows, `[N, D]`, with NaN for missing cells.
    """
    missing = tf.math.is_nan(x)
    cells = flow.cells
    inner = np.zeros(flow.event_size)
    if cells is not None:
        with tf.init_scope():  # a constant, in graphs too
            inner = cells.inner_values()
    x = tf.where(missing, tf.constant(inner, x.dtype), x)
    turned = products.transpose
    zeros = tf.zeros_like(x)
    if cells is None:
        u, log_det = _standardised(flow, x)
        u = tf.where(missing, zeros, u)
        return Positions(*map(turned, (u, missing, log_det)))
    cell = cells.of(x)
    is_discrete = cell.width > 0.0
    u, log_det = _on_lines(flow, cell.at(tf.constant(0.5, x.dtype)))
    u = tf.where(missing, zeros, u)
    parts = [u, missing, log_det]
    if flow.is_discrete:
        length = tf.where(is_discrete, cell.width, tf.ones_like(cell.width))
        log_factor = tf.where(cell.is_atom, zeros, -tf.math.log(length))
        parts += [*_cell_ends(flow, cell), is_discrete, log_factor]
    else:
        parts += [u, u, is_discrete, zeros]
    return Positions(*map(turned, [*parts, cell.outside & ~missing]))


def values(flow: Any, u: tf.Tensor) -> tf.Tensor:
    """Return the rows, `[N, D]`, of positions on the lines, `[D, N]`."""
    v = flow.standardization.forward(products.transpose(u))
    if flow.cells is None:
        return v
    if flow.cells.supports is not None:
        v = flow.cells.supports.forward(v)
    return flow.cells.fold(v)


def settled(flow: Any, u: tf.Tensor) -> tf.Tensor:
    """Return positions with those of discrete values in the middle of their cells."""
    if not flow.is_discrete:
        return u
    found = positions(flow, values(flow, u))
    discrete: Any = found.is_discrete
    return tf.where(discrete, found.u, u)
