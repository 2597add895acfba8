"""Whether quantiles hold: of each column, and of the base space."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfp_flows import flows
from tfp_flows.diagnosis import statistics
from tfp_flows.diagnosis.evidence import Evidence
from tfp_flows.diagnosis.limits import LIMITS, RATE
from tfp_flows.diagnosis.measure import Measure, fine, problem, unknown
from tfp_flows.training import report

__all__ = ["measures", "transforms"]

# Rows of a conditional flow that are compared with samples of their own, and how many.
ROWS, DRAWS = 500, 100
LEAST_ROWS = 20


def transforms(evidence: Evidence, seed: int = 0) -> np.ndarray:
    """Return the probability integral transforms of the columns, `[N, D]`.

    The share of samples below each value; of equal values a random part, so that
    discrete columns are uniform, too, where the flow is right.

    Args:
        evidence: What is looked at.
        seed: Int that fixes samples and ties.
    """
    rows, rng = evidence.rows, np.random.default_rng(seed)
    if rows.condition is None:
        drawn = np.sort(evidence.samples.x, axis=0)
        pairs = list(zip(drawn.T, rows.x.T, strict=True))
        low = np.stack([np.searchsorted(s, v, "left") for s, v in pairs], axis=1)
        high = np.stack([np.searchsorted(s, v, "right") for s, v in pairs], axis=1)
        count = len(drawn)
    else:
        kept = report.spread(len(rows), ROWS)
        condition = rows.condition[kept].astype(evidence.flow.variable_dtype)
        draws = _draws(evidence.flow, condition, seed)
        values = rows.x[kept]
        low, high = (draws < values).sum(axis=0), (draws <= values).sum(axis=0)
        count = len(draws)
    share = low + rng.uniform(size=low.shape) * (high - low + 1)
    found: np.ndarray = share / (count + 1)
    return found


def _draws(flow: flows.Flow, condition: np.ndarray, seed: int) -> np.ndarray:
    found = np.asarray(flow.sample(DRAWS, condition, seed=seed), np.float64)
    return found.reshape(DRAWS, len(condition), -1)


def measures(evidence: Evidence, pit: np.ndarray) -> Iterator[Measure]:
    """Yield what there is to say about calibration.

    Args:
        evidence: What is looked at.
        pit: What `transforms` returned.
    """
    yield _columns(evidence, pit)
    yield _radius(evidence)
    yield _impossible(evidence)


def _columns(evidence: Evidence, pit: np.ndarray) -> Measure:
    name, rows = "calibration", len(pit)
    if rows < LEAST_ROWS:
        return unknown(name, f"There are fewer than {LEAST_ROWS} rows.")
    even = (np.arange(20_000) + 0.5) / 20_000
    apart = [statistics.distance(column, even) for column in pit.T]
    # The flow knows no more than its own rows told it, as many as these at least.
    fitted = rows if evidence.train is None else len(evidence.train)
    count = statistics.effective(rows, fitted, len(evidence.samples))
    wrong = [
        i
        for i, far in enumerate(apart)
        if far >= LIMITS[name].value
        and statistics.kolmogorov(far, count) < RATE / len(apart)
    ]
    worst = int(np.argmax(apart))
    value = f"{100 * apart[worst]:.2g} % of column {evidence.names[worst]!r} misplaced"
    if not wrong:
        return fine(name, value, "Quantiles of each column hold.", apart[worst])
    return problem(
        name,
        value,
        f"Column {evidence.names[worst]!r} {_how(pit[:, worst])}.",
        "Look at its picture; train longer, give more layers or bins, or say what the "
        "column is.",
        columns=tuple(evidence.names[i] for i in wrong),
        number=apart[worst],
    )


def _how(pit: np.ndarray) -> str:
    """Return how a column is off, from its transforms."""
    middle = float(np.mean(pit))
    if abs(middle - 0.5) > 0.05:
        word = "larger" if middle > 0.5 else "smaller"
        return f"has {word} values than the flow expects"
    inside = float(np.mean(np.abs(pit - 0.5) < 0.25))
    if abs(inside - 0.5) > 0.05:
        word = "narrower" if inside > 0.5 else "wider"
        return f"is {word} than the flow expects"
    return "has another shape than the flow expects"


def _radius(evidence: Evidence) -> Measure:
    """Compare densities of base variables of rows and of the base itself."""
    name, rows, samples = "radius", evidence.rows, evidence.samples
    if rows.base is None or samples.base is None:
        return unknown(name, "The flow has no single base space.")
    ours, theirs = (b[np.isfinite(b)] for b in (rows.base, samples.base))
    if min(len(ours), len(theirs)) < LEAST_ROWS or np.ptp(theirs) < 1e-6:
        return unknown(name, "The base density is the same everywhere.")
    far = statistics.distance(ours, theirs)
    fitted = len(rows) if evidence.train is None else len(evidence.train)
    count = statistics.effective(len(ours), len(theirs), fitted)
    value = f"{100 * far:.2g} % of the rows too far in or out"
    if far < LIMITS["calibration"].value or statistics.kolmogorov(far, count) > RATE:
        return fine(name, value, "Rows lie in the base space as samples do.", far)
    if float(np.median(ours)) < float(np.median(theirs)):
        judgement = "Rows lie too far out in the base space: the flow is too narrow."
        advice = "A sign of over-fitting or of shift: see there."
    else:
        judgement = "Rows lie near the middle of the base space: the flow is too wide."
        advice = "Train longer, or give more layers."
    return problem(name, value, judgement, advice, number=far)


def _impossible(evidence: Evidence) -> Measure:
    """Find rows that would not occur among as many samples."""
    name, rows = "impossible rows", evidence.rows
    if rows.scores is None:
        return unknown(name, "The base variables are no independent numbers.")
    chance = statistics.radius_tail(rows.scores)
    bad = ~(chance * len(rows) > RATE)
    value = f"{int(bad.sum())} of {len(rows)} rows"
    if not bad.any():
        return fine(name, value, "No row is beyond what samples reach.", 0.0)
    order = np.argsort(np.where(np.isfinite(chance), chance, -1.0))[: int(bad.sum())]
    numbers = tuple(int(i) for i in rows.numbers[order[:100]])
    return problem(
        name,
        value,
        f"Among {len(rows):,} samples there would be none like row {numbers[0] + 1}.",
        "Look at these rows: errors, rows of another kind, or tails for "
        "base='student-t'.",
        rows=numbers,
        number=float(bad.sum()),
    )
