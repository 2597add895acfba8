"""Posteriors known up to a constant: chains from resampled draws of the prior."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks
from tfp_flows._types import Seed, TensorLike
from tfp_flows.distributions import shared
from tfp_flows.inference.simulation import base
from tfp_flows.inference.simulation.parameters import Parameters, log_prior

__all__ = ["ByChains", "ChainPosterior", "LogProb", "run"]

LogLikelihood = Callable[[tf.Tensor], tf.Tensor]
LogProb = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Draws of the prior among which chains find their starts: modes of the posterior get
# chains by their weight.
STARTS = 50_000
BLOCK = 10_000
MAX_TREE_DEPTH, ACCEPTANCE = 6, 0.8
# A chain keeps one state of so many; the no-U-turn sampler hardly repeats itself.
THIN = 2


class ChainPosterior(shared.Unsliced):
    """A posterior known up to a constant, with draws of chains.

    `sample` picks from the draws that were made; `unnormalized_log_prob` is prior times
    likelihood.

    Args:
        parameters: Those of the prior.
        log_likelihood: Function of rows `[N, D]` in a graph, that returns `[N]`.
        draws: States of the chains without bounds, `[draws, chains, size]`.
        acceptance: Mean probability that a proposal is accepted.
        name: Name.
    """

    _parameter_properties = shared.Unsliced.parameter_properties

    def __init__(
        self,
        parameters: Parameters,
        log_likelihood: LogLikelihood,
        draws: np.ndarray,
        acceptance: float,
        *,
        name: str = "chain_posterior",
    ) -> None:
        arguments = dict(locals())
        self._all = parameters
        self._log_likelihood = log_likelihood
        self._draws = draws
        self._acceptance = acceptance
        super().__init__(
            dtype=parameters.prior.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=arguments,
            name=name,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return ChainPosterior, tuple(self.parameters.values())[:4]

    @property
    def acceptance(self) -> float:
        """Mean probability to accept a proposal; .8 is aimed at."""
        return self._acceptance

    @property
    def num_draws(self) -> int:
        """How many draws were made."""
        return self._draws.shape[0] * self._draws.shape[1]

    @property
    def draws(self) -> Any:
        """All draws, `[chains, N, *event_shape]`, in the structure of the prior's."""
        vectors = np.swapaxes(self._draws, 0, 1)
        flat = self._all.bounded(vectors.reshape((-1, vectors.shape[-1])))
        lead = vectors.shape[:2]
        return tf.nest.map_structure(
            lambda v: np.asarray(v).reshape((*lead, *v.shape[1:])), flat
        )

    @property
    def r_hat(self) -> np.ndarray:
        """Potential scale reduction of each vector without bounds, `[size]`.

        Chains are short and stay near the modes that they start in: with several modes
        it is above 1 however good the draws are.
        """
        return np.asarray(tfp.mcmc.potential_scale_reduction(self._draws))

    def _event_shape(self) -> Any:
        return self._all.structure

    def _default_event_space_bijector(self) -> Any:
        return self._all.prior.experimental_default_event_space_bijector()

    def unnormalized_log_prob(self, value: Any, name: str = "log_prob") -> tf.Tensor:
        """Return the log-density up to a constant, `[...]`.

        Args:
            value: Parameters, in the structure of the prior's draws.
            name: Name of the operation.
        """
        with tf.name_scope(name):
            if not self._all.is_joint:
                value = tf.cast(tf.convert_to_tensor(value), self._all.dtype)
            prior = log_prior(self._all.prior, value)
            found = self._log_likelihood(self._all.flat(value))
            found = tf.reshape(found, tf.shape(prior))
            return tf.where(tf.math.is_finite(prior), prior + found, prior)

    def log_prob(self, value: Any, name: str = "log_prob", **kwargs: Any) -> Any:
        """Raise: the constant is not known.

        Raises:
            NotImplementedError: Always.
        """
        del value, name, kwargs
        msg = (
            "this posterior is known up to a constant: use `unnormalized_log_prob`, or "
            "NPE for densities."
        )
        raise NotImplementedError(msg)

    def sample(
        self, sample_shape: Any = (), seed: Seed = None, name: str = "sample"
    ) -> Any:
        """Return some of the draws, each once as long as there are enough.

        Args:
            sample_shape: Shape of the draws.
            seed: Int that fixes which.
            name: Name of the operation.
        """
        _checks.sample_shape(sample_shape)
        shape = tuple(int(n) for n in np.atleast_1d(np.asarray(sample_shape, int)))
        count = int(np.prod(shape))
        flat = self._draws.reshape(-1, self._draws.shape[-1])
        rng = np.random.default_rng(base.pair(seed).tolist())
        kept = rng.choice(len(flat), count, replace=count > len(flat))
        with tf.name_scope(name):
            vectors = tf.reshape(tf.gather(flat, kept), [*shape, flat.shape[1]])
            return self._all.bounded(vectors)


class ByChains(base.Estimator):
    """Base class of estimators of what a posterior is known by up to a constant."""

    @abc.abstractmethod
    def _log_prob(self) -> LogProb:
        """Return the logarithm of it, up to a constant of the data."""

    def posterior(
        self,
        x_o: TensorLike,
        *,
        num_draws: int = 10_000,
        num_chains: int = 200,
        burn_in: int = 200,
        seed: Seed = None,
    ) -> ChainPosterior:
        """Return the posterior of one observation, or of several independent ones.

        Args:
            x_o: Observation, `[*x_shape]`, or several, `[N, *x_shape]`.
            num_draws: Draws to make, at least.
            num_chains: Number of chains; see `ChainPosterior`.
            burn_in: Steps of each chain before.
            seed: Int that fixes the draws.

        Raises:
            ValueError: If the shape is not that of a simulation, or numbers are not
                finite.
        """
        observed = self._observed(x_o)
        return run(
            self.parameters,
            self._log_prob(),
            observed.reshape(-1, *self.x_shape),
            num_draws=num_draws,
            num_chains=num_chains,
            burn_in=burn_in,
            seed=seed,
        )


def run(
    parameters: Parameters,
    log_prob: LogProb,
    observed: np.ndarray,
    *,
    num_draws: int,
    num_chains: int,
    burn_in: int,
    seed: Seed,
) -> ChainPosterior:
    """Return the posterior of independent observations, with draws of short chains.

    Chains start at draws of the prior, resampled by their likelihood, so that each mode
    gets chains by its weight, and move by the no-U-turn sampler without bounds.

    Args:
        parameters: Those of the prior.
        log_prob: Function of parameters `[N, D]` and data `[N, *x_shape]` in a graph,
            that returns `[N]`: what each observation adds to the log-density.
        observed: The observations, `[K, *x_shape]`.
        num_draws: Draws to keep, at least.
        num_chains: Number of chains.
        burn_in: Steps before, in which the step size adapts.
        seed: Int that fixes the draws.
    """
    for name, value in (("num_draws", num_draws), ("num_chains", num_chains)):
        _checks.count(value, 1, name)
    _checks.count(burn_in, 10, "burn_in")
    log_likelihood = _OfAll(log_prob, observed)
    start_seed, chain_seed = base.pair(seed), base.pair([*_ints(seed), 1])
    start, scale = _starts(parameters, log_likelihood, num_chains, start_seed)
    prior = parameters.target

    def target(vectors: tf.Tensor) -> tf.Tensor:
        events = parameters.bijector.forward(vectors)
        return prior.flat_log_prob(vectors) + log_likelihood(parameters.flat(events))

    @tf.function(autograph=False)
    def chains(start: tf.Tensor, scale: tf.Tensor) -> Any:
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            tfp.mcmc.NoUTurnSampler(target, scale, MAX_TREE_DEPTH),
            num_adaptation_steps=int(0.8 * burn_in),
            target_accept_prob=tf.constant(ACCEPTANCE, start.dtype),
        )
        return tfp.mcmc.sample_chain(
            -(-num_draws // num_chains),
            start,
            kernel=kernel,
            num_burnin_steps=burn_in,
            num_steps_between_results=THIN - 1,
            trace_fn=lambda _, state: state.inner_results.log_accept_ratio,
            seed=chain_seed,
        )

    draws, log_ratios = chains(start, 0.2 * scale)
    return ChainPosterior(
        parameters,
        log_likelihood,
        draws.numpy(),
        float(np.mean(np.exp(np.minimum(log_ratios.numpy(), 0.0)))),
    )


class _OfAll:
    """The sum over observations as a function of parameters, `[N, D]` to `[N]`.

    Args:
        log_prob: What each adds, see `run`.
        observed: The observations, `[K, *x_shape]`.
    """

    def __init__(self, log_prob: LogProb, observed: np.ndarray) -> None:
        self._log_prob, self._observed = log_prob, observed

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        count, *shape = self._observed.shape
        given = tf.repeat(rows, count, axis=0)
        data = tf.tile(self._observed, [tf.shape(rows)[0], *([1] * len(shape))])
        found = tf.reshape(self._log_prob(given, data), [-1, count])
        return tf.reduce_sum(found, axis=1)


def _ints(seed: Seed) -> list[int]:
    return [int(v) for v in (base.pair(None) if seed is None else np.atleast_1d(seed))]


def _starts(
    parameters: Parameters,
    log_likelihood: LogLikelihood,
    count: int,
    seed: np.ndarray,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return states where chains start, `[count, size]`, and their scale, `[size]`."""
    parts = parameters.sample(STARTS, seed)
    rows = np.concatenate([part.reshape(STARTS, -1) for part in parts], axis=1)
    compiled = tf.function(
        log_likelihood,
        autograph=False,
        input_signature=[tf.TensorSpec([None, rows.shape[1]], parameters.dtype)],
    )
    weights = np.concatenate(
        [compiled(rows[i : i + BLOCK]).numpy() for i in range(0, STARTS, BLOCK)]
    ).astype(np.float64)
    weights = np.where(np.isnan(weights), -np.inf, weights)
    if not np.isfinite(weights.max()):
        msg = (
            "the likelihood of the observation is 0 or NaN at all draws of the prior. "
            "Check `x_o`, and simulate more."
        )
        raise ValueError(msg)
    weights = np.exp(weights - weights.max())
    # Systematic resampling: each draw as often as its weight says, up to one.
    places = (np.random.default_rng(seed.tolist()).uniform() + np.arange(count)) / count
    ends = np.cumsum(weights) / weights.sum()
    kept = np.minimum(np.searchsorted(ends, places), STARTS - 1)
    vectors = parameters.unbounded(parts)
    start = vectors[kept]
    spread = start.std(axis=0)
    whole = vectors.std(axis=0)
    scale = np.where(spread > 1e-3 * whole, spread, 1e-3 * whole)
    return tf.constant(start), tf.constant(scale)
