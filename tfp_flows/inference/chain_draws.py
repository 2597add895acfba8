"""Draws of chains, and whether the chains have met."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.inference import posterior, targets

__all__ = ["Chains", "Sampled", "of_vectors"]

# Where r-hat is above this, chains have not met.
LARGEST_R_HAT = 1.01
# Where fewer jumps are accepted, modes are too seldom left to have right shares.
FEWEST_JUMPS = 0.05


@dataclasses.dataclass(frozen=True)
class Chains:
    """Draws of several chains, and whether they have met.

    Attributes:
        draws: Events, `[chains, N, *event_shape]`, or a structure of such; this is what
            `evidence` and `to_arviz` take.
        r_hat: Potential scale reduction of each vector without bounds, `[D]`, by halves
            of chains.
        ess: Effective sample size of all chains together, `[D]`.
        gradients: Number of gradients of the target that were computed for the draws,
            what was computed before left out. A density alone counts as one.
        warm_up_gradients: Number of those before: by the updates of the flow, and by
            the chains as long as they are warming up. What a start takes is left out.
        acceptance: Mean probability that a proposal of the local kernel is accepted.
        jump_acceptance: Share of the flow's proposals that is accepted, `None` where
            there are no jumps.
        report: How the flow was fitted, `None` without one.
    """

    draws: Any
    r_hat: np.ndarray
    ess: np.ndarray
    gradients: int
    acceptance: float
    report: posterior.PosteriorReport | None = None
    warm_up_gradients: int = 0
    jump_acceptance: float | None = None

    @property
    def reliable(self) -> bool:
        """Whether r-hat is below 1.01 everywhere, and jumps, if any, are accepted."""
        met = bool(np.all(self.r_hat < LARGEST_R_HAT))
        return met and not self._rarely_jumps

    @property
    def _rarely_jumps(self) -> bool:
        return self.jump_acceptance is not None and self.jump_acceptance < FEWEST_JUMPS

    @property
    def judgement(self) -> str:
        """A sentence or two that say whether to trust the draws."""
        worst, size = float(np.max(self.r_hat)), float(np.min(self.ess))
        jumps = self.jump_acceptance
        if not worst < LARGEST_R_HAT:
            return (
                f"R-hat is up to {worst:.3f}: do not trust the draws, the chains have "
                "not met. Take more draws and a longer burn-in, or another method: "
                "'neutra' for bent targets, 'flow-mcmc' for separate modes."
            )
        if jumps is not None and self._rarely_jumps:
            return (
                f"Only {jumps:.1%} of the jumps are accepted: do not trust how much "
                "of the draws lies in each mode. Take more `num_states`, or a larger "
                "flow."
            )
        found = (
            f"R-hat is at most {worst:.3f}, with {size:.0f} effective draws or more: "
            "the chains have met."
        )
        if jumps is None:
            return (
                f"{found} All start near one place: R-hat cannot show a mode that none "
                "of them has found."
            )
        return (
            f"{found} {jumps:.0%} of the jumps are accepted: modes that the flow knows "
            "have their shares. A mode that warming up missed stays unseen."
        )

    def __repr__(self) -> str:
        return f"Chains: {self.judgement}"


@dataclasses.dataclass(frozen=True)
class Sampled:
    """What a method has sampled: vectors without bounds, `[N, chains, D]`, and more.

    The other attributes are those of `Chains`.
    """

    vectors: tf.Tensor
    gradients: int
    warm_up_gradients: int
    acceptance: float
    jump_acceptance: float | None = None
    report: posterior.PosteriorReport | None = None


def of_vectors(target: targets.Target, found: Sampled) -> Chains:
    """Return draws in the structure of the target, with R-hat and effective sizes."""
    count, num_chains, size = found.vectors.shape
    events = target.bijector.forward(tf.reshape(found.vectors, [-1, size]))
    series = np.asarray(found.vectors, np.float64)

    def of_part(values: tf.Tensor) -> np.ndarray:
        part = np.asarray(values)
        return np.swapaxes(part.reshape((count, num_chains, *part.shape[1:])), 0, 1)

    return Chains(
        draws=tf.nest.map_structure(of_part, events),
        r_hat=np.asarray(tfp.mcmc.potential_scale_reduction(series, split_chains=True)),
        ess=np.asarray(
            tfp.mcmc.effective_sample_size(
                series, filter_beyond_positive_pairs=True, cross_chain_dims=1
            )
        ),
        gradients=found.gradients,
        acceptance=found.acceptance,
        report=found.report,
        warm_up_gradients=found.warm_up_gradients,
        jump_acceptance=found.jump_acceptance,
    )
