"""Chains that sample a target, in a space where a flow has made it simple."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _context, flows
from tfp_flows._types import DType, Shape
from tfp_flows.inference import posterior, starts, targets
from tfp_flows.inference.whitened import Whitened

__all__ = ["METHODS", "Chains", "sample_posterior"]

METHODS = ("neutra", "nuts")
# Where r-hat is above this, chains have not met.
LARGEST_R_HAT = 1.01
MAX_TREE_DEPTH, ACCEPTANCE, FIRST_STEP = 8, 0.8, 0.3
# Share of the burn-in in which the step size adapts.
ADAPTING = 0.8


@dataclasses.dataclass(frozen=True)
class Chains:
    """Draws of several chains, and whether they have met.

    Attributes:
        draws: Events, `[chains, N, *event_shape]`, or a structure of such; this is what
            `evidence` takes.
        r_hat: Potential scale reduction of each vector without bounds, `[D]`, by halves
            of chains.
        ess: Effective sample size of all chains together, `[D]`.
        gradients: Number of gradients of the target that were computed by the chains,
            the burn-in left out.
        acceptance: Mean probability that a proposal is accepted.
        report: How the flow was fitted, `None` without one.
    """

    draws: Any
    r_hat: np.ndarray
    ess: np.ndarray
    gradients: int
    acceptance: float
    report: posterior.PosteriorReport | None = None

    @property
    def reliable(self) -> bool:
        """Whether chains have met: r-hat is below 1.01 everywhere."""
        return bool(np.all(self.r_hat < LARGEST_R_HAT))

    @property
    def judgement(self) -> str:
        """A sentence that says whether to trust the draws."""
        worst, size = float(np.max(self.r_hat)), float(np.min(self.ess))
        if self.reliable:
            return (
                f"R-hat is at most {worst:.3f}, with {size:.0f} effective draws or "
                "more: the chains have met."
            )
        return (
            f"R-hat is up to {worst:.3f}: do not trust the draws, the chains have not "
            "met. Take more draws and a longer burn-in, or method 'neutra'."
        )

    def __repr__(self) -> str:
        return f"Chains: {self.judgement}"


def sample_posterior(
    target: Any,
    method: str = "neutra",
    flow: flows.Flow | str | None = None,
    *,
    num_draws: int = 1_000,
    num_chains: int = 8,
    burn_in: int = 500,
    steps: int = 1_000,
    start: str = "auto",
    event_shape: Shape | None = None,
    support: tfb.Bijector | None = None,
    dtype: DType = "float32",
    seed: int | None = None,
    verbose: int | str = 0,
    **options: Any,
) -> Chains:
    """Sample a target by the no-U-turn sampler, where a flow has made it simple.

    `"neutra"` fits a flow to the target, see `fit_posterior`, and runs the chains over
    the numbers of the flow's base, in which the target is nearly normal however it is
    bent: the chains put right what the flow has wrong. `"nuts"` runs them relative to a
    normal distribution near the target.

    Args:
        target: Function of events that returns their log-density up to a constant; or
            a `tfd.Distribution`; or a joint distribution, its data pinned by
            `experimental_pin`.
        method: `"neutra"` or `"nuts"`.
        flow: Flow over vectors `[D]`, or the name of one, of `"neutra"`.
        num_draws: Draws of each chain.
        num_chains: Number of chains.
        burn_in: Steps before, in which the step size adapts.
        steps: Updates of the flow.
        start: See `fit_posterior`.
        event_shape: Shape of an event of a function.
        support: Map from numbers without bounds to events, for a target that does not
            say where its events lie.
        dtype: Of the events of a function.
        seed: Int that fixes everything.
        verbose: Of the fit.
        **options: Further options of `fit_posterior`.

    Returns:
        Draws in the target's own structure, with R-hat and effective sample sizes.

    Raises:
        ValueError: If shapes do not fit, or the target is NaN, or 0 everywhere.

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> chains = inference.sample_posterior(
        ...     tfd.MultivariateNormalDiag([1.0, -2.0], [1.0, 3.0]), "nuts",
        ...     num_draws=300, num_chains=4, burn_in=50, seed=0)
        >>> chains.draws.shape
        (4, 300, 2)
        >>> abs(float(chains.draws[..., 0].mean()) - 1.0) < 0.2
        True

    References:
        Hoffman et al. (2019). NeuTra-lizing Bad Geometry in Hamiltonian Monte Carlo
        Using Neural Transport. https://arxiv.org/abs/1903.03704
    """
    _checks.one_of(method, METHODS, "method")
    for name, value in {"num_draws": num_draws, "num_chains": num_chains}.items():
        _checks.count(value, 2, name)
    _checks.count(burn_in, 10, "burn_in")
    if isinstance(flow, flows.Flow) and event_shape is None and support is None:
        event_shape = flow.event_shape
    read = targets.read(target, event_shape=event_shape, support=support, dtype=dtype)
    number = int(_context.generator(seed).integers(2**31))
    report = None
    if method == "neutra":
        _, report = posterior.fit_posterior(
            read,
            flow,
            steps=steps,
            start=start,
            seed=number,
            verbose=verbose,
            **options,
        )
        whitened = report.whitened
        density = report.flow.distribution()
        first = density.distribution.sample(num_chains, seed=[number, 1])
        bijector = density.bijector
    else:
        if flow is not None or options:
            msg = (
                f"`flow` and {sorted(options)} must be left out for method 'nuts', "
                "which fits no flow."
            )
            raise ValueError(msg)
        whitened = Whitened(read, starts.choose(read, start, number))
        shape = [num_chains, read.size]
        first = tf.random.stateless_normal(shape, [number, 1], dtype=read.dtype)
        bijector = tfb.Identity()

    def log_prob(z: tf.Tensor) -> tf.Tensor:
        log_det = bijector.forward_log_det_jacobian(z, event_ndims=1)
        return whitened.log_prob(bijector.forward(z)) + log_det

    z, leapfrogs, log_ratios = _run(
        log_prob, first, num_draws, burn_in, number, jit_compile=whitened.compiles
    )
    rows = tf.reshape(z, [-1, read.size])
    vectors = whitened.unwhitened(bijector.forward(rows))
    events = read.bijector.forward(vectors)
    series = np.asarray(vectors, np.float64).reshape((num_draws, num_chains, -1))
    return Chains(
        draws=tf.nest.map_structure(
            lambda v: np.swapaxes(
                np.asarray(v).reshape((num_draws, num_chains, *v.shape[1:])), 0, 1
            ),
            events,
        ),
        r_hat=np.asarray(tfp.mcmc.potential_scale_reduction(series, split_chains=True)),
        ess=np.asarray(
            tfp.mcmc.effective_sample_size(
                series, filter_beyond_positive_pairs=True, cross_chain_dims=1
            )
        ),
        gradients=int(np.sum(leapfrogs)),
        acceptance=float(np.mean(np.exp(np.minimum(log_ratios, 0.0)))),
        report=report,
    )


def _run(
    log_prob: Callable[[tf.Tensor], tf.Tensor],
    first: tf.Tensor,
    num_draws: int,
    burn_in: int,
    seed: int,
    *,
    jit_compile: bool,
) -> tuple[tf.Tensor, np.ndarray, np.ndarray]:
    """Return states `[N, chains, D]`, gradients and log-acceptance ratios of each."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def chains(first: tf.Tensor) -> Any:
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            tfp.mcmc.NoUTurnSampler(
                log_prob, tf.constant(FIRST_STEP, first.dtype), MAX_TREE_DEPTH
            ),
            num_adaptation_steps=int(ADAPTING * burn_in),
            target_accept_prob=tf.constant(ACCEPTANCE, first.dtype),
        )
        return tfp.mcmc.sample_chain(
            num_draws,
            first,
            kernel=kernel,
            num_burnin_steps=burn_in,
            trace_fn=lambda _, state: (
                state.inner_results.leapfrogs_taken,
                state.inner_results.log_accept_ratio,
            ),
            seed=tf.constant([seed, 2], tf.int32),
        )

    z, (leapfrogs, log_ratios) = chains(first)
    return z, np.asarray(leapfrogs), np.asarray(log_ratios)
