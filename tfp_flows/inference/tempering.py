"""Warms a flow up for jumps: states that are led from a wide density to the target."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks, _graphs, flows
from tfp_flows.inference import proposals
from tfp_flows.inference.flow_proposal import FlowProposal
from tfp_flows.inference.over_base import OverBase
from tfp_flows.inference.whitened import Whitened

__all__ = ["LOCAL", "Tempering", "WarmUp", "next_power"]

# Where local steps are taken: over the flow's base, or where the target is.
LOCAL = ("base", "target")

# Share of effective states that a change of the temperature leaves.
KEPT = 0.5
# Steps of the chains, and epochs of the flow, at each temperature.
STEPS, EPOCHS = 3, 12
# At the end: epochs of each refit, and so many runs of as many steps before it.
LAST_EPOCHS, LAST_RUNS = (10, 20), 4
# More temperatures than this say that the target cannot be reached.
MOST = 100
# Fewer states cannot tell a flow what to be.
FEWEST = 100
# Local steps: leapfrogs, first size, acceptance to reach, and how fast.
LEAPFROGS, FIRST_STEP, ACCEPTANCE, RATE = 4, 0.3, 0.8, 1.0
# Halvings of the interval in which the next power is sought.
HALVINGS = 50
# A direction in which states hardly differ.
SMALLEST = 1e-6


class WarmUp(NamedTuple):
    """What warming up has come to.

    Attributes:
        temperatures: Number of temperatures.
        evaluations: Densities of the target that were computed, most with gradients.
        acceptance: Share of jumps that were accepted at the end.
        states: Where the states are then, `[N, D]`.
    """

    temperatures: int
    evaluations: int
    acceptance: float
    states: np.ndarray


class Tempering:
    """States that are led from a wide normal distribution to a target.

    The density is `r(z)^(1 - b) p(z)^b`, from the reference `r` at `b = 0` to the
    target `p` at `b = 1`. Each `b` is such that half of the states stay effective; they
    are resampled, the flow is refitted to them, and the chains move on by local steps
    and jumps. While `b` is small, modes that lie apart are one.

    Args:
        whitened: The target.
        flow: The flow of the jumps.
        spread: Scale of the reference, where that of the target's start is 1.
        num_states: Number of states.
        local_steps: Local steps before each jump.
        local: One of `LOCAL`.
        seed: Int that fixes everything.
    """

    def __init__(
        self,
        whitened: Whitened,
        flow: flows.Flow,
        *,
        spread: float,
        num_states: int,
        local_steps: int,
        local: str,
        seed: int,
    ) -> None:
        _checks.at_least(spread, 1.0, "spread")
        _checks.count(num_states, FEWEST, "num_states")
        _checks.one_of(local, LOCAL, "local")
        self._whitened, self.flow = whitened, flow
        self._spread, self._count = spread, num_states
        self._local_steps, self._over_base = local_steps, local == "base"
        self._rng = np.random.default_rng(seed)
        dtype = whitened.target.dtype
        self._power = tf.Variable(0.0, trainable=False, dtype=dtype)
        size = whitened.target.size
        self._step_size = tf.Variable(
            tf.fill([size], tf.constant(FIRST_STEP, dtype)), trainable=False
        )
        self._factor = 1.0
        self._scales = np.full(size, FIRST_STEP * spread)
        self._tempered = self.kernel(self._tempered_log_prob)
        self._run = _graphs.for_each_shape(self._chains, jit_compile=whitened.compiles)
        self.evaluations = 0

    def kernel(self, log_prob: Any) -> FlowProposal:
        """Return the kernel of a density over vectors relative to the start."""

        def hamiltonian(log_prob: Any) -> tfp.mcmc.TransitionKernel:
            return tfp.mcmc.HamiltonianMonteCarlo(
                log_prob,
                self._step_size,
                LEAPFROGS,
                store_parameters_in_results=True,
            )

        local = hamiltonian(log_prob)
        if self._over_base:
            local = OverBase(
                log_prob, lambda: self.flow.distribution().bijector, hamiltonian
            )
        return FlowProposal(log_prob, self.flow, local, local_steps=self._local_steps)

    @property
    def evaluations_per_step(self) -> int:
        """Densities that a step of a chain computes."""
        return 1 + LEAPFROGS * self._local_steps + 1

    def _reference(self, z: tf.Tensor) -> tf.Tensor:
        return -0.5 * tf.reduce_sum(tf.square(z / self._spread), axis=-1)

    def _tempered_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        value = self._whitened.log_prob(z)
        return self._power * value + (1.0 - self._power) * self._reference(z)

    def warm_up(self, states: np.ndarray | None = None) -> WarmUp:
        """Lead states to the target, and leave the flow and the step size there.

        Args:
            states: Draws of the target, `[N, D]`, if another flow has led some there.

        Raises:
            ValueError: If the target is 0 at all states, or too far from the reference.
        """
        temperatures = 0
        if states is None:
            z, temperatures = self._led()
        else:
            z = states
            self._power.assign(1.0)
            self._refit(z, EPOCHS)
        acceptance = 0.0
        for epochs in LAST_EPOCHS:
            kept = []
            for _ in range(LAST_RUNS):
                states, _, acceptance = self._advance(z, 1.0)
                z = states[-1]
                kept.append(states)
            self._refit(np.concatenate(kept), epochs)
        return WarmUp(temperatures, self.evaluations, acceptance, z)

    def _led(self) -> tuple[np.ndarray, int]:
        """Return states that have come to the target, and by how many temperatures."""
        shape = (self._count, self._whitened.target.size)
        z = self._spread * self._rng.standard_normal(shape)
        gains = self._gains(z)
        power, temperatures = 0.0, 0
        while power < 1.0:
            power, weights = next_power(gains, power)
            temperatures += 1
            if temperatures > MOST:
                msg = (
                    f"`target` must be within reach of its start, got to the power "
                    f"{power:.2g} of it in {MOST} temperatures. Take a smaller "
                    "`spread`, more `states`, or method 'neutra'."
                )
                raise ValueError(msg)
            z = z[proposals.resampled(weights, len(z), self._rng)]
            self._power.assign(power)
            self._refit(z, EPOCHS)
            states, gains, _ = self._advance(z, power)
            z = states[-1]
        return z, temperatures

    def _gains(self, z: np.ndarray) -> np.ndarray:
        """Return by how much the target's log-density is above the reference's."""
        rows = tf.constant(z, self._power.dtype)
        found = self._whitened.log_prob(rows) - self._reference(rows)
        self.evaluations += len(z)
        found = np.nan_to_num(np.asarray(found, np.float64), nan=-math.inf)
        if np.isneginf(found).all():
            msg = (
                f"`target` must not be 0 everywhere, got a log-density of -inf at all "
                f"{len(z)} states of scale {self._spread:g}. Take a smaller `spread`, "
                "or give the bounds by `support`."
            )
            raise ValueError(msg)
        return found

    def _refit(self, states: np.ndarray, epochs: int) -> None:
        rows = states.reshape((-1, states.shape[-1]))
        self._scales = np.maximum(rows.std(axis=0), SMALLEST)
        seed = int(self._rng.integers(2**31))
        self._tempered.refit(rows, epochs=epochs, seed=seed)

    def _chains(self, z: tf.Tensor, seed: tf.Tensor) -> Any:
        return tfp.mcmc.sample_chain(
            STEPS,
            z,
            kernel=self._tempered,
            trace_fn=lambda _, results: (
                results.target_log_prob,
                results.is_accepted,
                results.local_results.log_accept_ratio,
            ),
            seed=seed,
        )

    def _advance(
        self, z: np.ndarray, power: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return states of all steps, gains of the last, and the share of jumps."""
        dtype = self._power.dtype
        scales = np.ones_like(self._scales) if self._over_base else self._scales
        self._step_size.assign(self._factor * scales)
        seed = tf.constant(self._rng.integers(2**31, size=2), tf.int32)
        states, (values, jumps, local) = self._run(tf.constant(z, dtype), seed)
        self.evaluations += len(z) * (1 + STEPS * self.evaluations_per_step)
        reference = np.asarray(self._reference(states[-1]), np.float64)
        gains = (np.asarray(values[-1], np.float64) - reference) / power
        accepted = float(np.mean(np.exp(np.minimum(np.asarray(local), 0.0))))
        self._factor *= math.exp(RATE * (accepted - ACCEPTANCE))
        return np.asarray(states, np.float64), gains, float(np.mean(jumps))


def next_power(gains: np.ndarray, power: float) -> tuple[float, np.ndarray]:
    """Return the next power of the target, and the weights that lead there, `[N]`.

    Args:
        gains: Log-density of the target minus that of the reference, `[N]`.
        power: The power of now.
    """
    wanted = KEPT * np.isfinite(gains).sum()
    low, high = power, 1.0
    if _effective(_weights(gains, 1.0 - power)) < wanted:
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            if _effective(_weights(gains, middle - power)) < wanted:
                high = middle
            else:
                low = middle
    return high, _weights(gains, high - power)


def _weights(gains: np.ndarray, change: float) -> np.ndarray:
    weights = np.exp(change * (gains - gains.max()))
    return weights / weights.sum()


def _effective(weights: np.ndarray) -> float:
    return float(1.0 / np.sum(weights**2))
