"""Whether draws stay where chains move them, and whether moments rest on few."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_flows.diagnostics import structures
from tfp_flows.diagnostics.psis import LARGEST_SHAPE, psis
from tfp_flows.inference import proposals
from tfp_flows.inference.local import LocalChains
from tfp_flows.inference.whitened import Whitened

__all__ = ["Drift", "measure"]

# Number of chains.
CHAINS = 512
# What matters: a mean by so many deviations, a deviation by such a factor; and what is
# seen, in standard errors.
SHIFT, FACTOR, SEEN = 0.1, 1.1, 4.0
# The smallest ratio whose logarithm is taken.
SMALLEST = 1e-9
# Where fewer proposals are accepted, chains have not moved.
MOVES = 0.2


@dataclasses.dataclass(frozen=True)
class Drift:
    """How far chains move away from the weighted draws at which they start.

    All is in numbers without bounds.

    Attributes:
        names: Of the numbers, `[D]`.
        shifts: By how much the chains' means are above those of the draws, in standard
            deviations of these, `[D]`.
        ratios: Standard deviations of the chains over those of the draws, `[D]`.
        doubtful: Which numbers moved by more than chance, and by more than a tenth, in
            mean or deviation, `[D]`.
        tails: Pareto k-hat of weights times squared deviations from the mean: above 0.7
            a few draws far out decide what the deviation is, `[D]`.
        acceptance: Mean probability that a proposal is accepted.
        states: Where the chains were, vectors relative to the start, `[N, D]`.
        gradients: Gradients of the target that the chains took.
    """

    names: tuple[str, ...]
    shifts: np.ndarray
    ratios: np.ndarray
    doubtful: np.ndarray
    tails: np.ndarray
    acceptance: float
    states: np.ndarray
    gradients: int

    @property
    def moves(self) -> bool:
        """Whether the chains moved, without which they say nothing."""
        return self.acceptance >= MOVES

    @property
    def finding(self) -> str:
        """What the chains say of the draws.

        `"stuck"`: nothing, they did not move; `"leave"`: the target has mass where no
        draws are; `"few"`: a few draws decide a deviation; `"stay"`: nothing is wrong.
        """
        if not self.moves:
            return "stuck"
        if self.doubtful.any():
            return "leave"
        return "few" if (self.tails > LARGEST_SHAPE).any() else "stay"

    @property
    def reliable(self) -> bool:
        """Whether chains stay where the draws are, and these show the deviations."""
        return self.finding == "stay"

    @property
    def judgement(self) -> str:
        """A sentence that says whether chains stay where the draws are."""
        finding = self.finding
        if finding == "stuck":
            return (
                f"Only {self.acceptance:.0%} of the proposals of chains that start at "
                "the draws are accepted: they cannot say whether the draws "
                "reach all of the target."
            )
        if finding == "stay":
            return "Chains that start at the draws stay there."
        if finding == "few":
            worst = int(np.argmax(self.tails))
            return (
                f"The standard deviation of {self.names[worst]} rests on a few draws "
                f"far out: Pareto k-hat of its squared deviations is "
                f"{self.tails[worst]:.2f}, above {LARGEST_SHAPE:g}. Quantiles may be "
                "right; do not trust the deviation, weighted or not."
            )
        change = np.maximum(np.abs(self.shifts), np.abs(np.log(self.ratios)))
        worst = int(np.argmax(np.where(self.doubtful, change, -1.0)))
        return (
            "Chains that start at the draws leave them: the standard deviation of "
            f"{self.names[worst]} becomes {self.ratios[worst]:.2f} times what it was, "
            f"its mean moves by {self.shifts[worst]:+.2f} deviations. Do not trust the "
            "draws, weighted or not: the flow does not reach all of the target."
        )

    def __repr__(self) -> str:
        return f"Drift: {self.judgement}"


def measure(
    whitened: Whitened,
    vectors: np.ndarray,
    log_weights: np.ndarray,
    steps: int,
    seed: int,
) -> Drift:
    """Start chains at weighted draws, and compare where they go.

    Chains of Hamiltonian Monte Carlo leave the target as it is: were the weighted draws
    the target's, their moments would stay. Where the flow has no draws no weight can be
    large, but chains walk there. They do so relative to the start, not over the base of
    the flow, in which what it does not reach lies far away.

    Args:
        whitened: The target.
        vectors: Draws as vectors without bounds, `[N, D]`.
        log_weights: Logarithms of their weights, `[N]`.
        steps: Steps of each chain; in the first half the step size adapts.
        seed: Int that fixes which draws are taken, and the chains.
    """
    weights = psis(log_weights).weights
    kept = proposals.resampled(weights, CHAINS, np.random.default_rng(seed))
    chains = LocalChains(whitened.log_prob, steps)
    walked = chains.walk(whitened.whitened(tf.constant(vectors[kept])), seed)
    states = tf.reshape(walked.states, [-1, vectors.shape[-1]])
    draws = np.asarray(vectors, np.float64)
    moved = np.asarray(whitened.unwhitened(states), np.float64)
    return Drift(
        names=tuple(_names(whitened)),
        acceptance=walked.acceptance,
        states=np.asarray(states),
        gradients=CHAINS * chains.gradients,
        tails=_tails(draws - weights @ draws, log_weights),
        **_compared(draws, weights, moved.reshape((-1, CHAINS, draws.shape[-1]))),
    )


def _tails(centred: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """Return k-hat of weighted squares of numbers `[N, D]` less their means, `[D]`."""
    with np.errstate(divide="ignore"):  # a draw at the mean itself
        squares = 2.0 * np.log(np.abs(centred))
    return np.array([psis(log_weights + each).k_hat for each in squares.T])


def _compared(
    draws: np.ndarray, weights: np.ndarray, moved: np.ndarray
) -> dict[str, np.ndarray]:
    """Return changes of moments from draws `[N, D]` to chains `[steps, chains, D]`."""
    mean = weights @ draws
    deviation = np.sqrt(weights @ (draws - mean) ** 2)
    scaled, given = (moved - mean) / deviation, (draws - mean) / deviation
    shifts, squares = (_mean(v) for v in (scaled, scaled**2))
    share = np.sum(weights**2)
    shift_errors = np.sqrt(shifts[1] ** 2 + share)
    square_errors = np.sqrt(squares[1] ** 2 + share * (weights @ given**4))
    ratios = np.sqrt(np.maximum(squares[0] - shifts[0] ** 2, 0.0))
    moves = np.abs(shifts[0]) > np.maximum(SHIFT, SEEN * shift_errors)
    widens = np.abs(np.log(np.maximum(ratios, SMALLEST))) > np.log(FACTOR)
    widens &= np.abs(squares[0] - 1.0) > SEEN * square_errors
    return {"shifts": shifts[0], "ratios": ratios, "doubtful": moves | widens}


def _mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means over steps and chains `[steps, chains, D]`, and standard errors."""
    each = values.mean(axis=0)
    return each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))


def _names(whitened: Whitened) -> list[str]:
    """Return names of the numbers without bounds, `x0` and so on."""
    names, shapes = zip(*whitened.target.parts, strict=True)
    return structures.column_names(list(names), list(shapes))
