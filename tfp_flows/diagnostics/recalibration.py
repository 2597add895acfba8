"""Recalibration of predictions, and sets of a known probability."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.distributions.recalibrated import Recalibrated
from tfp_flows.flows import registry
from tfp_flows.math.splines import rational_quadratic
from tfp_flows.preprocessing.distribution import Folded

__all__ = ["Calibrated", "calibrate"]

# Fewer rows say nothing about tails.
FEWEST = 50
# Where the map of levels has its knots: closer in the tails, where intervals end.
KNOTS = (0.0, 0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995, 1.0)
# How many rows of the uniform distribution are added: the most that held-out rows
# allow, so that what is calibrated already stays as it is.
PRIOR_ROWS = (math.inf, 1000.0, 300.0, 100.0, 30.0, 10.0)
FOLDS = 5
# Quantiles of which the level of a density is found, and numbers of one call.
NUM_LEVELS, POINTS = 256, 2**16


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """A flow of numbers with a condition, whose levels were calibrated.

    `distribution`, `log_prob`, `cdf` and `quantile` are those of the flow after a
    monotone map of its distribution function. `interval` and `highest_density` are
    conformal: they hold a new row with at least the probability that is asked for,
    whatever the flow, if rows are exchangeable with those of the calibration.

    Args:
        flow: The flow.
        levels: Its distribution function at the rows of the calibration, sorted, `[n]`.
        ranks: Shares of its draws of lower density than each row, sorted, `[n]`.
        spline: Knots, values and slopes of the map of levels, `[3, K + 1]`.
    """

    flow: flows.Flow
    levels: np.ndarray
    ranks: np.ndarray
    spline: np.ndarray

    def __repr__(self) -> str:
        """Say how many rows there were, and what intervals held before."""
        held = [
            float(np.mean(np.abs(self.levels - 0.5) <= 0.5 * c)) for c in (0.5, 0.9)
        ]
        return (
            f"<Calibrated by {len(self.levels)} rows: central intervals of 50 and 90 % "
            f"of the flow hold {100 * held[0]:.1f} and {100 * held[1]:.1f} % of them>"
        )

    def distribution(self, condition: Condition) -> tfd.Distribution:
        """Return the calibrated densities, one for each condition.

        Args:
            condition: `[..., *condition_shape]`.
        """
        density = Recalibrated(_plain(self.flow, condition), *self.spline)
        cells = self.flow.cells
        if cells is None or not self.flow.is_discrete:
            return density
        return Folded(density, cells)

    def log_prob(self, x: TensorLike, condition: Condition) -> np.ndarray:
        """Return the calibrated log-density of each row, `[N]`."""
        return self._at(lambda x, c: self.distribution(c).log_prob(x), x, condition)

    def cdf(self, x: TensorLike, condition: Condition) -> np.ndarray:
        """Return the calibrated distribution function at each row, `[N]`."""
        return self._at(lambda x, c: self.distribution(c).cdf(x), x, condition)

    def _at(
        self, function: Callable[..., Any], x: TensorLike, condition: Condition
    ) -> np.ndarray:
        x, condition = self.flow.in_order(x, condition)
        x, rows = np.asarray(x), _rows(self.flow, condition)
        if x.shape != (len(rows),):
            msg = (
                f"`x` must hold one number for each condition, got shape {x.shape} and "
                f"{len(rows)} conditions. Repeat the condition for several numbers."
            )
            raise ValueError(msg)
        return _by_rows(function, rows, 1, x)

    def quantile(self, levels: Any, condition: Condition) -> np.ndarray:
        """Return calibrated quantiles.

        Args:
            levels: Probabilities, `[k]`.
            condition: `[N, *condition_shape]`.

        Returns:
            `[N, k]`.
        """
        levels = np.atleast_1d(np.asarray(levels, np.float64))
        if not np.all((levels >= 0.0) & (levels <= 1.0)):
            msg = f"`levels` must be from 0 to 1, got {levels}. Pass [0.05, 0.95]."
            raise ValueError(msg)

        def found(levels: np.ndarray, rows: np.ndarray) -> tf.Tensor:
            density = self.distribution(rows)
            return density.quantile(tf.constant(levels[:, np.newaxis], density.dtype))

        return _quantiles(found, levels, _rows(self.flow, condition))

    def interval(self, condition: Condition, coverage: float = 0.9) -> np.ndarray:
        """Return central intervals that hold a new row with a probability.

        Args:
            condition: `[N, *condition_shape]`.
            coverage: The probability; what so few rows cannot promise has no ends.

        Returns:
            Lower and upper ends, `[N, 2]`.
        """
        rows = _rows(self.flow, condition)
        scores = np.sort(np.abs(self.levels - 0.5))
        size = _order_statistic(scores, coverage)
        if size >= 0.5:
            ends = np.tile([-math.inf, math.inf], [len(rows), 1])
            return ends.astype(np.float64)
        levels = np.array([0.5 - size, 0.5 + size])
        return _quantiles(self.flow.quantiles_of_numbers, levels, rows)

    def highest_density(
        self, condition: Condition, coverage: float = 0.9
    ) -> list[np.ndarray]:
        """Return where the density is highest: sets that hold a new row.

        Shorter than `interval` where densities are skewed, and of several parts where
        they have several modes. Ends are those of a grid of quantiles.

        Args:
            condition: `[N, *condition_shape]`.
            coverage: The probability.

        Returns:
            For each row the lower and upper ends of its parts, `[k, 2]`.
        """
        rows = _rows(self.flow, condition)
        least = -_order_statistic(np.sort(-self.ranks), coverage)
        grid = _quantiles(self.flow.quantiles_of_numbers, _middles(), rows)
        found = _by_rows(
            lambda x, c: tf.transpose(
                self.flow.distribution(c).log_prob(np.transpose(x))
            ),
            rows,
            NUM_LEVELS,
            grid,
        )
        return [_parts(x, d, least) for x, d in zip(grid, found, strict=True)]


def calibrate(flow: flows.Flow, x: TensorLike, condition: Condition) -> Calibrated:
    """Calibrate a flow of numbers given a condition by rows that it has not seen.

    A spline maps the levels of the flow to those that rows have, drawn to the identity
    as far as these rows allow. Sets with a promised coverage come along.

    Args:
        flow: A conditional flow of numbers, fitted.
        x: Targets, `[n]`: at least 50 rows that the fit had no part in.
        condition: Their conditions, `[n, *condition_shape]`.

    Returns:
        Calibrated densities, intervals and sets.

    Raises:
        ValueError: If there are fewer than 50 rows, if they are not finite, or if the
            flow is not one of numbers with a condition.

    Example:
        >>> import numpy as np
        >>> import tfp_flows as tfpf
        >>> rng = np.random.default_rng(0)
        >>> c = rng.uniform(size=[400, 1])
        >>> y = c[:, 0] + rng.normal(size=400)
        >>> flow, _ = tfpf.fit("linear", y[:200], c[:200], epochs=5, seed=0, verbose=0)
        >>> better = tfpf.calibrate(flow, y[200:], c[200:])
        >>> better.interval(c[:3], coverage=0.9).shape
        (3, 2)

    References:
        Kuleshov, Fenner, Ermon (2018). Accurate Uncertainties for Deep Learning Using
        Calibrated Regression. https://arxiv.org/abs/1807.00263
        Chernozhukov, Wuethrich, Zhu (2021). Distributional conformal prediction.
        https://doi.org/10.1073/pnas.2107794118
        Izbicki, Shimizu, Stern (2022). CD-split and HPD-split.
        https://jmlr.org/papers/v23/20-797.html
    """
    registry.require_flow(flow)
    if flow.event_shape != () or flow.condition_shape is None:
        msg = (
            "`flow` must be of numbers with a condition, got events of shape "
            f"{flow.event_shape} and condition_shape {flow.condition_shape}. Fit one "
            "with targets of shape [n], each of several by itself."
        )
        raise ValueError(msg)
    x, condition = flow.in_order(x, condition)
    x, rows = np.asarray(x, np.float64).reshape(-1), _rows(flow, condition)
    if len(x) != len(rows) or len(x) < FEWEST:
        msg = (
            f"`x` must hold at least {FEWEST} rows, one for each condition, got "
            f"{len(x)} and {len(rows)} conditions. Hold out more rows."
        )
        raise ValueError(msg)
    if not np.isfinite(x).all():
        msg = "`x` must be finite. Drop rows with missing values."
        raise ValueError(msg)
    spread = flow.spread(x, seed=0) if flow.is_discrete else x
    levels = _by_rows(lambda v, c: _plain(flow, c).cdf(v), rows, 1, np.asarray(spread))
    levels = np.clip(levels, 0.0, 1.0)
    return Calibrated(flow, np.sort(levels), _ranks(flow, x, rows), _spline(levels))


def _plain(flow: flows.Flow, condition: Condition) -> tfd.Distribution:
    """Return the density of numbers, discrete ones spread over their cells."""
    return flow.partial(flow.num_maps, condition)


def _rows(flow: flows.Flow, condition: Condition) -> np.ndarray:
    """Return conditions as the flow takes them, `[N, *condition_shape]`.

    Raises:
        ValueError: If they have another shape, or if one is not finite.
    """
    _, condition = flow.in_order(np.zeros(1), condition)
    found, shape = np.asarray(condition), tuple(flow.condition_shape or ())
    if found.shape == shape:
        found = found[np.newaxis]
    if found.shape[1:] != shape:
        msg = (
            f"`condition` must have shape (N, {', '.join(map(str, shape))}), one row "
            f"for each density, got {found.shape}. Pass the columns of the fit."
        )
        raise ValueError(msg)
    inner = tuple(range(1, found.ndim))
    bad = np.flatnonzero(~np.isfinite(found).all(axis=inner))
    if bad.size:
        msg = (
            f"`condition` must be finite, got NaN or infinity in row {bad[0] + 1}. "
            "Drop rows with missing values."
        )
        raise ValueError(msg)
    return found


def _middles() -> np.ndarray:
    return (np.arange(NUM_LEVELS) + 0.5) / NUM_LEVELS


def _by_rows(
    function: Callable[..., Any], rows: np.ndarray, width: int, *arrays: Any
) -> np.ndarray:
    """Return what a function makes of rows and their conditions, so many at a time."""
    step = max(1, POINTS // width)
    parts = [
        np.asarray(
            function(*(a[i : i + step] for a in arrays), rows[i : i + step]), np.float64
        )
        for i in range(0, max(1, len(rows)), step)
    ]
    return np.concatenate(parts)


def _quantiles(
    quantiles: Callable[[np.ndarray, np.ndarray], tf.Tensor],
    levels: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    def of_rows(rows: np.ndarray) -> Any:
        return tf.transpose(quantiles(levels, rows))

    return _by_rows(of_rows, rows, max(len(levels), 16))


def _ranks(flow: flows.Flow, x: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """Return the share of the probability at a lower density, for each row, sorted."""
    grid = _quantiles(flow.quantiles_of_numbers, _middles(), condition)

    def of_rows(x: np.ndarray, grid: np.ndarray, rows: np.ndarray) -> Any:
        density = flow.distribution(rows)
        own = density.log_prob(x)
        others = density.log_prob(np.transpose(grid))
        return tf.reduce_mean(tf.cast(others <= own, tf.float64), axis=0)

    return np.sort(_by_rows(of_rows, condition, NUM_LEVELS, x, grid))


def _order_statistic(scores: np.ndarray, coverage: float) -> float:
    """Return the score below which a new one lies with at least this probability."""
    _checks.plain_number(coverage, "coverage")
    if not 0.0 < coverage < 1.0:
        msg = f"`coverage` must be between 0 and 1, got {coverage!r}. Pass 0.9."
        raise ValueError(msg)
    place = math.ceil((len(scores) + 1) * coverage)
    return float(scores[place - 1]) if place <= len(scores) else math.inf


def _parts(x: np.ndarray, log_density: np.ndarray, least: float) -> np.ndarray:
    """Return the parts of a grid where the rank of the density is high enough."""
    if not math.isfinite(least):
        return np.array([[-math.inf, math.inf]])
    rank = np.searchsorted(np.sort(log_density), log_density, side="right")
    inside = np.concatenate([[False], rank / len(x) >= least, [False]])
    change = np.flatnonzero(inside[1:] != inside[:-1])
    first, last = change[::2], change[1::2] - 1
    # Half of the way to the next point of the grid.
    edges = np.concatenate([x[:1], 0.5 * (x[1:] + x[:-1]), x[-1:]])
    return np.stack([edges[first], edges[last + 1]], axis=1)


def _spline(levels: np.ndarray) -> np.ndarray:
    """Return the map of levels, drawn to the identity as far as rows allow."""
    fold = np.random.default_rng(0).permutation(len(levels)) % FOLDS
    gains = np.zeros([len(PRIOR_ROWS), len(levels)])
    for i, prior in enumerate(PRIOR_ROWS):
        for held_out in range(FOLDS):
            new = fold == held_out
            gains[i, new] = _log_slopes(_fitted(levels[~new], prior), levels[new])
    means = gains.mean(axis=1)
    best = means.argmax()
    error = gains[best].std() / math.sqrt(len(levels))
    # No gain beyond its error: the flow is calibrated as far as these rows can tell.
    return _fitted(levels, PRIOR_ROWS[best] if means[best] > error else math.inf)


def _fitted(levels: np.ndarray, prior_rows: float) -> np.ndarray:
    """Return knots, values and slopes of a smooth map of levels to their ranks."""
    knots = np.array(KNOTS)
    widths = np.diff(knots)
    masses = widths
    if math.isfinite(prior_rows):
        counts = np.histogram(levels, knots)[0]
        masses = (counts + prior_rows * widths) / (len(levels) + prior_rows)
    values = np.concatenate([[0.0], np.cumsum(masses)])
    values[-1] = 1.0
    steep = masses / widths
    # The weighted harmonic mean of both sides keeps the map increasing and smooth.
    left, right = widths[:-1], widths[1:]
    weights = 2.0 * right + left, right + 2.0 * left
    inner = sum(weights) / (weights[0] / steep[:-1] + weights[1] / steep[1:])
    return np.stack([knots, values, [steep[0], *inner, steep[-1]]])


def _log_slopes(spline: np.ndarray, levels: np.ndarray) -> np.ndarray:
    parts = [tf.constant(part[:, np.newaxis]) for part in spline]
    return rational_quadratic.forward(tf.constant(levels), *parts)[1].numpy()
