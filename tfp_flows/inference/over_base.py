"""Steps over the numbers of a flow's base, for states where its events are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows.inference.kernels import Kernel

__all__ = ["OverBase", "OverBaseResults"]

LogProb = Callable[[tf.Tensor], tf.Tensor]


class OverBaseResults(NamedTuple):
    """What a step of `OverBase` leaves.

    Attributes:
        target_log_prob: At the state, `[chains]`.
        log_accept_ratio: Of the step over base numbers, `[chains]`.
        base: Where the state comes from, `[chains, D]`.
        inner_results: Of the kernel over base numbers.
    """

    target_log_prob: tf.Tensor
    log_accept_ratio: tf.Tensor
    base: tf.Tensor
    inner_results: Any


class OverBase(Kernel):
    """A kernel over the numbers of a flow's base, for states of its events.

    The flow has unbent the target there, so that one step size suits everywhere. The
    map is asked for in each step: it may be trained between runs.

    Args:
        target_log_prob_fn: Function of states `[chains, D]` that returns the log of
            the target's density up to a constant, `[chains]`.
        bijector: Function that returns the map from base numbers to states.
        kernel: Function of the log-density over base numbers that returns a calibrated
            kernel with a Metropolis test, such as `HamiltonianMonteCarlo`.
    """

    def __init__(
        self,
        target_log_prob_fn: LogProb,
        bijector: Callable[[], tfb.Bijector],
        kernel: Callable[[LogProb], tfp.mcmc.TransitionKernel],
    ) -> None:
        self._parameters = {
            "target_log_prob_fn": target_log_prob_fn,
            "bijector": bijector,
            "kernel": kernel,
        }
        self._log_prob, self._bijector, self._kernel = (
            target_log_prob_fn,
            bijector,
            kernel,
        )

    def _over(self, bijector: tfb.Bijector) -> tfp.mcmc.TransitionKernel:
        def log_prob(z: tf.Tensor) -> tf.Tensor:
            log_det = bijector.forward_log_det_jacobian(z, event_ndims=1)
            return self._log_prob(bijector.forward(z)) + log_det

        return self._kernel(log_prob)

    def bootstrap_results(self, init_state: tf.Tensor) -> OverBaseResults:
        """Return the results at a state, `[chains, D]`."""
        bijector = self._bijector()
        # `tf.identity`: what a bijector remembers would have no gradient.
        base = tf.identity(bijector.inverse(tf.identity(init_state)))
        inner = self._over(bijector).bootstrap_results(base)
        log_det = bijector.forward_log_det_jacobian(base, event_ndims=1)
        value = inner.accepted_results.target_log_prob - log_det
        return OverBaseResults(value, tf.zeros_like(value), base, inner)

    def one_step(
        self,
        current_state: tf.Tensor,
        previous_kernel_results: OverBaseResults,
        seed: Any = None,
    ) -> tuple[tf.Tensor, OverBaseResults]:
        """Return states after a step over base numbers, and the results there."""
        del current_state  # its base numbers are known
        bijector, last = self._bijector(), previous_kernel_results
        base, inner = self._over(bijector).one_step(
            last.base, last.inner_results, seed=seed
        )
        base = tf.identity(base)
        state = bijector.forward(base)
        log_det = bijector.forward_log_det_jacobian(base, event_ndims=1)
        value = inner.accepted_results.target_log_prob - log_det
        return state, OverBaseResults(value, inner.log_accept_ratio, base, inner)
