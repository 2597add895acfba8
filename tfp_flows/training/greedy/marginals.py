"""The choice of a map to the normal distribution for each feature of some rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from tfp_flows.math.gaussianization import mixture_knots, quantiles
from tfp_flows.training.greedy import layers

__all__ = ["best_knots", "deviations"]

# Numbers of inner bins of quantile maps; 0 stands for a straight line.
INNER_BINS = (0, 6, 10, 16, 24, 32, 48)
# Rows of each half on which maps are compared.
TESTED_ROWS = 10_000
# Components of mixtures that are tried where features have separate modes: at least so
# many rows for each, and so many nats over all rows to be worth more.
MODES_TRIED, MODES_MIN_ROWS, MODES_MIN_GAIN = (2, 3, 4, 5, 6, 8), 30, 3.0

Make = Callable[[np.ndarray], layers.Knots]


def deviations(u: np.ndarray) -> np.ndarray:
    """Return standard deviations, ones for features that are constant."""
    scale = u.std(axis=0, dtype=np.float64)
    return np.where(scale > 1e-9, scale, 1.0)


def _quantile_knots(u: np.ndarray, inner: int, num_bins: int) -> layers.Knots:
    """Return the maps through quantiles of rows in increasing order."""
    if inner == 0:
        return quantiles.affine_knots(u.mean(axis=0), deviations(u), num_bins)
    return quantiles.quantile_knots(u, inner, num_bins)


def _tested_loss(knots: layers.Knots, ordered: np.ndarray) -> np.ndarray:
    """Return the loss of each feature, up to a constant, in nats per row."""
    # What is in order stays so when it is thinned.
    tested = ordered[:: max(1, len(ordered) // TESTED_ROWS)]
    values, log_det = layers.table(tested, knots)
    return np.mean(0.5 * values**2 - log_det, axis=0)


class _RowSplit:
    """Rows in order, and both halves of them, on which maps are compared."""

    def __init__(self, u: np.ndarray, folds: np.ndarray) -> None:
        half = folds % 2 == 0
        self.ordered = np.sort(u, axis=0)
        self._parts = [np.sort(u[rows], axis=0) for rows in (half, ~half)]

    def loss(self, make: Make, features: np.ndarray) -> np.ndarray:
        """Return the mean loss of maps of one half on the other, `[features]`."""
        one, other = (part[:, features] for part in self._parts)
        return 0.5 * (_tested_loss(make(one), other) + _tested_loss(make(other), one))


def best_knots(
    u: np.ndarray, folds: np.ndarray, num_bins: int, *, mixtures: bool = False
) -> layers.Knots:
    """Return maps whose numbers of bins or components win on the other half of rows.

    Args:
        u: Rows, `[N, D]`.
        folds: Their folds, `[N]`: even ones make a half.
        num_bins: Bins of each map.
        mixtures: Whether to try maps of mixtures beside those of quantiles.

    Returns:
        Positions, values, and log-slopes, each `[D, num_bins + 1]`.
    """
    split, every = _RowSplit(u, folds), np.arange(u.shape[1])
    losses, candidates = [], []
    for inner in INNER_BINS:
        # At least four bins for each tail, and some rows for each bin; a straight line
        # is always there.
        if inner and (inner > num_bins - 8 or inner * 8 > len(u)):
            continue
        make = functools.partial(_quantile_knots, inner=inner, num_bins=num_bins)
        losses.append(split.loss(make, every))
        candidates.append(make(split.ordered))
    choice = np.argmin(losses, axis=0)
    stacked = (np.stack(parts) for parts in zip(*candidates, strict=True))
    positions, values, log_slopes = (part[choice, every] for part in stacked)
    knots = positions, values, log_slopes
    if mixtures:
        _try_mixtures(knots, split, losses[0], np.min(losses, axis=0))
    return knots


def _try_mixtures(
    knots: layers.Knots, split: _RowSplit, straight: np.ndarray, best: np.ndarray
) -> None:
    """Replace maps by those of mixtures where these win.

    Args:
        knots: The best maps so far, which change.
        split: The rows.
        straight: Losses of straight lines, which are those of one component, `[D]`.
        best: Losses of the best maps.
    """
    rows, num_bins = len(split.ordered), knots[0].shape[1] - 1
    least, before = MODES_MIN_GAIN / rows, straight
    active = np.arange(len(straight))
    for count in MODES_TRIED:
        if not len(active) or rows < MODES_MIN_ROWS * count:
            break
        make = functools.partial(
            mixture_knots.mixture_knots, num_components=count, num_bins=num_bins
        )
        now = split.loss(make, active)
        won = active[now < best[active] - least]
        if len(won):
            for part, new in zip(knots, make(split.ordered[:, won]), strict=True):
                part[won] = new
        # More components are tried while they gain.
        gains = now < before[active] - least
        best, before = best.copy(), before.copy()
        best[active], before[active] = np.minimum(best[active], now), now
        active = active[gains]
