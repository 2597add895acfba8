"""Short chains of Hamiltonian Monte Carlo from many states at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _graphs

__all__ = ["LEAPFROGS", "LocalChains", "Walked", "mean_acceptance"]

# Leapfrogs of a step; the first step size, and the acceptance sought.
LEAPFROGS, FIRST_STEP, ACCEPTANCE = 12, 0.3, 0.8


class Walked(NamedTuple):
    """Where chains were in the second half of their steps.

    Attributes:
        states: `[steps, chains, D]`.
        acceptance: Mean probability that a proposal is accepted.
    """

    states: tf.Tensor
    acceptance: float


class LocalChains:
    """Chains whose step size adapts in the first half of their steps.

    They are traced once, and run without XLA: so few steps are over before it has
    compiled one.

    Args:
        log_prob: Function of vectors `[N, D]` that returns the log of their density,
            `[N]`.
        steps: Steps of each chain.
    """

    def __init__(self, log_prob: Callable[[tf.Tensor], tf.Tensor], steps: int) -> None:
        self._log_prob, self.steps = log_prob, steps
        self._run = _graphs.for_each_shape(self._chains)

    @property
    def gradients(self) -> int:
        """Gradients that one chain takes."""
        return 1 + self.steps * LEAPFROGS

    def walk(self, first: tf.Tensor, seed: int) -> Walked:
        """Return where chains go from `[chains, D]`."""
        states, log_ratios = self._run(first, tf.constant([seed, 5], tf.int32))
        return Walked(states, mean_acceptance(np.asarray(log_ratios)))

    def _chains(self, first: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        settling, dtype = self.steps // 2, first.dtype
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            tfp.mcmc.HamiltonianMonteCarlo(
                self._log_prob, tf.constant(FIRST_STEP, dtype), LEAPFROGS
            ),
            num_adaptation_steps=settling,
            target_accept_prob=tf.constant(ACCEPTANCE, dtype),
        )
        return tfp.mcmc.sample_chain(
            self.steps - settling,
            first,
            kernel=kernel,
            num_burnin_steps=settling,
            trace_fn=lambda _, results: results.inner_results.log_accept_ratio,
            seed=seed,
        )


def mean_acceptance(log_ratios: np.ndarray) -> float:
    """Return the mean probability of acceptance of logarithms of ratios."""
    return float(np.mean(np.exp(np.minimum(log_ratios, 0.0))))
