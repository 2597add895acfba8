"""Missing cells of tables, drawn from a flow that takes any columns as given."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _optional
from tfp_flows.datasets import frames
from tfp_flows.flows.any_order import chain, lines
from tfp_flows.math.linear import products
from tfp_flows.preprocessing import values as cell_values

__all__ = ["framed", "impute", "read"]

# Rows of one call: bounds the memory that networks take.
BLOCK = 8192


def read(flow: Any, x: Any) -> np.ndarray:
    """Return rows as numbers, `[N, D]`, NaN where a cell is missing.

    Raises:
        ValueError: If they do not fit the flow, or a value is none of its column.
    """
    if isinstance(x, np.ma.MaskedArray):
        x = np.where(np.ma.getmaskarray(x), np.nan, np.ma.getdata(x))
    x = np.asarray(flow.in_order(x, None)[0])
    if x.dtype.kind not in "fiub":
        msg = f"`x` must be numeric, got type {x.dtype}. Convert it, NaN where missing."
        raise ValueError(msg)
    if x.ndim != 2 or x.shape[1] != flow.event_size:
        msg = (
            f"`x` must be rows of {flow.event_size} columns, got shape {x.shape}. Pass "
            "[N, D]."
        )
        raise ValueError(msg)
    x = x.astype(np.promote_types(x.dtype, flow.variable_dtype))
    if np.isinf(x).any():
        row = int(np.argwhere(np.isinf(x))[0, 0])
        msg = f"`x` must be finite or missing, got an infinite value in row {row + 1}."
        raise ValueError(f"{msg} Correct it.")
    if flow.cells is not None:
        inner = np.array(flow.cells.inner_values(), x.dtype)
        whole = np.where(np.isnan(x), inner, x)
        cell_values.require(flow.cells, whole, flow.columns)
    return x


def impute(
    flow: Any, x: np.ndarray, condition: Any, draws: int, seed: int
) -> np.ndarray:
    """Return tables whose missing cells are drawn, `[draws, N, D]`.

    Args:
        flow: An `AnyOrderFlow`.
        x: Rows, `[N, D]`, NaN where a cell is missing.
        condition: `[N, *condition_shape]`, or `None`.
        draws: Number of tables.
        seed: Int that fixes them.
    """
    condition = flow.in_order(None, condition)[1]
    owner = f"this flow (`{type(flow).__name__}`)"
    _checks.require_condition(condition, flow.condition_shape, owner)
    missing = np.isnan(x)
    found = np.repeat(x[np.newaxis], draws, axis=0)
    gaps = np.flatnonzero(missing.any(axis=1))
    if not gaps.size:
        return found
    places = np.flatnonzero(missing.any(axis=0)).tolist()
    function = tf.function(_drawn, autograph=False, reduce_retracing=True)
    words = _context.stateless_seed(seed)
    which = np.tile(gaps, draws)
    numbers = np.repeat(np.arange(draws), len(gaps))
    shape = flow.condition_shape
    for start in range(0, len(which), BLOCK):
        some = which[start : start + BLOCK]
        given = None
        if shape is not None:
            rows = np.broadcast_to(np.asarray(condition), [len(x), *shape])[some]
            given = tf.constant(rows, flow.variable_dtype)
        own = tf.constant(x[some], flow.variable_dtype)
        # A constant number of rows, so that one trace serves all blocks.
        drawn = function(
            flow, own, given, tuple(places), words + tf.constant([0, start])
        )
        block = numbers[start : start + BLOCK]
        kept = found[block, some]
        found[block, some] = np.where(np.isnan(kept), drawn.numpy(), kept)
    return found


def _drawn(
    flow: Any, x: tf.Tensor, condition: Any, places: tuple[int, ...], seed: tf.Tensor
) -> tf.Tensor:
    """Return rows with their missing cells drawn, `[N, D]`."""
    rows = lines.positions(flow, x)
    z = flow.base.distribution().sample(tf.shape(x)[0], seed=seed)
    given = flow.embedded(condition, tf.shape(x)[0])
    z = products.transpose(z)
    u = chain.draw(flow, rows.u, ~rows.missing, z, places, given)
    return lines.values(flow, u)


def framed(flow: Any, x: Any, filled: np.ndarray, *, several: bool) -> Any:
    """Return tables as a pandas data frame, `[draws, N, D]`.

    Args:
        flow: The flow, whose names and labels the frame has.
        x: What the rows were read from; a pandas index is kept.
        filled: The tables.
        several: Whether to number them in the first level of the index.
    """
    pd = _optional.require("pandas", extra="tables")
    frame = flow.as_frame(filled)
    index = x.index if frames.is_frame(x) and hasattr(x, "index") else None
    index = pd.RangeIndex(filled.shape[1]) if index is None else index
    if several:
        names = ["draw", *index.names]
        keys = range(len(filled))
        frame.index = pd.concat([index.to_frame()] * len(filled), keys=keys).index
        frame.index.names = names
    else:
        frame.index = index
    return frame
