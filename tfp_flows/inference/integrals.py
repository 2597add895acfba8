"""Integrals over a box by a flow that learns where the integrand is large."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfp_flows import _checks, _context, _results, flows
from tfp_flows.diagnostics.psis import LARGEST_SHAPE, psis
from tfp_flows.inference import cube

__all__ = ["Integral", "integrate"]

# Share of the evaluations that goes into rounds by which the flow is adapted, of which
# each has this share; and the number of rounds after them.
ADAPTING, ROUND = 0.5, 1 / 25
FINAL_ROUNDS = 4
# Power of the integrand in a round: this share of its points is effective.
EFFECTIVE = 0.3
# Share of uniform points in each round, so that no weight is unbounded.
UNIFORM = 0.01
# A round that counts has so many times the most steps of training of the others.
LONGER = 2
# Passes over the effective points of all rounds, after which training ends: a flow that
# has learned few points by heart is a worse proposal than before. And its fewest steps.
PASSES, FEWEST_STEPS = 5.0, 30
FEWEST = 1_000


class _Round(NamedTuple):
    """Points of one round in the unit cube, with their densities and values."""

    points: np.ndarray
    log_q: np.ndarray
    values: np.ndarray

    def log_weights(self, power: float) -> np.ndarray:
        """Return log-weights for a power of the integrand."""
        with np.errstate(divide="ignore"):
            return power * np.log(np.abs(self.values)) - self.log_q


@dataclasses.dataclass(frozen=True)
class Integral(_results.Number):
    """An integral with its standard error; `float()` gives the value.

    Attributes:
        value: The estimate: the mean over rounds, weighted by their variances.
        stderr: Its standard error.
        chi_square: Of the rounds about their mean, for each degree of freedom: far
            above 1, the standard error is not to be trusted.
        evaluations: How often the integrand was evaluated in all.
        relative_deviation: Standard deviation of one evaluation in the last round,
            relative to the integral.
        k_hat: Pareto shape of the tail of the evaluations that count, in absolute
            values; above 0.7 a few of them decide, and neither the value nor its
            standard error is to be trusted.
        rounds: Value and standard error of each round that counts.
        flow: The flow, over the cube `[-1, 1]`.
    """

    value: float
    stderr: float
    chi_square: float
    evaluations: int
    relative_deviation: float
    k_hat: float
    rounds: tuple[tuple[float, float], ...]
    flow: flows.Flow

    @property
    def judgement(self) -> str:
        """A sentence that says whether to trust the standard error."""
        if not self.chi_square < 4.0:
            return (
                "The rounds disagree: do not trust the standard error, take more "
                "evaluations."
            )
        if self.k_hat > LARGEST_SHAPE:
            return (
                f"A few evaluations decide (Pareto k-hat {self.k_hat:.2f} is above "
                f"{LARGEST_SHAPE}): do not trust the value, parts may be missing. Take "
                "more evaluations, or a smaller box."
            )
        return "The rounds agree within their standard errors."

    def __repr__(self) -> str:
        return (
            f"integral {self.value:.6g} +- {self.stderr:.2g}, chi-square "
            f"{self.chi_square:.2f}, {self.evaluations} evaluations. {self.judgement}"
        )


def integrate(
    function: Callable[[Any], Any],
    dims: int,
    *,
    box: Sequence[Any] = (0.0, 1.0),
    evaluations: int = 100_000,
    num_layers: int = 4,
    hidden_units: Sequence[int] = (64, 64),
    steps: int = 300,
    seed: int | None = None,
) -> Integral:
    """Integrate a function over a box, by importance sampling with a flow.

    Splines couple the coordinates of the unit cube. Half of the evaluations adapt them:
    the integrand enters by a power that rises to 1 from round to round, so that modes
    that are far apart are found while they still overlap, and all points so far train
    the flow. The other half counts, in rounds between which training goes on.

    Args:
        function: Of points `[N, dims]`, a NumPy array in float64, that returns `[N]`.
        dims: Number of coordinates.
        box: Lower and upper ends, numbers or `[dims]` each.
        evaluations: How often the function may be evaluated in all.
        num_layers: Layers of the flow.
        hidden_units: Widths of its networks.
        steps: Most updates of the flow in each round of adapting, and twice as many
            before each round that counts; fewer where few points are effective.
        seed: Int that fixes points and training.

    Returns:
        Value, standard error, and chi-square of the rounds.

    Raises:
        ValueError: If the function is not finite somewhere, or 0 at all points.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import inference
        >>> found = inference.integrate(
        ...     lambda x: np.exp(-50.0 * np.sum((x - 0.5) ** 2, axis=-1)), 2,
        ...     evaluations=4_000, num_layers=1, hidden_units=(16, 16), steps=20,
        ...     seed=0)
        >>> abs(found.value - 2 * np.pi / 100) < 4 * found.stderr < 0.02
        True

    References:
        Mueller, McWilliams, Rousselle, Gross, Novak (2019). Neural Importance Sampling.
        https://arxiv.org/abs/1808.03856
        Lepage (1978). A New Algorithm for Adaptive Multidimensional Integration.
        https://doi.org/10.1016/0021-9991(78)90004-9, for rounds and chi-square
    """
    _context.require_eager("integrate")
    _checks.function(function, "function")
    _checks.count(dims, 1, "dims")
    _checks.count(evaluations, FEWEST, "evaluations")
    _checks.count(steps, 1, "steps")
    low, width = _box(box, dims)
    volume = float(np.prod(width))

    def values(points: np.ndarray) -> np.ndarray:
        return volume * _values(function, low + width * points)

    rng = _context.generator(seed)
    proposal = cube.CubeFlow(dims, num_layers, tuple(hidden_units), rng)
    size = max(int(ROUND * evaluations), FEWEST // 4)
    done = [_draw(proposal, values, size, rng, uniform=1.0)]
    power = 0.0
    while sum(len(r.values) for r in done) + size <= ADAPTING * evaluations:
        power = _next_power(done[-1], power)
        _train(proposal, done, power, steps)
        done.append(_draw(proposal, values, size, rng))
    left = evaluations - sum(len(r.values) for r in done)
    final = []
    for part in np.array_split(np.arange(left), FINAL_ROUNDS):
        _train(proposal, done, 1.0, LONGER * steps)
        final.append(_draw(proposal, values, len(part), rng))
        done.append(final[-1])
    return _combined(final, evaluations, proposal.flow)


def _box(box: Sequence[Any], dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower ends and the widths of a box, `[dims]` each."""
    if len(box) != 2:
        msg = f"`box` must be the lower and the upper ends, got {len(box)} parts."
        raise ValueError(msg)
    low, high = (np.broadcast_to(np.asarray(e, np.float64), (dims,)) for e in box)
    if not (np.all(np.isfinite(high - low)) and np.all(high > low)):
        msg = (
            f"`box` must have finite lower ends below its upper ones, got {low} and "
            f"{high}. Map unbounded coordinates to (0, 1), and multiply the function "
            "by the derivative."
        )
        raise ValueError(msg)
    return low, high - low


def _values(function: Callable[[Any], Any], points: np.ndarray) -> np.ndarray:
    """Return the function at points, checked."""
    found = np.asarray(function(points), np.float64)
    if found.shape != (len(points),):
        msg = (
            f"`function` must return one number for each of {len(points)} points, got "
            f"shape {list(found.shape)}. Sum over the coordinates."
        )
        raise ValueError(msg)
    wrong = ~np.isfinite(found)
    if wrong.any():
        first = int(np.argmax(wrong))
        msg = (
            f"`function` must be finite inside of the box, got {found[first]} at "
            f"{points[first].tolist()}. Transform coordinates to remove a singularity."
        )
        raise ValueError(msg)
    return found


def _draw(
    proposal: cube.CubeFlow,
    values: Callable[[np.ndarray], np.ndarray],
    count: int,
    rng: np.random.Generator,
    uniform: float = UNIFORM,
) -> _Round:
    """Return points of the flow, and a fixed share of uniform ones among them."""
    spread = math.ceil(uniform * count)
    points = rng.uniform(size=(spread, proposal.dims))
    if spread < count:
        points = np.concatenate([points, proposal.sample(count - spread)])
    if uniform == 1.0:
        return _Round(points, np.zeros(count), values(points))
    log_q = np.logaddexp(
        math.log1p(-spread / count) + proposal.log_prob(points),
        math.log(spread / count),
    )
    return _Round(points, log_q, values(points))


def _next_power(last: _Round, power: float) -> float:
    """Return the highest power of which enough points are effective."""
    if not np.any(last.values):
        msg = (
            f"`function` must not be 0 everywhere, got 0 at all {len(last.values)} "
            "points of a round. Take a smaller box, or more evaluations."
        )
        raise ValueError(msg)

    def effective(at: float) -> float:
        log_weights = last.log_weights(at)
        weights = np.exp(log_weights - log_weights.max())
        return float(weights.sum() ** 2 / np.sum(weights**2)) / len(weights)

    if effective(1.0) >= EFFECTIVE:
        return 1.0
    low, high = power, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        if effective(middle) >= EFFECTIVE:
            low = middle
        else:
            high = middle
    # A flow that does not follow must not stop the rise.
    return max(low, min(power + 0.02, 1.0))


def _train(
    proposal: cube.CubeFlow, done: Sequence[_Round], power: float, steps: int
) -> None:
    """Train on all points so far, rounds weighing as their effective sizes do."""
    parts = []
    for each in done:
        log_weights = each.log_weights(power)
        top = log_weights.max()
        if top == -math.inf:
            parts.append(np.zeros(len(log_weights)))
            continue
        w = np.exp(log_weights - top)
        parts.append(w * w.sum() / np.sum(w**2))  # adds up to the effective size
    weights = np.concatenate(parts)
    enough = math.ceil(PASSES * float(weights.sum()) / cube.BATCH_SIZE)
    points = np.concatenate([each.points for each in done])
    proposal.train(points, weights, min(steps, max(FEWEST_STEPS, enough)))


def _combined(final: Sequence[_Round], evaluations: int, flow: flows.Flow) -> Integral:
    """Return the mean of rounds, weighted by their variances."""
    found = []
    for each in final:
        ratios = each.values * np.exp(-each.log_q)
        error = float(ratios.std(ddof=1)) / math.sqrt(len(ratios))
        found.append((float(ratios.mean()), error))
    means, errors = np.array(found).T
    if np.any(errors == 0.0):  # constant: every round is exact
        value, stderr, chi_square = float(means.mean()), 0.0, 0.0
    else:
        weights = errors**-2
        value = float(np.sum(weights * means) / np.sum(weights))
        stderr = float(np.sum(weights) ** -0.5)
        chi_square = float(np.sum(weights * (means - value) ** 2)) / (len(final) - 1)
    with np.errstate(divide="ignore"):  # a zero has no part in the tail
        tail = np.concatenate([np.log(np.abs(e.values)) - e.log_q for e in final])
    deviation = errors[-1] * math.sqrt(len(final[-1].values))
    return Integral(
        value,
        stderr,
        chi_square,
        evaluations,
        float(deviation / abs(value)) if value else math.inf,
        psis(tail).k_hat if np.isfinite(tail).any() else math.inf,
        tuple(found),
        flow,
    )
