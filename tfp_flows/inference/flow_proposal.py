"""Jumps between modes: proposals of a flow beside the steps of a local kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _context, flows
from tfp_flows.inference import proposals
from tfp_flows.inference.kernels import Kernel
from tfp_flows.training.data.batches import shuffled

__all__ = ["FlowProposal", "FlowProposalResults"]

# Of `refit`: events per update, highest learning rate, and what its end is of that.
BATCH_SIZE, LEARNING_RATE, LAST_SHARE = 256, 3e-3, 0.1
# Fewer states tell nothing of a density.
FEWEST = 50
# Log-density of states outside of the support, in units of the largest number.
LOWEST = -0.25
# Kernels that adapt in their results, which do not outlive a jump.
ADAPTIVE = (
    tfp.mcmc.DualAveragingStepSizeAdaptation,
    tfp.mcmc.SimpleStepSizeAdaptation,
)


class FlowProposalResults(NamedTuple):
    """What a step of `FlowProposal` leaves.

    Attributes:
        target_log_prob: At the state, `[chains]`.
        is_accepted: Whether the flow's proposal was, `[chains]`.
        log_accept_ratio: Of it, `[chains]`.
        local_results: Of the last local step, `()` without one.
    """

    target_log_prob: tf.Tensor
    is_accepted: tf.Tensor
    log_accept_ratio: tf.Tensor
    local_results: Any


class _IndependentResults(NamedTuple):
    """Of an independent proposal, as `MetropolisHastings` reads them."""

    log_acceptance_correction: tf.Tensor
    target_log_prob: tf.Tensor
    proposal_log_prob: tf.Tensor


class _Independent(Kernel):
    """Proposes draws of a density, wherever the chains are.

    Args:
        target_log_prob_fn: Log-density of the target.
        density: Function that returns the density to draw from.
        log_prob_at: Log-density of the target at states where chains are, if it is
            known there.
    """

    def __init__(
        self,
        target_log_prob_fn: Callable[[tf.Tensor], tf.Tensor],
        density: Callable[[], tfd.Distribution],
        log_prob_at: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self._parameters = {
            "target_log_prob_fn": target_log_prob_fn,
            "density": density,
            "log_prob_at": log_prob_at,
        }
        self._log_prob, self._density = target_log_prob_fn, density
        self._log_prob_at = log_prob_at or target_log_prob_fn

    @property
    def is_calibrated(self) -> bool:
        """Whether it leaves the target as it is: not without a Metropolis test."""
        return False

    def one_step(
        self,
        current_state: tf.Tensor,
        previous_kernel_results: _IndependentResults,
        seed: Any = None,
    ) -> tuple[tf.Tensor, _IndependentResults]:
        """Return draws, and by how much the density favours them."""
        last = previous_kernel_results
        x, log_q = self._density().experimental_sample_and_log_prob(
            tf.shape(last.target_log_prob), seed=seed
        )
        x = tf.ensure_shape(tf.cast(x, current_state.dtype), current_state.shape)
        log_q = tf.cast(log_q, last.target_log_prob.dtype)
        correction = last.proposal_log_prob - log_q
        return x, _IndependentResults(correction, self._log_prob(x), log_q)

    def bootstrap_results(self, init_state: tf.Tensor) -> _IndependentResults:
        """Return the results at a state.

        Where the density is 0, or NaN, it is taken for the smallest there is, so that
        the first jump to anywhere else is accepted.
        """
        value = self._log_prob_at(init_state)
        lowest = tf.constant(LOWEST * value.dtype.max, value.dtype)
        value = tf.where(tf.math.is_finite(value), value, lowest)
        log_q = tf.cast(self._density().log_prob(init_state), value.dtype)
        return _IndependentResults(tf.zeros_like(value), value, log_q)


class FlowProposal(Kernel):
    """Steps of a local kernel, then a Metropolis test of a draw of a flow.

    A draw of the flow `q` does not depend on where a chain is: it jumps to any mode
    that the flow knows. It is accepted with probability
    `min(1, p(x') q(x) / (p(x) q(x')))`, which leaves the target `p` exactly as it is,
    whatever the flow. Where the flow is too narrow chains stay for long; the local
    kernel moves them on.

    `refit` trains the flow on states of the chains. Do so while warming up only, and
    drop the draws of that time: a flow that follows its own chains leaves the target
    no longer as it is. `sample_posterior(target, "flow-mcmc")` does all that.

    Args:
        target_log_prob_fn: Function of states `[chains, D]` that returns the log of
            the target's density up to a constant, `[chains]`.
        flow: Flow over vectors `[D]`, or a distribution, which has no `refit`.
        local_kernel: Kernel of `tfp.mcmc` over the same target, such as
            `HamiltonianMonteCarlo` or `NoUTurnSampler`, with a step size that does not
            adapt (a `tf.Variable` can be set between runs): it starts anew after each
            jump. `None` for jumps alone.
        local_steps: Local steps before each jump.

    Raises:
        TypeError: If `flow` is neither a flow nor a distribution.
        ValueError: If it has a condition, a batch or other events than vectors, or if
            the local kernel adapts or is not calibrated.

    Example:
        >>> import tensorflow as tf
        >>> import tensorflow_probability as tfp
        >>> from tfp_flows import inference
        >>> tfd = tfp.distributions
        >>> target = tfd.MultivariateNormalDiag([3.0], [0.5])
        >>> wide = tfd.MultivariateNormalDiag([1.0], [2.0])
        >>> kernel = inference.FlowProposal(target.log_prob, wide)
        >>> draws, accepted = tfp.mcmc.sample_chain(
        ...     50, tf.zeros([1_000, 1]), kernel=kernel, num_burnin_steps=40,
        ...     trace_fn=lambda _, results: results.is_accepted, seed=[0, 1])
        >>> abs(float(tf.reduce_mean(draws)) - 3.0) < 0.05
        True

    References:
        Gabrie, Rotskoff, Vanden-Eijnden (2022). Adaptive Monte Carlo Augmented with
        Normalizing Flows. https://arxiv.org/abs/2105.12603, algorithm 1
    """

    def __init__(
        self,
        target_log_prob_fn: Callable[[tf.Tensor], tf.Tensor],
        flow: flows.Flow | tfd.Distribution,
        local_kernel: tfp.mcmc.TransitionKernel | None = None,
        *,
        local_steps: int = 1,
        name: str = "flow_proposal",
    ) -> None:
        shape = proposals.density(flow, "flow").event_shape
        if tf.nest.is_nested(shape) and not isinstance(shape, tf.TensorShape):
            msg = f"`flow` must be over vectors, got events of shapes {shape}."
            raise ValueError(msg)
        if len(shape) != 1:
            msg = f"`flow` must be over vectors [D], got event_shape {tuple(shape)}."
            raise ValueError(msg)
        _checks.count(local_steps, 1, "local_steps")
        if local_kernel is not None:
            _require_steady(local_kernel)
        self._parameters = {
            "target_log_prob_fn": target_log_prob_fn,
            "flow": flow,
            "local_kernel": local_kernel,
            "local_steps": local_steps,
            "name": name,
        }
        self._size = int(shape[0])
        self._log_prob = target_log_prob_fn
        self._compiled = False

    def _density(self) -> tfd.Distribution:
        return proposals.density(self._parameters["flow"], "flow")

    def bootstrap_results(self, init_state: tf.Tensor) -> FlowProposalResults:
        """Return the results at a state, `[chains, D]`.

        Raises:
            ValueError: If a state is no vector of the flow's size.
        """
        state = tf.convert_to_tensor(init_state)
        if state.shape.rank is None or state.shape[-1] != self._size:
            msg = (
                f"`init_state` must be vectors [chains, {self._size}], as the flow "
                f"has them, got shape {state.shape}."
            )
            raise ValueError(msg)
        value = self._log_prob(state)
        if value.shape != state.shape[:-1]:
            msg = (
                f"`target_log_prob_fn` must return one number for each chain, of shape "
                f"{state.shape[:-1]}, got {value.shape}. Sum over the coordinates."
            )
            raise ValueError(msg)
        local = self._parameters["local_kernel"]
        return FlowProposalResults(
            value,
            tf.zeros_like(value, tf.bool),
            tf.zeros_like(value),
            () if local is None else local.bootstrap_results(state),
        )

    def one_step(
        self,
        current_state: tf.Tensor,
        previous_kernel_results: FlowProposalResults,
        seed: Any = None,
    ) -> tuple[tf.Tensor, FlowProposalResults]:
        """Return states after the local steps and a jump, and the results there."""
        local, count = (self._parameters[k] for k in ("local_kernel", "local_steps"))
        *seeds, last = tfp.random.split_seed(seed, n=count + 1)
        state, value = current_state, previous_kernel_results.target_log_prob
        results: Any = ()
        if local is not None:
            results = local.bootstrap_results(state)
            for number in seeds:
                state, results = local.one_step(state, results, seed=number)
            value = _log_prob_in(results)
            if value is None:
                value = self._log_prob(state)
        known = value
        jump = tfp.mcmc.MetropolisHastings(
            _Independent(self._log_prob, self._density, lambda _: known)
        )
        state, after = jump.one_step(state, jump.bootstrap_results(state), seed=last)
        return state, FlowProposalResults(
            after.accepted_results.target_log_prob,
            after.is_accepted,
            after.log_accept_ratio,
            results,
        )

    def refit(
        self, states: Any, *, epochs: int = 10, seed: int | None = None
    ) -> list[float]:
        """Train the flow on states of chains, from the weights that it has.

        The first time, and at each later one, the flow's standardisation is set from
        the states. Draws of a chain whose kernel is refitted are no draws of the
        target: stop before those that count.

        Args:
            states: `[..., D]`.
            epochs: Passes over the states.
            seed: Int that fixes the order of the states.

        Returns:
            The loss of each epoch, in nats.

        Raises:
            TypeError: If there is no flow to train.
            ValueError: If states are not finite, of another size, or too few.
        """
        flow = self._parameters["flow"]
        if not isinstance(flow, flows.Flow):
            msg = (
                f"`flow` must be a flow to be refitted, got a {type(flow).__name__}: "
                "build one by tfp_flows.flows.build('nsf', D)."
            )
            raise TypeError(msg)
        rows = np.asarray(states)
        rows = rows.reshape((-1, rows.shape[-1])) if rows.ndim else rows
        if rows.ndim != 2 or rows.shape[-1] != self._size:
            msg = (
                f"`states` must be vectors [..., {self._size}], as the flow has them, "
                f"got shape {np.shape(states)}."
            )
            raise ValueError(msg)
        _checks.count(len(rows), FEWEST, "the number of states")
        if not np.all(np.isfinite(rows)):
            msg = "`states` must be finite: some chain has left the numbers."
            raise ValueError(msg)
        rows = rows.astype(flow.variable_dtype)
        flow.adapt(rows)
        number = int(_context.generator(seed).integers(2**31))
        order = shuffled(tf.data.Dataset.from_tensor_slices(rows), len(rows), number)
        # Batches of one size: no step is compiled twice.
        batches = order.batch(min(BATCH_SIZE, len(rows)), drop_remainder=True)
        if not self._compiled:
            flow.compile(
                keras.optimizers.Adam(LEARNING_RATE, name="adam"), jit_compile=True
            )
            self._compiled = True
        history = flow.fit(
            batches,
            epochs=epochs,
            shuffle=False,  # the dataset does
            verbose=0,
            callbacks=[_decay(epochs)],
        )
        return [float(loss) for loss in history.history["loss"]]


def _decay(epochs: int) -> keras.callbacks.Callback:
    """Return the learning rate of each epoch, which falls along a cosine."""

    def rate(epoch: int, _: float) -> float:
        share = 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
        return LEARNING_RATE * (LAST_SHARE + (1.0 - LAST_SHARE) * share)

    return keras.callbacks.LearningRateScheduler(rate)


def _require_steady(kernel: Any) -> None:
    """Raise if a local kernel adapts in its results, or leaves the target.

    Raises:
        TypeError: If it is no kernel of `tfp.mcmc`.
        ValueError: If it cannot be used between jumps.
    """
    if not isinstance(kernel, tfp.mcmc.TransitionKernel):
        msg = (
            "`local_kernel` must be a kernel of tfp.mcmc, got "
            f"{type(kernel).__name__}. Pass for example "
            "tfp.mcmc.HamiltonianMonteCarlo(target, step_size, num_leapfrog_steps)."
        )
        raise TypeError(msg)
    if not kernel.is_calibrated:
        msg = (
            f"`local_kernel` must be calibrated, got {type(kernel).__name__}: wrap it "
            "in tfp.mcmc.MetropolisHastings."
        )
        raise ValueError(msg)
    inner = kernel
    while inner is not None:
        if isinstance(inner, ADAPTIVE):
            msg = (
                f"`local_kernel` must not adapt, got {type(inner).__name__}: it starts "
                "anew after each jump. Pass the kernel inside of it, its step size a "
                "tf.Variable that is set between runs."
            )
            raise ValueError(msg)  # noqa: TRY004
        inner = inner.parameters.get("inner_kernel")


def _log_prob_in(results: Any) -> tf.Tensor | None:
    """Return the log-density that results of a kernel hold, `None` without one.

    That inside of a transformed kernel is of another space.
    """
    results = getattr(results, "accepted_results", results)
    return getattr(results, "target_log_prob", None)
