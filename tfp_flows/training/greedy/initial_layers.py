"""The initial layers of a greedy fit: several candidates race on a sample of rows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tfp_flows.math.gaussianization import components, pursuit
from tfp_flows.math.linear import rotations
from tfp_flows.training.greedy import directions, estimates
from tfp_flows.training.greedy.rows import Rows

__all__ = ["race"]

# Bandwidths at which independent components are sharpened, one after the other.
SHARPENING = (0.3, 0.15, 0.08)
# A candidate must beat a simpler one by so many nats over all validation rows, and by
# so many standard errors of that.
RACE_GAIN, RACE_ERRORS = 2.0, 2.0
# Most conditional affine layers that a candidate begins with.
CONDITIONAL_LAYERS = 3
# Numbers of components of a mixture, tried while the validation rows gain.
COMPONENTS = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32)
# Most rows that their number is chosen by, and rows times components times squared
# features of a step.
MIXTURE_ROWS, MIXTURE_WORK = 10_000, 1e9
# A mixture gives up when it is behind the best candidate by more than so many times
# what the last components have gained.
GIVE_UP_FACTOR = 5.0
Stage = Callable[[Rows, float], None]


def _mixture_rows(x: np.ndarray, count: int) -> np.ndarray:
    most = int(MIXTURE_WORK / (count * x.shape[1] ** 2))
    return x[: min(MIXTURE_ROWS, max(1000, most))].astype(np.float64)


def _mixture(rows: Rows, bar: float, rng: np.random.Generator) -> None:
    """Apply the mixture whose number of components wins on the validation rows."""
    best, best_loss, worse = None, np.inf, 0
    validation = rows.parts[-1].astype(np.float64)
    before = float(np.mean(rows.log_dets[-1]))
    for count in COMPONENTS:
        x = _mixture_rows(rows.sample, count)
        # Each component should have a few rows for each of its numbers.
        if len(x) < 4 * count * rows.size:
            break
        found = components.fit(x, count, rng, max_steps=40, tolerance=1e-3)
        loss = -components.sums(validation, found)[-1] / len(validation) - before
        if loss < best_loss - RACE_GAIN / len(validation):
            gives_up = loss - bar > GIVE_UP_FACTOR * (best_loss - loss)
            best, best_loss, worse = found, loss, 0
            if gives_up:
                break
        else:
            worse += 1
            if worse >= 2:
                break
    if best is not None:
        rows.apply_layer(estimates.Step("mixture", mixture=best, label="mixture"))


def _candidates(
    rotation: str, marginals: str, rng: np.random.Generator
) -> dict[str, tuple[Stage, ...]]:
    """Return ways to begin: each sees heavy tails, covariance, or structure first.

    Each consists of stages, which several may have in common. With tables `"auto"` has
    the simple ones only: others win the first steps, and cost more in all that follow.
    """
    found: list[np.ndarray] = []

    def white(rows: Rows, _: float) -> None:
        rows.apply_layer(estimates.Step("white", label="white"))

    def marginal(rows: Rows, _: float) -> None:
        rows.apply_layer(estimates.Step("quantile", label="marginal"))
        rows.apply_layer(estimates.Step("ratio", label="marginal"))

    def independent(rows: Rows, _: float, *, sharp: bool = False) -> None:
        x = rows.sample.astype(np.float64)
        if not found:
            found.append(rotations.ica(x, rng))
        matrix = found[0]
        for bandwidth in SHARPENING if sharp else ():
            matrix = pursuit.climb(x, matrix, bandwidth=bandwidth, max_steps=20)
        label = "sharp" if sharp else "components"
        rows.apply_layer(rows.rotation_step("quantile", matrix, label=label))
        rows.apply_layer(estimates.Step("ratio", label=label))

    def radius(rows: Rows, _: float) -> None:
        rows.apply_layer(estimates.Step("radius", label="radius"))

    def conditional(rows: Rows, _: float) -> None:
        for _ in range(CONDITIONAL_LAYERS):
            step, _ = directions.conditional_affine_step(rows, [np.eye(rows.size)])
            if step is None:
                break
            rows.apply_layer(step)
        rows.apply_layer(estimates.Step("ratio", label="conditional-affine"))

    def mixture(rows: Rows, bar: float) -> None:
        _mixture(rows, bar, rng)
        rows.apply_layer(estimates.Step("ratio", label="mixture"))

    out: dict[str, tuple[Stage, ...]] = {"white": (white,), "marginal": (marginal,)}
    every = rotation == "auto" and marginals == "spline"
    if every or rotation == "ica":
        out["components"] = (white, independent)
    if every:
        out["sharp"] = (white, functools.partial(independent, sharp=True))
    if marginals == "spline" and rotation != "sliced":
        # No rotation finds what depends on the radius alone but in very many layers.
        out["radius"] = (white, radius)
    if every:
        out["conditional-affine"] = (conditional,)
        out |= {"mixture": (mixture,), "copula": (marginal, mixture)}
    return out


def race(
    rows: Rows, options: dict[str, Any], rng: np.random.Generator
) -> tuple[Rows, str]:
    """Return rows behind the best of several initial layers, and its name.

    The candidates race on a sample; the layers of the winner are then made by all rows.

    Args:
        rows: The rows, which change.
        options: Of the flow: `rotation` and `marginals`.
        rng: Source of randomness.
    """
    candidates = _candidates(options["rotation"], options["marginals"], rng)
    if rows.size == 1:
        candidates = {"marginal": candidates["marginal"]}
    sample = rows.subset()
    best, name = sample, "none"
    # Rows behind stages that another candidate goes on from.
    shared = {stages[:-1] for stages in candidates.values()}
    made: dict[tuple[Stage, ...], Rows] = {(): sample}
    for key, stages in candidates.items():
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
    if type(rows) is Rows and len(best.parts[0]) == len(rows.parts[0]):
        return best, name
    for step in best.steps:
        rows.apply_layer(step)
    return rows, name
