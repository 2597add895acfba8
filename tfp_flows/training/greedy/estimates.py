"""How each layer of a greedy fit is made from statistics of the rows."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from scipy import special

from tfp_flows import networks
from tfp_flows.flows.gaussianization import rbig
from tfp_flows.math import normal
from tfp_flows.math.gaussianization import (
    cdf_tables,
    components,
    conditional_affine,
    histograms,
    quantiles,
    smoothing,
)
from tfp_flows.math.linear import rotations
from tfp_flows.training.greedy import layers, marginals

__all__ = [
    "NUM_FOLDS",
    "Layer",
    "Source",
    "Step",
    "conditional_affine_sums",
    "make",
    "quantile_layer",
    "ratio_layer",
]

NUM_FOLDS = 5
NUM_CELLS = 256
# In standard deviations; the narrowest still covers two cells.
BANDWIDTHS = (0.1, 0.15, 0.25, 0.4, 0.7, 1.2)
# Least and largest half width of the grid, in standard deviations.
HALF_WIDTHS = (5.0, 12.0)
# A change of mean and scale must gain this much in all, in nats.
AFFINE_GAIN = 3.0
# How far, in log-radius, the last knot lies from the one before.
OUTER_STEP = 1.0
# Numbers whose quantiles are found at once, and at least so many features: more would
# take more memory.
BLOCK, BLOCK_FEATURES = 2**18, 8
# Ends of the grids of tables that are tried: levels of rows left outside, and by how
# much of its size the grid is wider than the rest.
TABLE_TAILS, TABLE_MARGIN = (0.0, 2e-4, 2e-3, 2e-2), 0.02
# Steps of expectation maximisation over all rows, once the search is done.
REFINEMENTS = 4


# What the functions for plain rows return.
Layer = layers.Spline


class Source(Protocol):
    """Rows on their way to the normal distribution, seen through sums over them."""

    @property
    def sample(self) -> np.ndarray:
        """Some of the rows, for what needs rows, `[M, D]`."""

    @property
    def ranked(self) -> np.ndarray:
        """The rows that quantiles are taken from, `[M, D]`."""

    @property
    def ranked_folds(self) -> np.ndarray:
        """Their folds, `[M]`."""

    def total(self, function: Any) -> tuple[np.ndarray, ...]:
        """Return the sums over shards of what a function of rows and folds gives."""


@dataclasses.dataclass(frozen=True)
class Step:
    """How to make a layer, on whatever rows.

    Args:
        layer_type: `"white"`, `"quantile"`, `"ratio"`, `"radius"`, `"mixture"` or
            `"conditional-affine"`.
        rotation: Rotation before the layer, `[D, D]`, or `None`.
        share: Share of the change that a `"ratio"` layer takes.
        mixture: Where a `"mixture"` starts from.
        label: What the history calls it.
    """

    layer_type: str
    rotation: np.ndarray | None = None
    share: float = 1.0
    mixture: components.Components | None = None
    label: str = ""


def make(
    step: Step,
    rotation: np.ndarray | None,
    source: Source,
    num_bins: int,
    marginal: str = "spline",
) -> layers.Layer:
    """Return the layer of a step, from the statistics of a source.

    Args:
        step: What to make.
        rotation: Its rotation in the coordinates of the source.
        source: The rows.
        num_bins: Bins of splines or tables.
        marginal: `"spline"`, or `"table"` for tables in place of splines.
    """
    layer = _made(step, rotation, source, num_bins)
    if marginal == "table" and isinstance(layer, layers.Spline):
        return _tables(source, layer)
    return layer


def _made(
    step: Step, rotation: np.ndarray | None, source: Source, num_bins: int
) -> layers.Layer:
    if step.layer_type == "white":
        return _white(source, num_bins)
    if step.layer_type == "quantile":
        return _quantile(source, rotation, num_bins)
    if step.layer_type == "radius":
        return _radius(source, num_bins)
    if step.layer_type == "mixture":
        return _mixture(source, step.mixture)
    if step.layer_type == "conditional-affine":
        return _conditional_affine(source, rotation)
    return _ratio(source, rotation, num_bins, step.share)


def _white(source: Source, num_bins: int) -> layers.Layer:
    """Return the layer of principal components with deviation 1."""

    def moments(x: np.ndarray, folds: np.ndarray) -> tuple[Any, ...]:
        del folds
        x = x.astype(np.float64, copy=False)
        return len(x), x.sum(axis=0), x.T @ x

    rows, first, second = source.total(moments)
    mean = first / rows
    covariance = second / rows - np.outer(mean, mean)
    rotation = rotations.pca(covariance)
    variance = np.einsum("ij,jk,ik->i", rotation, covariance, rotation)
    scale = np.sqrt(np.maximum(variance, 0.0))
    scale = np.where(scale > 1e-9, scale, 1.0)
    return layers.Spline(
        rotation, quantiles.affine_knots(rotation @ mean, scale, num_bins)
    )


def _quantile(source: Source, rotation: np.ndarray | None, num_bins: int) -> Layer:
    """Return the layer that maps quantiles to those of the normal distribution."""
    x, size = source.ranked, source.ranked.shape[1]
    parts = []
    step = max(BLOCK_FEATURES, BLOCK // len(x))
    for first in range(0, size, step):
        block = slice(first, first + step)
        u = x[:, block] if rotation is None else x @ rotation[block].T.astype(x.dtype)
        u = u.astype(np.float64)
        parts.append(
            marginals.best_knots(u, source.ranked_folds, num_bins, mixtures=True)
        )
    positions, values, log_slopes = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return layers.Spline(rotation, (positions, values, log_slopes))


def _ratio(
    source: Source, rotation: np.ndarray | None, num_bins: int, share: float
) -> Layer:
    """Return the layer that takes a step towards normal marginals, from counts."""
    u = layers.rotated(source.sample, rotation)
    half_width = float(np.clip(1.02 * np.abs(u).max(), *HALF_WIDTHS))
    loc, scale = u.mean(axis=0, dtype=np.float64), marginals.deviations(u)
    gain = 0.5 * (scale**2 + loc**2 - 1.0 - 2.0 * np.log(scale)) * len(u)
    loc = np.where(gain > AFFINE_GAIN, loc, 0.0)
    scale = np.where(gain > AFFINE_GAIN, scale, 1.0)
    cells = num_bins * max(1, round(NUM_CELLS / num_bins))
    edges = histograms.edges(-half_width, half_width, cells)

    def counts(x: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray]:
        u = (layers.rotated(x, rotation) - loc) / scale
        return (
            histograms.fold_histograms(
                u, folds, NUM_FOLDS, -half_width, half_width, cells
            ),
        )

    (counted,) = source.total(counts)
    ratio, _ = smoothing.choose(counted, edges, BANDWIDTHS)
    values, log_slopes = smoothing.gaussianize(ratio, edges, share)
    every = slice(None, None, cells // num_bins)
    loc, scale = loc[:, np.newaxis], scale[:, np.newaxis]
    positions = loc + scale * edges[every]
    knots = positions, values[:, every], log_slopes[:, every] - np.log(scale)
    return layers.Spline(rotation, knots)


def _tables(source: Source, layer: layers.Spline) -> layers.Table:
    """Return CDF tables near splines, on those grids that lose least of the rows."""
    u = layers.rotated(source.ranked, layer.rotation).astype(np.float64)
    u = np.sort(u, axis=0)[:: max(1, len(u) // marginals.TESTED_ROWS)]
    cells, every = layer.knots[0].shape[1] - 1, np.arange(u.shape[1])
    grids, losses = [], []
    for share in TABLE_TAILS:
        low, high = np.quantile(u, [share, 1.0 - share], axis=0)
        more = np.where(high > low, TABLE_MARGIN * (high - low), 0.5)
        low, high = low - more, high + more
        levels, _ = layers.table(np.linspace(low, high, cells + 1), layer.knots)
        grids.append((low, high, cdf_tables.log_masses_at(levels.T)))
        values, log_det = layers.cdf_table(u, *grids[-1])
        losses.append(np.mean(0.5 * values**2 - log_det, axis=0))
    best = np.argmin(losses, axis=0)
    low, high, log_masses = (
        np.stack(parts)[best, every] for parts in zip(*grids, strict=True)
    )
    return layers.Table(layer.rotation, (low, high, log_masses))


def _radius(source: Source, num_bins: int) -> layers.Layer:
    """Return the layer that gives the radius its distribution in normal data."""
    x = source.ranked
    radius = layers.log_radius(x)
    positions, levels, _ = marginals.best_knots(
        radius, source.ranked_folds, num_bins - 2, mixtures=True
    )
    # SciPy's: TFP's own overflow on their way, where `enable_check_numerics` stops.
    half = 0.5 * x.shape[1]
    below, above = (tail.numpy() for tail in normal.tails(tf.constant(levels)))
    square = np.where(
        below < 0.5,
        special.gammaincinv(half, np.minimum(below, 0.5)),
        special.gammainccinv(half, np.minimum(above, 0.5)),
    )
    values = 0.5 * np.log(2.0 * square)
    # Beyond the last knots the slope is 1: multiples of the identity.
    ends = OUTER_STEP * np.array([-1.0, 1.0])
    positions, values = (
        np.concatenate([k[:, :1] + ends[0], k, k[:, -1:] + ends[1]], axis=1)
        for k in (positions, values)
    )
    log_slopes = quantiles.harmonic_slopes(positions, values)
    log_slopes[:, [0, -1]] = 0.0
    return layers.Radial((positions, values, log_slopes))


def conditional_affine_sums(u: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the sums of a conditional affine layer, given feature 0."""
    knots = rbig.CONDITIONAL_KNOTS
    place = networks.Table.position(u[:, 0].astype(np.float64), knots)
    cells = np.rint(place).astype(np.intp)
    return conditional_affine.sums(u[:, 1:], cells, folds, (NUM_FOLDS, knots))


def _conditional_affine(source: Source, rotation: np.ndarray | None) -> layers.Layer:
    """Return the layer of shifts and scales that depend on the first feature."""
    (counted,) = source.total(
        lambda x, folds: (conditional_affine_sums(layers.rotated(x, rotation), folds),)
    )
    means, log_scales, _ = conditional_affine.choose(counted)
    bound = layers.SCALE_BOUND
    raw = bound * np.arctanh(log_scales / bound)
    matrix = np.eye(source.sample.shape[1]) if rotation is None else rotation
    return layers.ConditionalAffine(matrix, np.concatenate([means, raw], axis=1).T)


def _mixture(source: Source, found: components.Components | None) -> layers.Layer:
    """Return the layer of a mixture, refined on all rows."""
    if found is None:
        raise ValueError("`mixture` must be a start of a mixture, got None.")
    for _ in range(REFINEMENTS):
        start = found
        *moments, _ = source.total(
            lambda x, folds, start=start: components.sums(
                x.astype(np.float64, copy=False), start
            )
        )
        found = components.update(*moments)
    return layers.Mixture(components.with_background(found))


@dataclasses.dataclass(frozen=True)
class _Plain:
    """Rows that are all there is."""

    ranked: np.ndarray
    ranked_folds: np.ndarray

    @property
    def sample(self) -> np.ndarray:
        return self.ranked

    def total(self, function: Any) -> tuple[np.ndarray, ...]:
        return function(self.ranked, self.ranked_folds)


def quantile_layer(
    x: np.ndarray, rotation: np.ndarray | None, folds: np.ndarray, num_bins: int
) -> Layer:
    """Return the layer that maps quantiles of rows to those of the normal distribution.

    Args:
        x: Rows, `[N, D]`.
        rotation: Rotation before the layer, or `None`.
        folds: Fold of each row, `[N]`, below `NUM_FOLDS`.
        num_bins: Bins of splines.
    """
    return _quantile(_Plain(x, folds), rotation, num_bins)


def ratio_layer(
    x: np.ndarray,
    rotation: np.ndarray | None,
    folds: np.ndarray,
    num_bins: int,
    step: float,
) -> Layer:
    """Return the layer that takes a step towards normal marginals, from counts.

    Args:
        x: Rows, `[N, D]`.
        rotation: Rotation before the layer, or `None`.
        folds: Fold of each row, `[N]`, below `NUM_FOLDS`.
        num_bins: Bins of splines.
        step: Share of the change.
    """
    return _ratio(_Plain(x, folds), rotation, num_bins, step)
