"""What is in the table that no density describes: copies, ties, outliers, bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfp_flows.datasets import folds
from tfp_flows.diagnosis import statistics
from tfp_flows.diagnosis.evidence import Evidence
from tfp_flows.diagnosis.limits import LIMITS, RATE
from tfp_flows.diagnosis.measure import Measure, fine, joined, labels, problem, unknown
from tfp_flows.information import doubts
from tfp_flows.preprocessing import checks, dependence, detect
from tfp_flows.training.data import arrays, kinds

__all__ = ["measures"]

# An outlier is so many times as far away as the next value.
_ISOLATED = 1.5
# So many cells of several are told one by one.
_SHOWN = 4
# Pairs of more columns take too long to look at one by one.
_MOST_COLUMNS = 50
# A column that a linear function of several leaves less of is a sum of them.
_LINEAR = 0.1


def measures(evidence: Evidence) -> Iterator[Measure]:
    """Yield what there is to say about columns and cells."""
    yield _copies(evidence)
    yield _copied_rows(evidence)
    yield _ties(evidence)
    yield _outliers(evidence)
    yield _codes(evidence)
    yield _bounds(evidence)


def _copies(evidence: Evidence) -> Measure:
    names = evidence.names
    rows = evidence.rows
    found: dict[str, str] = {}
    free = [i for i in range(len(names)) if np.ptp(rows.x[:, i]) > 0]
    for i in set(range(len(names))) - set(free):
        found[names[i]] = f"Column {names[i]!r} is constant: a density has no width."
    discrete = [evidence.is_discrete(i) for i in free]
    x, kept = rows.x[:, free], [names[i] for i in free]
    for finding in dependence.dependent(x, kept, discrete):
        name = labels(kept)[finding.column]
        found[name] = f"Column {name!r} {finding.sentence.removesuffix(' Drop it.')}"
    if not any(discrete) and len(free) <= _MOST_COLUMNS:
        for i, others in doubts.relations(x):
            others_named = [kept[j] for j in others]
            if {kept[i], *others_named} & set(found):
                continue  # the same relation the other way round
            if len(others) > 1 and _residual(x, i, others) < _LINEAR:
                continue  # a sum but for noise that is seen: no exact one, see above
            found[kept[i]] = (
                f"Column {kept[i]!r} follows from {joined(others_named)} but for noise "
                "too small to see: its density has no width there."
            )
    if not found:
        return fine("copies", "0 columns", "No column follows from others.", 0.0)
    return problem(
        "copies",
        f"{len(found)} columns",
        next(iter(found.values())),
        "Drop the column, or add the noise that it was measured with.",
        columns=tuple(found),
        number=float(len(found)),
    )


def _residual(x: np.ndarray, column: int, others: tuple[int, ...]) -> float:
    """Return what a linear function of others leaves of a column's deviation."""
    design = np.column_stack([np.ones(len(x)), x[:, others]])
    y = x[:, column]
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(np.std(left) / np.std(y))


def _copied_rows(evidence: Evidence) -> Measure:
    name, rows, train = "copied rows", evidence.rows, evidence.train
    if any(evidence.is_discrete(i) for i in range(len(evidence.names))):
        return unknown(name, "Rows of discrete columns are equal by chance.")
    within = checks.copied_rows(rows.x)
    if within:
        return problem(name, "many", f"Rows {within[0].sentence}", "Drop the copies.")
    if train is None:
        return fine(name, "few", "Few rows are copies of others.")
    both = np.ascontiguousarray(np.concatenate([train.x, rows.x]))
    _, groups = np.unique(both, axis=0, return_inverse=True)
    groups = groups.ravel()
    share = float(np.isin(groups[len(train) :], groups[: len(train)]).mean())
    value = f"{100 * share:.2g} % are training rows"
    if share < LIMITS[name].value or folds.equal_by_chance(groups, both):
        return fine(name, value, "The rows are others than those of the fit.", share)
    return problem(
        name,
        value,
        "Rows stand in the training rows, too: figures reward what is remembered.",
        "Split by datasets.split_rows, which keeps copies on one side.",
        number=share,
    )


def _ties(evidence: Evidence) -> Measure:
    found: dict[str, str] = {}
    share = 0.0
    for _, rows in evidence.every():
        for i, name in enumerate(evidence.names):
            kind = None if evidence.kinds is None else [evidence.kinds[i]]
            column = rows.x[:, [i]]
            for finding in kinds.unbounded(arrays.Data(column), kind, [name]):
                sentence = finding.sentence.split(": ")[0]
                found.setdefault(name, f"Column {name!r} {sentence}")
                counts = np.unique(column, return_counts=True)[1]
                share = max(share, float(counts.max() / len(column)))
    if not found:
        return fine("ties", "0 columns", "No column has heaps of equal values.", 0.0)
    return problem(
        "ties",
        f"{len(found)} columns, one value in {100 * share:.2g} % of the rows",
        f"{next(iter(found.values()))}: taken for any number, its density grows there "
        "without bound.",
        "Fit by a name with columns='auto' or their kinds, which gives values masses.",
        columns=tuple(found),
        number=share,
    )


def _outliers(evidence: Evidence) -> Measure:
    name, far = "outliers", LIMITS["outliers"].value
    listed: list[tuple[str, float, str, int]] = []
    names = labels(evidence.names)
    for word, x in evidence.cells:
        _, cells = checks.gross_outliers(x, evidence.names, isolated=_ISOLATED, far=far)
        listed += [(names[column], value, word, row) for column, value, row in cells]
    if not listed:
        return fine(name, "0 cells", "No cell lies far from all others.", 0.0)
    shown = [
        f"column {column!r} has {value:.6g} in {word}row {row + 1}"
        for column, value, word, row in listed[:_SHOWN]
    ]
    more = len(listed) - len(shown)
    told = "; ".join(shown) + (f"; and {more} more" if more else "")
    return problem(
        name,
        f"{len(listed)} cells",
        f"{told[0].upper()}{told[1:]}: far from all other values.",
        "Correct the cell or drop the row: it stretches scales and decides means.",
        columns=tuple(dict.fromkeys(column for column, *_ in listed)),
        rows=tuple(dict.fromkeys(row for *_, word, row in listed if not word)),
        number=float(len(listed)),
    )


def _codes(evidence: Evidence) -> Measure:
    """Find values such as -999, which many rows share far from all others."""
    names = labels(evidence.names)
    found: dict[str, str] = {}
    for _, x in evidence.cells:
        for finding in checks.sentinels(x, evidence.names):
            name = names[finding.column]
            if not evidence.is_discrete(evidence.names.index(name)):
                found.setdefault(name, finding.sentence.split(". ")[0])
    if not found:
        return fine("codes", "0 columns", "No value stands for a missing one.", 0.0)
    name, sentence = next(iter(found.items()))
    return problem(
        "codes",
        f"{len(found)} columns",
        f"Column {name!r} {sentence}.",
        "If it stands for a missing value, make it NaN, fit with missing='impute', and "
        "leave such rows out here.",
        columns=tuple(found),
        number=float(len(found)),
    )


def _bounds(evidence: Evidence) -> Measure:
    """Compare how many samples lie beyond the data with how many should."""
    found: dict[str, str] = {}
    worst = 0.0
    samples = evidence.samples.x
    parts = [rows.x for _, rows in evidence.every()]
    x = np.concatenate(parts)
    size, least = len(samples), LIMITS["bounds"].value
    for i, name in enumerate(evidence.names):
        if evidence.is_discrete(i):
            continue
        low, high = x[:, i].min(), x[:, i].max()
        ends = ((low, samples[:, i] < low), (high, samples[:, i] > high))
        for end, outside in ends:
            count = int(outside.sum())
            chance = statistics.beyond(size, count, len(x))
            worst = max(worst, count / size)
            if count >= least * size and chance < RATE / (2 * len(evidence.names)):
                found.setdefault(
                    name,
                    f"{100 * count / size:.2g} % of the samples of column {name!r} lie "
                    f"beyond {end:.6g}, where no row is: the column has a bound.",
                )
        kind = detect(x[:, i])[0]
        known = None if evidence.kinds is None else evidence.kinds[i]
        for word, end in (("low", kind.low), ("high", kind.high)):
            told = None if known is None else getattr(known, word)
            if np.isfinite(end) and (told is None or not np.isfinite(told)):
                sentence = f"Values of column {name!r} crowd at {end:g} and end there."
                found.setdefault(name, sentence)
    value = f"{100 * worst:.2g} % of the samples beyond the data"
    if not found:
        return fine("bounds", value, "Samples stay where the data are.", worst)
    return problem(
        "bounds",
        value,
        next(iter(found.values())),
        'Say so by columns={...: "positive"} or ("bounded", low, high), which no '
        "sample then leaves.",
        columns=tuple(found),
        number=worst,
    )
