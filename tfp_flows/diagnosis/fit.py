"""Whether the density is that of the rows: over-fitting, shift, tails, mass, rivals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfp_flows import _optional
from tfp_flows.diagnosis import statistics
from tfp_flows.diagnosis.evidence import Evidence, Rows
from tfp_flows.diagnosis.limits import LIMITS, RATE
from tfp_flows.diagnosis.measure import Measure, fine, problem, unknown
from tfp_flows.training import report
from tfp_flows.training.baseline import Estimate, Gaussian, estimate
from tfp_flows.training.data import arrays

__all__ = ["measures"]

# Part of the samples in the tails, and of the rows that count as few.
TAIL, FEW = 0.01, 0.01
# Points of a side of the grid, in one and in two dimensions; most columns of a grid.
GRID = {1: 4_000, 2: 250}
# A grid that is half as fine must agree by so much, or it is too coarse to tell.
GRID_ERROR = 0.02
# Columns whose rows are at least so many, or they cannot be compared.
LEAST_ROWS = 20


def measures(evidence: Evidence) -> Iterator[Measure]:
    """Yield what there is to say about the fit."""
    yield _over_fitting(evidence)
    yield _shift(evidence)
    yield _tails(evidence)
    yield _deficit(evidence)
    yield _mass(evidence)
    yield from _comparisons(evidence)


def _over_fitting(evidence: Evidence) -> Measure:
    """Compare what the flow loses between training and other rows with a Gaussian."""
    name, rows, train = "over-fitting", evidence.rows, evidence.train
    if train is None:
        return unknown(name, "The rows of the fit were not given: pass train=.")
    kept = [np.isfinite(part.log_prob) for part in (train, rows)]
    if not all(k.sum() > 1 for k in kept):
        return unknown(name, "Too few rows have a finite log-density.")
    gains = []
    model = None
    if evidence.kinds is None:
        model = Gaussian.fit(train.x, train.condition)
    for part, k in zip((train, rows), kept, strict=True):
        other = 0.0 if model is None else model.log_prob(part.x, part.condition)[k]
        gains.append(estimate(part.log_prob[k] - other))
    gap = gains[0].mean - gains[1].mean
    error = math.hypot(*(gain.error or 0.0 for gain in gains))
    plain = train.log_prob[kept[0]].mean() - rows.log_prob[kept[1]].mean()
    value = f"{plain:.3f} nats, {gap:.3f} +- {error:.3f} more than a Gaussian's"
    limit = LIMITS[name].value * len(evidence.names)
    if gap < limit or gap < 3 * error:
        return fine(name, value, "The flow does as well on rows it has not seen.", gap)
    gained = gains[0].mean
    if model is not None and gap < LIMITS["lost gain"].value * gained:
        share = f"{100 * gap / gained:.0f} % of what it gains over a Gaussian"
        return fine(
            name, value, f"On rows it has not seen the flow loses {share}.", gap
        )
    return problem(
        name,
        value,
        "The flow knows the training rows better than others: it has remembered them.",
        "Fit with validation rows, more of them, fewer layers or hidden units, "
        "dropout, noise, or an ensemble.",
        number=gap,
    )


def _shift(evidence: Evidence) -> Measure:
    """Compare each column of training and of other rows."""
    name, rows, train = "shift", evidence.rows, evidence.train
    if train is None:
        return unknown(name, "The rows of the fit were not given: pass train=.")
    if min(len(rows), len(train)) < LEAST_ROWS:
        return unknown(name, f"There are fewer than {LEAST_ROWS} rows.")
    pairs = [
        (column, train.x[:, i], rows.x[:, i]) for i, column in enumerate(evidence.names)
    ]
    if rows.condition is not None and train.condition is not None:
        known = evidence.flow.condition_columns
        for i in range(rows.condition.shape[1]):
            column = known[i] if known else f"condition {i}"
            pairs.append((column, train.condition[:, i], rows.condition[:, i]))
    found: dict[str, float] = {}
    worst = 0.0
    for column, before, after in pairs:
        far = statistics.distance(before, after)
        chance, p = statistics.rank_sum(after, before)
        count = statistics.effective(len(before), len(after))
        p = min(p, statistics.kolmogorov(far, count))
        size = max(far, abs(chance - 0.5))
        worst = max(worst, size)
        if size >= LIMITS[name].value and p < RATE / (2 * len(pairs)):
            found[column] = size
    value = f"up to {100 * worst:.2g} % of the rows would have to move"
    if not found:
        return fine(name, value, "Training rows and these are of one kind.", worst)
    first = max(found, key=lambda column: found[column])
    return problem(
        name,
        value,
        f"Column {first!r} has another distribution than in the training rows.",
        "Ask how the rows were split; fit on rows like those to score, or weigh them.",
        columns=tuple(found),
        number=worst,
    )


def _tails(evidence: Evidence) -> Measure:
    rows, samples = evidence.rows, evidence.samples
    edge = np.quantile(samples.log_prob, TAIL)
    count = int(np.sum(~(rows.log_prob >= edge)))
    expected = TAIL * len(rows)
    share = count / len(rows)
    value = f"{100 * share:.2g} % of the rows where 1 % of the samples are"
    ratio = LIMITS["tails"].value
    chance = _poisson_tail(count, expected * (1 + 3 / math.sqrt(len(samples) * TAIL)))
    if count < ratio * expected or chance > RATE:
        return fine("tails", value, "Rows are in the tails as often as samples.", share)
    order = np.argsort(rows.log_prob)[: min(count, 100)]
    return problem(
        "tails",
        value,
        "More rows have low densities than the flow allows for: its tails are too "
        "light.",
        "Take base='student-t', a flow with more layers, or look at these rows.",
        rows=tuple(int(i) for i in rows.numbers[order]),
        number=share,
    )


def _poisson_tail(count: int, mean: float) -> float:
    """Return the chance of at least so many events."""
    if count == 0:
        return 1.0
    at = tf.constant(float(count), tf.float64), tf.constant(mean, tf.float64)
    return float(tf.math.igamma(*at))


def _deficit(evidence: Evidence) -> Measure:
    """Tell whether few rows make the likelihood what it is."""
    rows, samples = evidence.rows, evidence.samples
    good = samples.log_prob[np.isfinite(samples.log_prob)]
    lost = np.maximum(good.mean() - rows.log_prob, 0.0) if len(good) else np.zeros(1)
    few = max(1, round(FEW * len(rows)))
    if not np.isfinite(lost).all() or not lost.any() or len(rows) < 1 / FEW:
        return unknown("deficit", "There are too few rows of finite densities.")
    order = np.argsort(-lost)
    share = float(lost[order[:few]].sum() / lost.sum())
    value = f"1 % of the rows carry {100 * share:.2g} %"
    if share < LIMITS["deficit"].value:
        return fine("deficit", value, "Many rows make the likelihood.", share)
    first = int(rows.numbers[order[0]])
    return problem(
        "deficit",
        value,
        f"Few rows decide the likelihood, row {first + 1} most of all, "
        f"{lost[order[0]]:.3g} nats below the mean of the samples.",
        "Look at these rows: errors, another kind of rows, or tails for "
        "base='student-t'.",
        rows=tuple(int(i) for i in rows.numbers[order[:few][:100]]),
        number=share,
    )


def _mass(evidence: Evidence) -> Measure:
    flow, samples = evidence.flow, evidence.samples.x
    size = samples.shape[1]
    if size not in GRID or evidence.rows.condition is not None or flow.is_discrete:
        return unknown("mass", "Grids are for one or two columns without condition.")
    low, high = samples.min(axis=0), samples.max(axis=0)
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    if not np.isfinite(high - low).all():
        return unknown("mass", "Samples are not finite.")
    sums = [_sum_of_grid(evidence, low, high, GRID[size] // part) for part in (1, 2)]
    mass = sums[0]
    value = f"{mass:.4f}"
    if not abs(sums[0] - sums[1]) < GRID_ERROR:
        return unknown(
            "mass", f"A grid is too coarse: {sums[0]:.3f}, or {sums[1]:.3f} by half."
        )
    if abs(mass - 1.0) < LIMITS["mass"].value:
        return fine("mass", value, "The density sums to 1 on a grid.", mass)
    return problem(
        "mass",
        value,
        "The density does not sum to 1 where its samples are.",
        "If a map is your own, run tfp_flows.testing.check_bijector on it; else raise "
        "the precision.",
        number=mass,
    )


def _sum_of_grid(
    evidence: Evidence, low: np.ndarray, high: np.ndarray, count: int
) -> float:
    steps = (high - low) / count
    axes = [a + s * (np.arange(count) + 0.5) for a, s in zip(low, steps, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    flow = evidence.exact or evidence.flow
    shaped = grid if flow.event_shape else grid[:, 0]
    return float(np.exp(report.log_prob(flow, shaped)).sum() * steps.prod())


def _comparisons(evidence: Evidence) -> Iterator[Measure]:
    """Compare with plain densities, fitted to the rows of the fit or to half."""
    rows, train = evidence.rows, evidence.train
    fitted, scored = _sides(rows, train)
    if len(fitted) < LEAST_ROWS or not np.isfinite(scored.log_prob).all():
        yield unknown("comparison", "There are too few rows of finite densities.")
        return
    found = report.judged(
        evidence.flow,
        arrays.Data(fitted.x, fitted.condition),
        arrays.Data(scored.x, scored.condition),
        losses=-scored.log_prob,
    )
    if found.lead is not None:
        yield _comparison("Gaussian", found.lead, train)
    if evidence.kinds is not None:
        return
    for kind, name in (("mixture", "Gaussian mixture"), ("kernel", "kernel density")):
        try:
            from tfp_flows import estimators  # an extra

            model = estimators.fit_baseline(
                kind, fitted.x, fitted.condition, quick=True
            )
            other = model.log_prob(scored.x, scored.condition)
        except (_optional.MissingExtraError, ValueError, np.linalg.LinAlgError) as why:
            yield unknown(f"against a {name}", f"It cannot be fitted: {why}")
            continue
        yield _comparison(name, estimate(scored.log_prob - other), train)


def _comparison(name: str, lead: Estimate, train: Rows | None) -> Measure:
    value = f"the flow leads by {lead} nats"
    of = f"against a {name}"
    if not report.is_clear_loss(lead):
        return fine(of, value, f"A {name} is no better on these rows.", lead.mean)
    return problem(
        of,
        value,
        f"A {name}, fitted to {'the same' if train else 'half of these'} rows, is "
        "clearly better.",
        "Train longer, on more rows, or with fewer parameters; 'linear' is a Gaussian.",
        number=lead.mean,
    )


def _sides(rows: Rows, train: Rows | None) -> tuple[Rows, Rows]:
    """Return the rows to fit baselines to, and those to score."""
    if train is not None:
        return train, rows
    order = np.random.default_rng(0).permutation(len(rows))
    half = len(rows) // 2
    return rows.select(order[:half]), rows.select(order[half:])
