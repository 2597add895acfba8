"""Single layers of a greedy Gaussianization: made from rows, applied, kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors import marginal, radial, standardize
from tfp_flows.flows import gaussianization
from tfp_flows.math import histograms, normal, quantiles, smoothing, tables

__all__ = [
    "Layer",
    "affine_layer",
    "apply",
    "normal_loss",
    "quantile_layer",
    "radial_layer",
    "ratio_layer",
    "read",
    "standardised",
    "write",
]

NUM_FOLDS = 5
NUM_CELLS = 256
# In standard deviations; the narrowest still covers two cells.
BANDWIDTHS = (0.1, 0.15, 0.25, 0.4, 0.7, 1.2)
# Numbers of inner bins of quantile maps; 0 stands for a straight line.
INNER_BINS = (0, 6, 10, 16, 24, 32, 48)
# Half the width of the grid, in standard deviations.
REACHES = (5.0, 12.0)
# Nats per row: less is noise of the rows held out.
SMALLEST_GAIN = 1e-5
# A change of mean and scale must gain this much in all, in nats.
AFFINE_GAIN = 3.0
# How far, in log-radius, the last knot lies from the one before.
OUTER_STEP = 1.0

Knots = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Layer:
    """A rotation, `None` for none, and the tables of a map from data to base.

    The tables are positions, values and log-slopes, `[D, K + 1]` each, of the features,
    or `[1, K + 1]` of the log-radius in a radial layer.
    """

    turn: np.ndarray | None
    knots: Knots
    radial: bool = False


@functools.lru_cache(maxsize=16)
def _compiled(size: int, length: int) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return the function that evaluates tables of one shape, traced once."""
    table = tf.TensorSpec([size, length], tf.float64)
    rows = tf.TensorSpec([None, size], tf.float64)
    return tf.function(
        tables.evaluate, autograph=False, input_signature=[rows, table, table, table]
    )


def _table(x: np.ndarray, knots: Knots) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate a table at the rows."""
    positions, values, log_slopes = (np.ascontiguousarray(k) for k in knots)
    function = _compiled(*positions.shape)
    out, log_det = function(x, positions, values, np.exp(log_slopes))
    return out.numpy(), log_det.numpy()


def normal_loss(x: np.ndarray) -> float:
    """Return the mean negative log-density of a normal law, in nats per row."""
    constant = x.shape[1] * normal.LOG_NORMALISER
    return float(0.5 * np.mean(np.sum(np.square(x), axis=1)) + constant)


def apply(layer: Layer, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rows behind a layer, and the mean of its log-det."""
    if layer.turn is not None:
        x = x @ layer.turn.T
    if not layer.radial:
        out, log_det = _table(x, layer.knots)
        return out, float(np.mean(np.sum(log_det, axis=1)))
    radius = log_radius(x)
    moved, log_slope = _table(radius, layer.knots)
    change = moved - radius
    log_det = x.shape[1] * change + log_slope
    return x * np.exp(change), float(np.mean(log_det))


def log_radius(x: np.ndarray) -> np.ndarray:
    """Return the log of the norm of each row, `[N, 1]`."""
    square = np.sum(np.square(x), axis=1, keepdims=True)
    return 0.5 * np.log(np.maximum(square, 1e-60))


def affine_layer(x: np.ndarray, turn: np.ndarray | None, num_bins: int) -> Layer:
    """Return the layer that standardises each feature."""
    u = x if turn is None else x @ turn.T
    return Layer(turn, quantiles.affine_knots(u.mean(0), _scale(u), num_bins))


def _scale(u: np.ndarray) -> np.ndarray:
    """Return standard deviations, ones for features that are constant."""
    scale = u.std(axis=0)
    return np.where(scale > 1e-9, scale, 1.0)


def _quantile_knots(u: np.ndarray, inner: int, num_bins: int) -> Knots:
    if inner == 0:
        return quantiles.affine_knots(u.mean(axis=0), _scale(u), num_bins)
    return quantiles.quantile_knots(np.sort(u, axis=0), inner, num_bins)


def best_quantile_knots(u: np.ndarray, folds: np.ndarray, num_bins: int) -> Knots:
    """Return quantile maps whose numbers of bins win on the other half of the rows."""
    half = folds % 2 == 0
    losses, candidates = [], []
    for inner in INNER_BINS:
        # At least four bins for each tail, and some rows for each bin.
        if inner > num_bins - 8 or inner * 8 > len(u):
            continue
        loss = np.zeros(u.shape[1])
        for rows in (half, ~half):
            values, log_det = _table(
                u[~rows], _quantile_knots(u[rows], inner, num_bins)
            )
            loss += np.sum(0.5 * values**2 - log_det, axis=0)
        losses.append(loss)
        candidates.append(_quantile_knots(u, inner, num_bins))
    choice = np.argmin(losses, axis=0)
    every = np.arange(u.shape[1])
    stacked = (np.stack(parts) for parts in zip(*candidates, strict=True))
    positions, values, log_slopes = (part[choice, every] for part in stacked)
    return positions, values, log_slopes


def quantile_layer(
    x: np.ndarray, turn: np.ndarray | None, folds: np.ndarray, num_bins: int
) -> Layer:
    """Return the layer that maps quantiles to those of the normal law."""
    u = x if turn is None else x @ turn.T
    return Layer(turn, best_quantile_knots(u, folds, num_bins))


def ratio_layer(
    x: np.ndarray,
    turn: np.ndarray | None,
    folds: np.ndarray,
    num_bins: int,
    step: float,
) -> Layer:
    """Return the layer that takes a step towards normal marginals, from counts."""
    u = x if turn is None else x @ turn.T
    reach = float(np.clip(1.02 * np.abs(u).max(), *REACHES))
    loc, scale = u.mean(axis=0), _scale(u)
    gain = 0.5 * (scale**2 + loc**2 - 1.0 - 2.0 * np.log(scale)) * len(u)
    loc = np.where(gain > AFFINE_GAIN, loc, 0.0)
    scale = np.where(gain > AFFINE_GAIN, scale, 1.0)
    cells = num_bins * max(1, round(NUM_CELLS / num_bins))
    edges = histograms.edges(-reach, reach, cells)
    counts = histograms.fold_histograms(
        (u - loc) / scale, folds, NUM_FOLDS, -reach, reach, cells
    )
    ratio, _ = smoothing.choose(counts, edges, BANDWIDTHS)
    values, log_slopes = smoothing.gaussianize(ratio, edges, step)
    every = slice(None, None, cells // num_bins)
    loc, scale = loc[:, np.newaxis], scale[:, np.newaxis]
    positions = loc + scale * edges[every]
    return Layer(
        turn, (positions, values[:, every], log_slopes[:, every] - np.log(scale))
    )


def radial_layer(x: np.ndarray, folds: np.ndarray, num_bins: int) -> Layer:
    """Return the layer that gives the radius the law that it has in normal data."""
    radius = log_radius(x)
    positions, levels, _ = best_quantile_knots(radius, folds, num_bins - 2)
    half = tf.constant(0.5 * x.shape[1], tf.float64)
    below, above = normal.tails(tf.constant(levels))
    square = tf.where(
        below < 0.5,
        tfp.math.igammainv(half, tf.minimum(below, 0.5)),
        tfp.math.igammacinv(half, tf.minimum(above, 0.5)),
    )
    values = 0.5 * np.log(2.0 * square.numpy())
    # Beyond the last knots the slope is 1: multiples of the identity.
    ends = OUTER_STEP * np.array([-1.0, 1.0])
    positions, values = (
        np.concatenate([k[:, :1] + ends[0], k, k[:, -1:] + ends[1]], axis=1)
        for k in (positions, values)
    )
    log_slopes = quantiles.harmonic_slopes(positions, values)
    log_slopes[:, [0, -1]] = 0.0
    return Layer(None, (positions, values, log_slopes), radial=True)


def standardised(
    units: standardize.Standardize, x: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return rows in the units of a flow, in float64, and the log-det of that."""
    loc, rest, scale = (
        np.asarray(v, np.float64) for v in (units.loc, units.loc_remainder, units.scale)
    )
    return ((x - loc) - rest) / scale, float(-np.sum(np.log(np.abs(scale))))


def _apart(knots: np.ndarray, dtype: str) -> np.ndarray:
    """Return knots that stay distinct in the dtype of a flow."""
    size = np.maximum(np.abs(knots[:, 1:]), np.abs(knots[:, :-1]))
    least = 32.0 * np.finfo(dtype).eps * np.maximum(size, 1e-2)
    steps = np.maximum(np.diff(knots), least)
    middle = steps.shape[1] // 2
    sums = np.cumsum(np.pad(steps, [(0, 0), (1, 0)]), axis=1)
    return knots[:, middle, np.newaxis] + sums - sums[:, middle, np.newaxis]


def write(flow: gaussianization.RBIG, found: Sequence[Layer]) -> None:
    """Set the layers of a flow, which gets as many as there are."""
    splines = [layer for layer in found if not layer.radial]
    radial_after, position = [], -1
    for layer in found:
        position += not layer.radial
        if layer.radial:
            radial_after.append(position)
    flow.resize(len(splines), radial_after)
    maps = iter(flow.inner_maps())
    dtype = flow.variable_dtype
    for layer in found:
        target: Any = next(maps)
        if layer.radial:
            spline = target.bijector
        else:
            turn = np.eye(flow.event_size) if layer.turn is None else layer.turn
            target.matrix.assign(turn.T.astype(dtype))
            spline = next(maps)
        positions, values = (_apart(knots, dtype) for knots in layer.knots[:2])
        new = marginal.MarginalSpline.from_knots(
            values, positions, layer.knots[2], dtype=dtype
        )
        for old, value in zip(spline.variables, new.variables, strict=True):
            old.assign(value)


def read(flow: gaussianization.RBIG) -> list[Layer]:
    """Return the layers of a flow."""
    out: list[Layer] = []
    maps = iter(flow.inner_maps())
    for current in maps:
        is_radial = isinstance(current, radial.RadialGaussianize)
        turn: np.ndarray | None = None
        spline: Any = current.bijector if is_radial else next(maps)
        if not is_radial:
            turn = current.rotation().numpy().T.astype(np.float64)
        values, positions = (k.numpy().astype(np.float64) for k in spline.knots())
        slopes = np.asarray(spline.log_knot_slopes, np.float64)
        out.append(Layer(turn, (positions, values, slopes), radial=is_radial))
    return out
