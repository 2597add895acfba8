"""Chains that sample a target, in a space where a flow has made it simple."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _context, flows
from tfp_flows._types import DType, Shape
from tfp_flows.inference import posterior, starts, targets
from tfp_flows.inference.chain_draws import Chains, Sampled, of_vectors
from tfp_flows.inference.local import mean_acceptance
from tfp_flows.inference.tempering import Tempering
from tfp_flows.inference.whitened import Whitened

__all__ = ["METHODS", "sample_posterior"]

METHODS = ("neutra", "flow-mcmc", "nuts")
MAX_TREE_DEPTH, ACCEPTANCE, FIRST_STEP = 8, 0.8, 0.3
# Share of the burn-in in which the step size adapts.
ADAPTING = 0.8
# Of "flow-mcmc": the flow, the one beside it if fewer jumps than this share are
# accepted, what stands in for both on a line, and options with their defaults.
JUMPING, BESIDE, ENOUGH, ON_A_LINE = "realnvp", "nsf", 0.6, "nsf"
JUMP_OPTIONS: dict[str, Any] = {
    "spread": 5.0,
    "num_states": 1_024,
    "local_steps": 1,
    "local": "base",
}


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
    """Sample a target by chains, in a space where a flow has made it simple.

    `"neutra"` fits a flow to the target, see `fit_posterior`, and runs the no-U-turn
    sampler over the numbers of the flow's base, in which the target is nearly normal
    however it is bent: the chains put right what the flow has wrong. `"flow-mcmc"` is
    for modes that lie apart: steps of Hamiltonian Monte Carlo over the numbers of a
    flow's base take turns with jumps, draws of the flow. It was fitted to chains while
    these were led from a wide normal distribution to the target, see `FlowProposal`,
    and is frozen then. `"nuts"` runs the no-U-turn sampler relative to a normal
    distribution near the target. All chains start near one place.

    Args:
        target: Function of events that returns their log-density up to a constant; or
            a `tfd.Distribution`; or a joint distribution, its data pinned by
            `experimental_pin`.
        method: `"neutra"`, `"flow-mcmc"` or `"nuts"`.
        flow: Flow over vectors `[D]`, or the name of one; by default RealNVP for
            `"neutra"`; for `"flow-mcmc"`, too, unless fewer than 60 % of its jumps are
            accepted and more of those of a spline coupling.
        num_draws: Draws of each chain.
        num_chains: Number of chains.
        burn_in: Steps before the draws, which are dropped; the step size of the
            no-U-turn sampler adapts in them.
        steps: Updates of the flow of `"neutra"`.
        start: See `fit_posterior`.
        event_shape: Shape of an event of a function.
        support: Map from numbers without bounds to events, for a target that does not
            say where its events lie.
        dtype: Of the events of a function.
        seed: Int that fixes everything.
        verbose: Of the fit.
        **options: Of `"neutra"`: further options of `fit_posterior`. Of `"flow-mcmc"`:
            `spread`, the scale of the wide normal distribution in units of the start's
            (5 by default; more finds modes farther off, and takes longer),
            `num_states`, how many states are led from there (1,024), `local_steps`
            before each jump (1), and `local`, whether these are taken over the numbers
            of the flow's `"base"` (the default) or over those of the `"target"`.

    Returns:
        Draws in the target's own structure, with R-hat, effective sample sizes, shares
        of accepted proposals, numbers of gradients, and a judgement.

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
        Gabrie, Rotskoff, Vanden-Eijnden (2022). Adaptive Monte Carlo Augmented with
        Normalizing Flows. https://arxiv.org/abs/2105.12603
    """
    _context.require_eager("sample_posterior")
    _checks.one_of(method, METHODS, "method")
    _checks.verbosity(verbose)
    for name, value in {"num_draws": num_draws, "num_chains": num_chains}.items():
        _checks.count(value, 2, name)
    _checks.count(burn_in, 10, "burn_in")
    if isinstance(flow, flows.Flow) and event_shape is None and support is None:
        event_shape = flow.event_shape
    read = targets.read(target, event_shape=event_shape, support=support, dtype=dtype)
    number = int(_context.generator(seed).integers(2**31))
    length = _Length(num_draws, burn_in, num_chains)
    if method == "neutra":
        # The chains of the draws check and repair more than those of the fit would.
        options = {"check_steps": 0, "repairs": 0, **options}
        options.update(steps=steps, start=start, verbose=verbose)
        return of_vectors(read, _neutra(read, flow, length, number, options))
    _require_known(method, flow, options)
    posterior.require_density(read, number)
    whitened = Whitened(read, starts.choose(read, start, number))
    if method == "flow-mcmc":
        return of_vectors(read, _jumping(whitened, flow, length, number, options))
    return of_vectors(read, _no_u_turn(whitened, length, number))


def _require_known(
    method: str, flow: flows.Flow | str | None, options: dict[str, Any]
) -> None:
    """Raise if a method has no such options."""
    if method == "nuts" and (flow is not None or options):
        msg = (
            f"`flow` and {sorted(options)} must be left out for method 'nuts', which "
            "fits no flow."
        )
        raise ValueError(msg)
    unknown = sorted(set(options) - set(JUMP_OPTIONS))
    if unknown:
        msg = (
            f"`{unknown[0]}` is no option of method {method!r}, which has "
            f"{sorted(JUMP_OPTIONS)}."
        )
        raise ValueError(msg)


class _Length(NamedTuple):
    """How long chains run, and how many they are."""

    draws: int
    burn_in: int
    chains: int

    @property
    def steps(self) -> int:
        """Steps of each chain."""
        return self.burn_in + self.draws


def _neutra(
    read: targets.Target,
    flow: flows.Flow | str | None,
    length: _Length,
    seed: int,
    options: dict[str, Any],
) -> Sampled:
    """Run the no-U-turn sampler over the base of a flow that is fitted first."""
    _, report = posterior.fit_posterior(read, flow, seed=seed, **options)
    density = report.flow.distribution()
    first = density.distribution.sample(length.chains, seed=[seed, 1])
    found = _no_u_turn(report.whitened, length, seed, density.bijector, first)
    return dataclasses.replace(
        found,
        report=report,
        warm_up_gradients=found.warm_up_gradients + report.gradients,
    )


def _no_u_turn(
    whitened: Whitened,
    length: _Length,
    seed: int,
    bijector: tfb.Bijector | None = None,
    first: tf.Tensor | None = None,
) -> Sampled:
    """Run the no-U-turn sampler, over numbers from which a bijector leads."""
    bijector = bijector or tfb.Identity()
    if first is None:
        first = _near_start(whitened, length, seed)

    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.NoUTurnSampler(
            whitened.over(bijector),
            tf.constant(FIRST_STEP, first.dtype),
            MAX_TREE_DEPTH,
        ),
        num_adaptation_steps=int(ADAPTING * length.burn_in),
        target_accept_prob=tf.constant(ACCEPTANCE, first.dtype),
    )

    def traced(_: tf.Tensor, results: Any) -> tuple[tf.Tensor, tf.Tensor]:
        inner = results.inner_results
        return inner.leapfrogs_taken, inner.log_accept_ratio

    z, (leapfrogs, log_ratios) = _run(
        kernel, traced, first, length, seed, jit_compile=whitened.compiles
    )
    rows = tf.reshape(z[length.burn_in :], [-1, z.shape[-1]])
    vectors = whitened.unwhitened(bijector.forward(rows))
    return Sampled(
        tf.reshape(vectors, [length.draws, length.chains, -1]),
        gradients=int(np.sum(leapfrogs[length.burn_in :])),
        warm_up_gradients=int(np.sum(leapfrogs[: length.burn_in])),
        acceptance=mean_acceptance(log_ratios[length.burn_in :]),
    )


def _jumping(
    whitened: Whitened,
    flow: flows.Flow | str | None,
    length: _Length,
    seed: int,
    options: dict[str, Any],
) -> Sampled:
    """Run local steps and jumps of a flow that is fitted to tempered chains first."""
    target = whitened.target
    tempering, spent = _warmed_up(whitened, flow, seed, {**JUMP_OPTIONS, **options})

    def traced(_: tf.Tensor, results: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return results.is_accepted, results.local_results.log_accept_ratio

    z, (jumps, log_ratios) = _run(
        tempering.kernel(whitened.log_prob),
        traced,
        _near_start(whitened, length, seed),
        length,
        seed,
        jit_compile=whitened.compiles,
    )
    kept = z[length.burn_in :]
    vectors = whitened.unwhitened(tf.reshape(kept, [-1, target.size]))
    each = length.chains * tempering.evaluations_per_step
    return Sampled(
        tf.reshape(vectors, [length.draws, length.chains, -1]),
        gradients=length.draws * each,
        warm_up_gradients=spent + length.burn_in * each,
        acceptance=mean_acceptance(log_ratios[length.burn_in :]),
        jump_acceptance=float(np.mean(jumps[length.burn_in :])),
    )


def _warmed_up(
    whitened: Whitened, flow: flows.Flow | str | None, seed: int, options: Any
) -> tuple[Tempering, int]:
    """Return tempering at its end, by the flow whose jumps are accepted most.

    Affine couplings widen and narrow without limit, as funnels do, and take few states
    to learn; splines follow modes that lie apart.
    """
    target = whitened.target

    def tempering(name: flows.Flow | str) -> Tempering:
        built = posterior.flow_for(name, target, seed)
        return Tempering(whitened, built, seed=seed, **options)

    first = tempering(flow or (JUMPING if target.size > 1 else ON_A_LINE))
    warm = first.warm_up()
    if flow is not None or target.size == 1 or warm.acceptance >= ENOUGH:
        return first, warm.evaluations
    beside = tempering(BESIDE)
    other = beside.warm_up(warm.states)
    best = beside if other.acceptance > warm.acceptance else first
    return best, warm.evaluations + other.evaluations


def _near_start(whitened: Whitened, length: _Length, seed: int) -> tf.Tensor:
    """Return where chains start: draws of the normal distribution near the target."""
    target = whitened.target
    return tf.random.stateless_normal(
        [length.chains, target.size], [seed, 1], dtype=target.dtype
    )


def _run(
    kernel: tfp.mcmc.TransitionKernel,
    traced: Callable[[tf.Tensor, Any], Any],
    first: tf.Tensor,
    length: _Length,
    seed: int,
    *,
    jit_compile: bool,
) -> tuple[tf.Tensor, Any]:
    """Return states `[steps, chains, D]`, and what is traced, as arrays."""

    @tf.function(autograph=False, jit_compile=jit_compile)
    def chains(first: tf.Tensor) -> Any:
        return tfp.mcmc.sample_chain(
            length.steps,
            first,
            kernel=kernel,
            trace_fn=traced,
            seed=tf.constant([seed, 2], tf.int32),
        )

    z, trace = chains(first)
    return z, tf.nest.map_structure(np.asarray, trace)
