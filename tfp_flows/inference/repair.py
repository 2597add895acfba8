"""Trains a flow on where chains go, if its own draws did not lead it everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import flows, training
from tfp_flows.inference import proposals
from tfp_flows.inference.importance import ImportanceSample
from tfp_flows.inference.local import LocalChains
from tfp_flows.inference.tempering import next_power
from tfp_flows.inference.whitened import Whitened

__all__ = ["Repair"]

# Chains, and steps of each, half of which settle: relative to the start, and then over
# the base of the flow.
CHAINS, STEPS = 512, 20
# Updates of a round, events of each, and the share of the divergence in the loss: with
# more of it tails are lost again.
UPDATES, BATCH_SIZE, ENERGY_WEIGHT = 800, 256, 0.2
# The highest learning rate as a share of that of the fit.
RATE_SHARE = 1.0 / 3.0
# Fewer states tell nothing of a density.
FEWEST = 50


class Repair:
    """Rounds of chains and of training on where these were.

    A flow that is trained by its own draws alone does not learn of what they do not
    reach. Chains do: they start at draws, of the weights to that power which leaves
    half of them effective, and walk relative to the start of the fit, along which the
    flow stands in no way; then over the numbers of the flow's base, in which they cross
    what the flow knows in few steps. The flow is trained on where they were by
    likelihood, and by its divergence from the target at once.

    Args:
        whitened: The target.
        flow: The flow over vectors relative to the start, which is trained.
        learning_rate: That of the fit.
        seed: Int that fixes chains and updates.
        verbose: Of the training.

    Attributes:
        gradients: Gradients of the target that chains and updates took.
    """

    def __init__(
        self,
        whitened: Whitened,
        flow: flows.Flow,
        *,
        learning_rate: float,
        seed: int,
        verbose: int | str,
    ) -> None:
        self._whitened, self._flow = whitened, flow
        self._rate, self._verbose = RATE_SHARE * learning_rate, verbose
        self._rng = np.random.default_rng(seed)
        self._near = LocalChains(whitened.log_prob, STEPS)
        self._base = LocalChains(
            lambda z: whitened.over(flow.distribution().bijector)(z), STEPS
        )
        self._supports_jit = whitened.compiles
        self.gradients = 0

    def round(self, sample: ImportanceSample) -> Any:
        """Train the flow on states of chains that start at its weighted draws.

        Args:
            sample: The draws, by the flow as it is now.

        Returns:
            Keras' history; `None` if chains led to no finite numbers.
        """
        states = self.states(sample)
        if len(states) < FEWEST:
            return None
        loss = training.LikelihoodAndEnergy(
            self._whitened.log_prob, BATCH_SIZE // 2, energy_weight=ENERGY_WEIGHT
        )
        loss.supports_jit = self._supports_jit
        _, history = training.fit(
            self._flow,
            states,
            objective=loss,
            validation=None,
            steps=UPDATES,
            batch_size=BATCH_SIZE,
            learning_rate=self._rate,
            weight_decay=0.0,
            adapt=False,
            outliers="keep",
            seed=self._seed(),
            verbose=self._verbose,
        )
        self.gradients += UPDATES * loss.num_samples
        return history

    def states(self, sample: ImportanceSample) -> np.ndarray:
        """Return where chains were, finite vectors relative to the start, `[N, D]`."""
        vectors, log_weights = sample.first_block()
        _, weights = next_power(log_weights, 0.0)
        rows = proposals.resampled(weights, CHAINS, self._rng)
        first = self._whitened.whitened(tf.constant(vectors[rows]))
        near = self._near.walk(first, self._seed()).states
        bijector = self._flow.distribution().bijector
        # `tf.identity`: the inverse of what is remembered would have no gradient.
        first = tf.identity(bijector.inverse(near[-1]))
        base = self._base.walk(first, self._seed()).states
        size = self._whitened.target.size
        moved = bijector.forward(tf.reshape(base, [-1, size]))
        self.gradients += 2 * CHAINS * self._near.gradients
        found = np.concatenate([np.reshape(near, [-1, size]), np.asarray(moved)])
        return found[np.all(np.isfinite(found), axis=-1)]

    def _seed(self) -> int:
        return int(self._rng.integers(2**31))
