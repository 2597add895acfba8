"""Whether the numbers hold: finite, alike in float64, scales, and gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfp_flows._counts import counted
from tfp_flows.diagnosis.evidence import Evidence
from tfp_flows.diagnosis.limits import LIMITS
from tfp_flows.diagnosis.measure import Measure, fine, labels, problem, unknown
from tfp_flows.preprocessing import checks
from tfp_flows.training import report

__all__ = ["measures"]

# Rows whose Jacobians are taken, and gradients; the largest event of the former.
JACOBIANS, GRADIENTS, LARGEST = 64, 256, 64
# Part of a deviation by which rows move for a difference quotient in float64.
STEP = 1e-5
FLOAT64 = (
    "Build the flow with dtype='float64', or subtract an offset and divide by a unit"
)


def measures(evidence: Evidence) -> Iterator[Measure]:
    """Yield what there is to say about numbers."""
    yield _finite(evidence)
    yield _gradients(evidence)
    yield from _precision(evidence)
    yield from _scales(evidence)


def _finite(evidence: Evidence) -> Measure:
    rows = evidence.rows
    bad = np.flatnonzero(~np.isfinite(rows.log_prob))
    value = f"{len(rows) - len(bad)} of {len(rows)} rows"
    if not len(bad):
        return fine("finite", value, "Each row has a finite log-density.", 1.0)
    first = rows.numbers[bad[0]]
    return problem(
        "finite",
        value,
        f"No finite log-density: {counted(len(bad), 'row')}, first row {first + 1}.",
        "Look whether they lie outside of a bound, then at the scales below.",
        rows=tuple(int(i) for i in rows.numbers[bad[:100]]),
        number=1.0 - len(bad) / len(rows),
    )


def _gradients(evidence: Evidence) -> Measure:
    flow, rows = evidence.flow, evidence.rows
    kept = report.spread(len(rows), GRADIENTS)
    kept = kept[np.isfinite(rows.log_prob[kept])]
    if not len(kept) or not flow.trainable_variables:
        return unknown("gradients", "There is nothing to differentiate.")
    x = rows.x[kept] if flow.event_shape else rows.x[kept, 0]
    given = None
    if rows.condition is not None:
        given = tf.constant(rows.condition[kept], flow.variable_dtype)
    with tf.GradientTape() as tape:
        density = flow.distribution(given)
        mean = tf.reduce_mean(density.log_prob(tf.constant(x, flow.variable_dtype)))
    found = tape.gradient(mean, [v.value for v in flow.trainable_variables])
    found = [tf.convert_to_tensor(part) for part in found if part is not None]
    # In units where the square of the largest number is one, too, as optimizers need.
    squares = [bool(np.isfinite(tf.reduce_sum(g * g).numpy())) for g in found]
    bad = len(squares) - sum(squares)
    value = f"{sum(squares)} of {len(squares)} variables"
    if not bad:
        return fine("gradients", value, "A training step from here is finite.", 1.0)
    return problem(
        "gradients",
        value,
        f"The gradients of {bad} variables, or their squares, are not finite: the next "
        "training step makes them NaN.",
        f"{FLOAT64}; clip nothing that is NaN already.",
        number=sum(squares) / len(squares),
    )


def _precision(evidence: Evidence) -> Iterator[Measure]:
    flow, exact, rows = evidence.flow, evidence.exact, evidence.rows
    name, limit = "precision", LIMITS["precision"].value
    lost: dict[str, str] = {}
    if flow.variable_dtype == "float64":
        yield fine(name, "float64", "The flow computes in float64 already.")
        return
    for _, part in evidence.every():
        for finding in checks.too_fine_for_float32(part.x, evidence.names):
            lost[labels(evidence.names)[finding.column]] = finding.sentence
    if exact is None:
        drift, value = None, "no copy in float64"
    else:
        shaped = rows.x if flow.event_shape else rows.x[:, 0]
        true = report.log_prob(exact, shaped, rows.condition)
        apart = np.abs(rows.log_prob - true)
        drift = float(np.quantile(apart, 0.99)) if np.isfinite(apart).all() else np.inf
        value = f"{drift:.2g} nats for 99 % of the rows"
    if lost:
        column, sentence = next(iter(lost.items()))
        yield problem(
            name,
            value,
            f"Column {column!r} {sentence}: float32 makes steps of it.",
            f"{FLOAT64}.",
            columns=tuple(lost),
            number=drift,
        )
    elif drift is None:
        yield unknown(name, "The flow cannot be built again in float64.")
    elif drift > limit:
        yield problem(
            name,
            value,
            f"Log-densities in float32 and float64 differ by more than {limit:g}.",
            f"{FLOAT64}.",
            number=drift,
        )
    else:
        yield fine(name, value, "float32 and float64 give the same densities.", drift)


def _scales(evidence: Evidence) -> Iterator[Measure]:
    names = ("scales", "condition number")
    found = None if evidence.exact is None else _singular_values(evidence)
    if found is None:
        reason = f"The flow has no map in float64, or more than {LARGEST} columns."
        yield from (unknown(name, reason) for name in names)
        return
    values, directions = found
    eps = float(np.finfo(evidence.flow.variable_dtype).eps)
    most = LIMITS["scales"].value / eps
    with np.errstate(all="ignore"):
        low, high = float(np.min(values)), float(np.max(values))
        ratio = float(np.max(values[:, 0] / values[:, -1]))
    text = f"{low:.2g} to {high:.2g} base deviations per deviation"
    along = {0: high >= most, -1: low <= 1.0 / most}
    if not np.isfinite(values).all():
        along[0] = True
    column = _column(evidence, values, directions, 0)
    columns = tuple(
        dict.fromkeys(
            _column(evidence, values, directions, end) for end in along if along[end]
        )
    )
    if not columns:
        yield fine(names[0], text, "Scales are far from what floats can hold.", high)
    else:
        yield problem(
            names[0],
            text,
            f"A scale along column {columns[0]!r} turns rounding errors into base "
            "deviations, and overflows sooner or later.",
            "Train with a lower learning rate or stronger weight decay, drop the "
            "column if others determine it, or take dtype='float64'.",
            columns=columns,
            number=high,
        )
    if ratio < most:
        yield fine(names[1], f"{ratio:.2g}", "The map can be inverted safely.", ratio)
        return
    yield problem(
        names[1],
        f"{ratio:.2g}",
        f"A rounding error in one direction moves rows in another, near column "
        f"{column!r}, by a hundredth of the base deviation or more.",
        "Look for columns that are nearly sums or copies of others, and drop them.",
        columns=(column,),
        number=ratio,
    )


def _column(
    evidence: Evidence, values: np.ndarray, directions: np.ndarray, end: int
) -> str:
    """Return the column along which the largest scale lies, or the smallest."""
    chosen = values[:, end]
    row = int(np.argmax(chosen) if end == 0 else np.argmin(chosen))
    return evidence.names[int(np.argmax(np.abs(directions[row, end])))]


def _singular_values(evidence: Evidence) -> tuple[np.ndarray, np.ndarray] | None:
    """Return singular values `[S, D]` of base variables by data, and directions.

    Columns count in units of their spread.
    """
    flow, rows = evidence.exact, evidence.rows
    size = rows.x.shape[1]
    if flow is None or rows.base is None or size > LARGEST:
        return None
    some = report.spread(len(rows), JACOBIANS)
    condition = None if rows.condition is None else rows.condition[some]
    unit = np.array([checks.spread(column) or 1.0 for column in rows.x.T])
    x = flow.spread(_shaped(evidence, rows.x[some]), 0).numpy().reshape(-1, size)
    moved = x[:, None, None] + np.array([-STEP, STEP])[:, None, None] * np.diag(unit)
    given = {}
    if condition is not None:
        repeated = np.repeat(condition, 2 * size, axis=0)
        given = {"condition": tf.constant(repeated, "float64")}
    shaped = _shaped(evidence, moved.reshape(-1, size))
    z = flow.bijector().inverse(tf.constant(shaped, "float64"), **given).numpy()
    z = z.reshape(len(some), 2, size, size)
    steps = moved[:, 1] - moved[:, 0]
    steps = np.einsum("sdd->sd", steps) / unit  # as rounded
    jacobian = (z[:, 1] - z[:, 0]) / steps[..., None]
    if not np.isfinite(jacobian).all():
        # The columns whose movement is not finite stand for directions.
        lost = (~np.isfinite(jacobian)).sum(axis=(0, 2)).astype(float)
        lost += np.abs(x).max(axis=0) / (1.0 + np.abs(x).max())
        return np.full([1, size], np.inf), np.tile(lost, [1, size, 1])
    left, values, _ = np.linalg.svd(jacobian)
    return values, np.swapaxes(left, 1, 2)


def _shaped(evidence: Evidence, x: np.ndarray) -> np.ndarray:
    return x if evidence.flow.event_shape else x[:, 0]
