"""What a greedy fit looks for: rotations, conditional layers, and first layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tfp_flows.math.gaussianization import (
    components,
    conditional_affine,
    pursuit,
    sliced,
)
from tfp_flows.math.linear import rotations
from tfp_flows.training.greedy import estimates
from tfp_flows.training.greedy import rows as training_rows

__all__ = ["best_start", "conditional_affine_step", "turn"]

# Directions that the sliced search looks for at once.
MAX_SLICES = 16
# Bandwidths at which independent components are sharpened, in turn.
SHARPENING = (0.3, 0.15, 0.08)
# A start must beat a simpler one by so many nats over all rows that decide, and by
# so many standard errors of that.
RACE_GAIN, RACE_ERRORS = 2.0, 2.0
# Features of a basis that are tried, the most promising ones, and conditional affine
# layers of a start.
TRIED_FEATURES, RACED_CONDITIONALS = 2, 3
# Numbers of components of a mixture, in turn while rows held out gain.
COMPONENTS = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32)
# Most rows that their number is chosen by, and rows times components times squared
# features of a step. A mixture is given up when it is behind the best start by more
# than so many times what the last components have gained.
MIXTURE_ROWS, MIXTURE_WORK, HOPE = 10_000, 1e9, 5.0
Begin = Callable[[training_rows.Rows, float], None]


def turn(rotation: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rotation of one layer.

    Args:
        rotation: `"random"`, `"pca"`, `"ica"` or `"sliced"`.
        x: Rows, `[N, D]`.
        rng: Source of randomness.
    """
    size = x.shape[1]
    if size == 1:
        return np.eye(1)
    if rotation == "random":
        return rotations.haar(size, rng)
    if rotation == "pca":
        return rotations.pca(np.cov(x.T))
    if rotation == "ica":
        return rotations.ica(x, rng)
    found = sliced.directions(x, min(size, MAX_SLICES), rng)
    return sliced.complete(found, rng)


def conditional_affine_step(
    rows: training_rows.Rows, bases: list[np.ndarray]
) -> tuple[estimates.Step | None, float]:
    """Return the best conditional affine layer among the directions of some bases.

    Args:
        rows: The rows.
        bases: Orthogonal matrices, `[D, D]`; each direction is a candidate.

    Returns:
        The step, or `None` if nothing gains, and its gain on folds held out.
    """
    best, best_gain = None, 0.0
    x, folds = rows.sample, rows.sample_folds
    for basis in bases:
        u = x @ basis.T.astype(x.dtype)
        promise = conditional_affine.screen(u)
        for place in np.argsort(-promise)[:TRIED_FEATURES]:
            order = np.concatenate([[place], np.delete(np.arange(len(basis)), place)])
            gain = conditional_affine.choose(
                estimates.conditional_affine_sums(u[:, order], folds)
            )[2]
            if gain > best_gain:
                best, best_gain = basis[order], gain
    if best is None:
        return None, 0.0
    return rows.turning(
        "conditional-affine", best, label="conditional-affine"
    ), best_gain


def _mixture_rows(x: np.ndarray, count: int) -> np.ndarray:
    most = int(MIXTURE_WORK / (count * x.shape[1] ** 2))
    return x[: min(MIXTURE_ROWS, max(1000, most))].astype(np.float64)


def _mixture(rows: training_rows.Rows, bar: float, rng: np.random.Generator) -> None:
    """Take the mixture whose number of components wins on the rows that decide."""
    best, best_loss, worse = None, np.inf, 0
    deciding = rows.parts[-1].astype(np.float64)
    before = float(np.mean(rows.log_dets[-1]))
    for count in COMPONENTS:
        x = _mixture_rows(rows.sample, count)
        # Each component should have a few rows for each of its numbers.
        if len(x) < 4 * count * rows.size:
            break
        found = components.fit(x, count, rng, max_steps=40, tolerance=1e-3)
        loss = -components.sums(deciding, found)[-1] / len(deciding) - before
        if loss < best_loss - RACE_GAIN / len(deciding):
            hopeless = loss - bar > HOPE * (best_loss - loss)
            best, best_loss, worse = found, loss, 0
            if hopeless:
                break
        else:
            worse += 1
            if worse >= 2:
                break
    if best is not None:
        rows.take(estimates.Step("mixture", mixture=best, label="mixture"))


def _starts(
    rotation: str, marginals: str, rng: np.random.Generator
) -> dict[str, tuple[Begin, ...]]:
    """Return ways to begin: each sees heavy tails, covariance, or structure first.

    Each consists of stages, which several may have in common. With tables `"auto"` has
    the simple ones only: others win the first steps, and cost more in all that follow.
    """
    found: list[np.ndarray] = []

    def white(rows: training_rows.Rows, _: float) -> None:
        rows.take(estimates.Step("white", label="white"))

    def marginal(rows: training_rows.Rows, _: float) -> None:
        rows.take(estimates.Step("quantile", label="marginal"))
        rows.take(estimates.Step("ratio", label="marginal"))

    def independent(rows: training_rows.Rows, _: float, *, sharp: bool = False) -> None:
        x = rows.sample.astype(np.float64)
        if not found:
            found.append(rotations.ica(x, rng))
        turned = found[0]
        for bandwidth in SHARPENING if sharp else ():
            turned = pursuit.climb(x, turned, bandwidth=bandwidth, max_steps=20)
        label = "sharp" if sharp else "components"
        rows.take(rows.turning("quantile", turned, label=label))
        rows.take(estimates.Step("ratio", label=label))

    def radius(rows: training_rows.Rows, _: float) -> None:
        rows.take(estimates.Step("radius", label="radius"))

    def conditional(rows: training_rows.Rows, _: float) -> None:
        for _ in range(RACED_CONDITIONALS):
            step, _ = conditional_affine_step(rows, [np.eye(rows.size)])
            if step is None:
                break
            rows.take(step)
        rows.take(estimates.Step("ratio", label="conditional-affine"))

    def mixture(rows: training_rows.Rows, bar: float) -> None:
        _mixture(rows, bar, rng)
        rows.take(estimates.Step("ratio", label="mixture"))

    starts: dict[str, tuple[Begin, ...]] = {"white": (white,), "marginal": (marginal,)}
    every = rotation == "auto" and marginals == "spline"
    if every or rotation == "ica":
        starts["components"] = (white, independent)
    if every:
        starts["sharp"] = (white, functools.partial(independent, sharp=True))
        starts |= {"radius": (white, radius), "conditional-affine": (conditional,)}
        starts |= {"mixture": (mixture,), "copula": (marginal, mixture)}
    return starts


def best_start(
    rows: training_rows.Rows, options: dict[str, Any], rng: np.random.Generator
) -> tuple[training_rows.Rows, str]:
    """Return rows behind the best of several starts, and its name.

    The starts race on a sample; the steps of the winner are then taken by all rows.

    Args:
        rows: The rows, which change.
        options: Of the flow: `rotation` and `marginals`.
        rng: Source of randomness.
    """
    starts = _starts(options["rotation"], options["marginals"], rng)
    if rows.size == 1:
        starts = {"marginal": starts["marginal"]}
    sample = rows.subset()
    best, name = sample, "none"
    # Rows behind stages that another start goes on from.
    shared = {stages[:-1] for stages in starts.values()}
    made: dict[tuple[Begin, ...], training_rows.Rows] = {(): sample}
    for key, stages in starts.items():
        trial, bar = sample, best.losses()[-1] if name != "none" else np.inf
        for end, stage in enumerate(stages, 1):
            path = stages[:end]
            if path in made:
                trial = made[path]
                continue
            trial = trial.copy()
            stage(trial, bar)
            if path in shared:
                made[path] = trial
        gains = best.row_losses()[-1] - trial.row_losses()[-1]
        error = float(gains.std()) * np.sqrt(len(gains))
        least = max(RACE_GAIN, RACE_ERRORS * error)
        if name == "none" or gains.sum() > least:
            best, name = trial, key
    if type(rows) is training_rows.Rows and len(best.parts[0]) == len(rows.parts[0]):
        return best, name
    for step in best.steps:
        rows.take(step)
    return rows, name
