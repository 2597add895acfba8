"""Densities fitted by folds: every row is scored by fits that did not see it."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context, _findings, datasets, flows, training
from tfp_flows.information import curves, neighbours, pairs
from tfp_flows.math import normal
from tfp_flows.math.splines import tables
from tfp_flows.training.greedy import estimates

__all__ = ["CrossFit", "Fits", "better", "defended", "evaluate"]

# Rows of one call of a flow: bounds the memory that hidden units take.
BLOCK = 16_384
# Bins of the tables of single columns.
NUM_BINS = 64
# Nats over all rows of a fit: it neither finds nor avoids less.
RESOLUTION = 5.0
# What neighbours, and more rows, show to be missed counts from so many of its standard
# deviations on. That of the latter is known from two fits only.
NEIGHBOUR_DEVIATIONS, CURVE_DEVIATIONS = 2.0**0.5, 3.0
# Share of the variance of neighbours that stays a doubt where nothing is added: nothing
# missed is below zero, and a normal distribution that is cut at its mean has so much
# left.
CUT_NOISE = 1.0 - 2.0 / math.pi


@dataclasses.dataclass(frozen=True)
class Fits:
    """What the densities of `K` folds say about `N` rows.

    Attributes:
        z: Base values, `[K, N, D]`.
        log_prob: Log-densities, `[K, N]`.
        log_det: Log-dets of the maps from the rows to base values, `[K, N]`.
        doubt: Standard deviation that the mean over rows has from what the densities
            may have missed, in nats.
    """

    z: np.ndarray
    log_prob: np.ndarray
    log_det: np.ndarray
    doubt: float = 0.0


def defended(log_prob: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mix a density with a Cauchy distribution of weight `1 / N`.

    A row far out that a fit has not seen would cost it hundreds of nats, and be all
    that the mean shows. The mixture is a density too, and costs other rows nothing.

    Args:
        log_prob: Log-densities, `[..., N]`.
        x: The rows, `[N, D]`.
    """
    loc, scale, weight = x.mean(axis=0), x.std(axis=0), 1.0 / len(x)
    heavy = -np.log(math.pi * scale * (1.0 + ((x - loc) / scale) ** 2)).sum(axis=1)
    return np.logaddexp(math.log1p(-weight) + log_prob, math.log(weight) + heavy)


def evaluate(flow: flows.Flow, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return base values `[N, D]`, log-densities `[N]` and log-dets `[N]` of rows."""
    bijector, base = flow.bijector(), flow.partial(0)
    out: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(x), BLOCK):
        rows = tf.constant(x[start : start + BLOCK], flow.variable_dtype)
        z = bijector.inverse(rows)
        log_det = bijector.inverse_log_det_jacobian(rows, event_ndims=1)
        log_det = tf.broadcast_to(log_det, tf.shape(rows)[:1])
        parts = (z, base.log_prob(z) + log_det, log_det)
        out.append(tuple(part.numpy().astype(np.float64) for part in parts))
    return tuple(np.concatenate(parts) for parts in zip(*out, strict=True))


class CrossFit:
    """A split of rows into folds, and fits of densities to all folds but one.

    Args:
        count: Number of rows.
        folds: Number of folds, at least 2.
        flow: Name of a flow, or options of `tfp_flows.fit` with the key `flow`.
        validation: Share of the rows of each fit by which it stops.
        seed: Int that fixes folds and fits.
        complete: Whether to look for what fits have missed. Not in rounded columns:
            equal rows would be structure, however they are spread.
        groups: Number of the group of each row, `[count]`: a group goes to one fold.
    """

    def __init__(
        self,
        count: int,
        *,
        folds: int,
        flow: str | dict[str, Any],
        validation: float | None,
        seed: int | None,
        complete: bool = True,
        groups: np.ndarray | None = None,
    ) -> None:
        _checks.at_least(folds, 2, "folds")
        self._complete = complete
        self.folds = int(folds)
        rng = _context.generator(seed)
        self.fold = datasets.random_folds(count, self.folds, rng, groups)
        self._seeds = rng.integers(2**31, size=self.folds)
        self._groups = groups
        self._options = {"flow": flow} if isinstance(flow, str) else dict(flow)
        self._validation = validation

    def fit_one(self, fold: int, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Fit to all rows but those of one fold; return what `evaluate` does."""
        return evaluate(self.trained(fold, x, self.fold != fold), x)

    def trained(self, fold: int, x: np.ndarray, rows: np.ndarray) -> flows.Flow:
        """Return the flow of one fold, fitted to some of the rows `x`."""
        options = {"validation": self._validation, "verbose": 0, **self._options}
        options.setdefault("columns", "continuous")  # entropies are of densities
        groups = None if self._groups is None else self._groups[rows]
        if groups is not None and isinstance(options["validation"], float):
            # Copies that were spread are no longer equal.
            options["groups"] = groups
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The flow loses to a full Gaussian")
            # `doubts` speaks of the columns that were given; these are made of them.
            warnings.simplefilter("ignore", _findings.DataNotice)
            flow, _ = training.fit(
                options.pop("flow"), x[rows], seed=int(self._seeds[fold]), **options
            )
        return flow

    def fit(self, x: np.ndarray) -> Fits:
        """Fit to the rows, `[N, D]`, once for each fold."""
        parts = [self.fit_one(fold, x) for fold in range(self.folds)]
        z, log_prob, log_det = (np.stack(part) for part in zip(*parts, strict=True))

        def refit(fold: int, rows: np.ndarray) -> np.ndarray:
            return defended(evaluate(self.trained(fold, x, rows), x)[1], x)

        return self.completed(Fits(z, defended(log_prob, x), log_det), refit)

    def completed(
        self, fits: Fits, refit: Callable[[int, np.ndarray], np.ndarray]
    ) -> Fits:
        """Add what the densities have missed, as far as it is beyond its noise.

        The mean of a row over fits that saw it and one that did not is free of
        over-fit, but not of under-fit. Neighbours in base space show what it misses, at
        rows held out; in more than a few dimensions they see only a part of it, and
        so does the gain over fits to half of the rows. The larger one counts.

        Args:
            fits: The fits.
            refit: Takes a fold and the numbers of rows to fit to; returns log-densities
                of all rows, `[N]`.
        """
        found = self._neighbours(fits)
        if found is None:
            return fits
        log_prob, gain, doubt = self._filled(fits.log_prob, *found)
        if fits.z.shape[2] <= neighbours.FEW:
            return dataclasses.replace(fits, log_prob=log_prob, doubt=doubt)
        rng = np.random.default_rng(self._seeds[-1])
        curve = curves.shortfall(fits.log_prob, self.fold, refit, rng)
        share = _beyond_noise(curve.mean, curve.variance, CURVE_DEVIATIONS)
        if share * curve.mean > gain:
            log_prob = fits.log_prob + share * curve.mean
            doubt = math.sqrt(share * curve.variance)
        # What noise may explain is not added, but not ruled out either.
        rest = (1.0 - share) * max(curve.mean, 0.0)
        doubt = math.hypot(doubt, curve.doubt, rest)
        return dataclasses.replace(fits, log_prob=log_prob, doubt=doubt)

    def completed_columns(self, fits: Sequence[Fits]) -> tuple[np.ndarray, float]:
        """Return the sum of log-densities of columns, `[K, N]`, completed, and a doubt.

        One rule for all columns, since what each misses may be less than its noise.
        """
        log_prob = np.sum([fit.log_prob for fit in fits], axis=0)
        parts = [self._neighbours(fit) for fit in fits]
        found = [part for part in parts if part is not None]
        if len(found) < len(fits):
            return log_prob, 0.0
        missed = np.sum([part[0] for part in found], axis=0)
        variance = float(np.sum([part[1] for part in found]))
        unseen = float(np.sum([part[2] for part in found]))
        filled, _, doubt = self._filled(log_prob, missed, variance, unseen)
        return filled, doubt

    def _filled(
        self, log_prob: np.ndarray, missed: np.ndarray, variance: float, unseen: float
    ) -> tuple[np.ndarray, float, float]:
        """Return log-densities with what they have missed, how much it is, its doubt.

        Args:
            log_prob: Log-densities, `[K, N]`.
            missed: What is missed at each row, by a fit that has not seen it, `[N]`.
            variance: Variance of the mean of these.
            unseen: By how much this mean may be too low.
        """
        held_out = self.held_out(log_prob)
        gap = 0.5 * (self.seen(log_prob) - held_out)
        excess = float(np.mean(missed - gap))
        weight = _beyond_noise(excess, variance, NEIGHBOUR_DEVIATIONS)
        # The rest of the difference between fits stays, as over-fit to be averaged.
        first = held_out + weight * missed
        filled = first + (1.0 - weight) * (log_prob - held_out)
        # What noise may explain is not added, but not ruled out either.
        rest = (1.0 - weight) * max(excess, 0.0)
        noise = math.sqrt(max(weight, CUT_NOISE) * variance)
        doubt = math.hypot(noise, unseen, rest)
        return filled, weight * excess, doubt

    def _neighbours(self, fits: Fits) -> tuple[np.ndarray, float, float] | None:
        """Return what is missed at each row, `[N]`, variance of its mean, and doubt."""
        if not self._complete:
            return None
        held_out = self.held_out(fits.log_prob)
        log_base = held_out - self.held_out(fits.log_det)
        z = self.held_out(fits.z)
        rng = np.random.default_rng(self._seeds[0])
        missed, variance, unseen = np.zeros(len(z)), 0.0, 0.0
        for fold in range(self.folds):
            rows = self.fold == fold
            found = neighbours.residual(z[rows], log_base[rows], rng)
            if found is None:
                return None
            share = np.mean(rows)
            missed[rows] = found.rows
            variance += share**2 * found.variance
            unseen += share * found.unseen
        return missed, variance, unseen

    def columns(self, x: np.ndarray) -> list[Fits]:
        """Return fits of each column by itself, all at once, by tables of quantiles."""
        parts = [
            _column_tables(x[self.fold != fold], x, int(self._seeds[fold]))
            for fold in range(self.folds)
        ]
        z, log_det = (np.stack(part) for part in zip(*parts, strict=True))
        log_prob = _of_columns(z, log_det, x)
        return [
            Fits(z[..., i : i + 1], log_prob[..., i], log_det[..., i])
            for i in range(x.shape[1])
        ]

    def columns_apart(self, fold: int, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the sum of log-densities of columns, `[N]`, fitted to some rows."""
        z, log_det = _column_tables(x[rows], x, int(self._seeds[fold]))
        return np.sum(_of_columns(z, log_det, x), axis=1)

    def held_out(self, values: np.ndarray) -> np.ndarray:
        """Return of each row what the fit says that did not see it, `[N]`."""
        return values[self.fold, np.arange(len(self.fold))]

    def seen(self, values: np.ndarray) -> np.ndarray:
        """Return of each row the mean of what the fits say that saw it, `[N]`."""
        return (values.sum(axis=0) - self.held_out(values)) / (self.folds - 1)

    def rows(self, values: np.ndarray, doubt: float = 0.0) -> tuple[np.ndarray, float]:
        """Return one number for each row, and the doubt that the fits leave.

        What a fit takes from noise raises the log-likelihood of its rows by as much as
        it lowers that of others, to first order: the average is free of it. Half their
        difference is the doubt, together with what no fit of so many rows resolves, and
        with the `doubt` given, that of the densities.
        """
        held_out, seen = self.held_out(values), self.seen(values)
        gap = 0.5 * abs(float(np.mean(seen - held_out)))
        rows_of_fit = len(self.fold) * (1.0 - 1.0 / self.folds)
        floor = RESOLUTION / rows_of_fit
        return 0.5 * (held_out + seen), math.hypot(gap, floor, doubt)


def better(
    cross: CrossFit,
    z: np.ndarray,
    log_det: np.ndarray,
    x: np.ndarray,
    *,
    apart: np.ndarray | None = None,
) -> tuple[Fits, bool]:
    """Return the best of several densities of rows, and whether it is behind `z`.

    One is fitted to base values `z` of the rows, and so starts from the density that
    they come from: where nothing is left to find, nothing is found. One is fitted to
    the rows themselves, which may be of a simple form that base values are not. Where
    pairs of columns show a sharp dependence, one is fitted behind densities of these
    pairs. The rows held out of the first fold decide.

    Args:
        cross: Folds and flow.
        z: Base values of each fold, `[K, N, D]`.
        log_det: Log-dets of the maps from the rows to these, `[K, N]`.
        x: The rows, `[N, D]`.
        apart: Log-densities by tables of all columns, `[K, N]`, if `z` is what these
            give and the result is held against them: what both gain by more rows is
            then nothing missed.
    """
    values, before = z, log_det
    if apart is None and x.shape[1] > 2:
        columns = cross.columns(x)
        values = np.concatenate([fit.z for fit in columns], axis=2)
        before = np.sum([fit.log_det for fit in columns], axis=0)
    found = pairs.matched(values[0][cross.fold != 0]) if x.shape[1] > 2 else []

    def behind(
        fold: int, rows: Any, base: np.ndarray, total: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        base, log_prob, more = evaluate(cross.trained(fold, base, rows), base)
        return base, defended(log_prob + total, x), total + more

    def nested(fold: int, rows: Any) -> tuple[np.ndarray, ...]:
        return behind(fold, rows, z[fold], log_det[fold])

    def direct(fold: int, rows: Any) -> tuple[np.ndarray, ...]:
        base, log_prob, total = evaluate(cross.trained(fold, x, rows), x)
        return base, defended(log_prob, x), total

    def paired(fold: int, rows: Any) -> tuple[np.ndarray, ...]:
        base, total = values[fold].copy(), before[fold]
        for pair in map(list, found):
            flow = cross.trained(fold, base[:, pair], rows)
            base[:, pair], _, step = evaluate(flow, base[:, pair])
            total = total + step
        return behind(fold, rows, base, total)

    def refit(fold: int, rows: np.ndarray) -> np.ndarray:
        log_prob = way(fold, rows)[1]
        if way is not direct or apart is None:
            return log_prob
        return log_prob + apart[fold] - cross.columns_apart(fold, rows, x)

    ways = [nested, direct, *([paired] if found else [])]
    first = [way(0, cross.fold != 0) for way in ways]
    held_out = cross.fold == 0
    best = int(np.argmax([parts[1][held_out].mean() for parts in first]))
    way = ways[best]
    parts = [first[best]]
    parts += [way(fold, cross.fold != fold) for fold in range(1, cross.folds)]
    base, log_prob, total = (np.stack(part) for part in zip(*parts, strict=True))
    fits = Fits(base, log_prob, total)
    starts_there = way is nested or (way is paired and apart is not None)
    return cross.completed(fits, refit), starts_there


def _beyond_noise(value: float, variance: float, deviations: float) -> float:
    """Return the share of a value that noise does not explain, as James and Stein.

    It is zero for values up to so many standard deviations.
    """
    if value <= 0.0:
        return 0.0
    return max(0.0, 1.0 - deviations**2 * variance / value**2)


def _of_columns(z: np.ndarray, log_det: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the log-density of each column, `[..., N, D]`, from its base values."""
    log_prob = log_det - 0.5 * z**2 - normal.LOG_NORMALISER
    columns = range(x.shape[1])
    parts = [defended(log_prob[..., i], x[:, i : i + 1]) for i in columns]
    return np.stack(parts, axis=-1)


def _column_tables(
    train: np.ndarray, x: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Make each column normal; return values and log-dets, `[N, D]`."""
    folds = _context.generator(seed).permutation(len(train)) % estimates.NUM_FOLDS
    log_det = np.zeros_like(x)
    for make in (estimates.quantile_layer, _full_ratio_layer):
        layer = make(train, None, folds, NUM_BINS)
        train, _ = _table(layer.knots, train)
        x, step = _table(layer.knots, x)
        log_det = log_det + step
    return x, log_det


def _full_ratio_layer(
    x: np.ndarray, rotation: np.ndarray | None, folds: np.ndarray, num_bins: int
) -> estimates.Layer:
    return estimates.ratio_layer(x, rotation, folds, num_bins, 1.0)


def _table(knots: Sequence[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positions, values, log_slopes = (tf.constant(table) for table in knots)
    out, log_det = tables.evaluate(
        tf.constant(x), positions, values, tf.exp(log_slopes)
    )
    return out.numpy(), log_det.numpy()
