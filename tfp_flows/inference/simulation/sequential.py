"""Rounds of simulation that look where the posterior of one observation is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows._types import Seed, TensorLike
from tfp_flows.inference.simulation import base, simulate
from tfp_flows.inference.simulation.nle import NLE
from tfp_flows.inference.simulation.npe import NPE
from tfp_flows.inference.simulation.parameters import Parameters

__all__ = ["SequentialResult", "sequential"]

METHODS = {"tsnpe": NPE, "snl": NLE}
# Draws of the prior must lie where the posterior has all but this share of its mass.
OUTSIDE = 1e-4
# Draws that say where its edge is, and draws of the prior for each that is kept.
EDGE_DRAWS, MOST_TRIES = 10_000, 500
BLOCK = 50_000
# Draws of the posterior of which one is kept, where the prior's are too rarely inside.
OVERSAMPLING = 50


@dataclasses.dataclass(frozen=True)
class SequentialResult:
    """What rounds of simulation have come to.

    Attributes:
        posterior: Of the observation, after the last round.
        estimator: The fitted estimator; other observations than the one that the rounds
            were made for it does not know.
        theta: Parameters of all rounds, flat, `[N, D]`.
        x: Their simulations, `[N, *x_shape]`.
        kept: Which share of the prior's draws each round kept, from the second on; of
            `"snl"`, nothing.
    """

    posterior: Any
    estimator: NPE | NLE
    theta: np.ndarray
    x: np.ndarray
    kept: tuple[float, ...] = ()


def sequential(
    prior: Any,
    simulator: Callable[..., Any],
    x_o: TensorLike,
    *,
    rounds: int = 5,
    simulations: int = 1_000,
    method: str = "tsnpe",
    estimator: NPE | NLE | None = None,
    batch_size: int | None = 1_000,
    workers: int = 1,
    seed: Seed = None,
    verbose: int | str = "auto",
    **settings: Any,
) -> SequentialResult:
    """Simulate in rounds, each where the posterior of the rounds before has density.

    `"tsnpe"` draws from the prior, cut to the region that holds nearly all of the
    posterior, and learns the posterior; `"snl"` draws from the posterior, and learns
    the likelihood. Both are right without corrections, and need fewer simulations than
    one round for all observations, but serve the one observation only.

    Args:
        prior: Distribution of the parameters, joint ones too.
        simulator: See `simulate`.
        x_o: The observation, `[*x_shape]`.
        rounds: Number of rounds; the first draws from the prior.
        simulations: Simulations of each round.
        method: `"tsnpe"` or `"snl"`.
        estimator: An `NPE` or `NLE` with options of its own; of the same prior.
        batch_size: See `simulate`.
        workers: See `simulate`.
        seed: Int that fixes all draws.
        verbose: 0 shows no progress.
        **settings: Of `tfp_flows.fit`.

    Raises:
        ValueError: If the method is unknown.
        TypeError: If the estimator is of another method.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> def simulator(theta, seed):
        ...     rng = np.random.default_rng(seed)
        ...     return theta + 0.1 * rng.normal(size=theta.shape)
        >>> prior = tfd.Independent(tfd.Uniform([-5., -5.], 5.), 1)
        >>> npe = inference.NPE(prior, "maf", num_layers=1, seed=0)
        >>> found = inference.sequential(
        ...     prior, simulator, [1., 2.], rounds=2, simulations=200, estimator=npe,
        ...     seed=0, verbose=0, epochs=10)
        >>> found.x.shape, found.kept[0] < 0.9
        ((400, 2), True)

    References:
        Deistler, Goncalves, Macke (2022). Truncated proposals for scalable and
        hassle-free simulation-based inference. https://arxiv.org/abs/2210.04815

        Papamakarios, Sterratt, Murray (2019). Sequential Neural Likelihood.
        https://arxiv.org/abs/1805.07226, algorithm 1
    """
    _context.require_eager("sequential")
    _checks.one_of(method, tuple(METHODS), "method")
    _checks.count(rounds, 1, "rounds")
    _checks.count(simulations, 50, "simulations")
    kind: Any = METHODS[method]
    if estimator is None:
        estimator = kind(prior, seed=None if seed is None else _int(seed))
    if not isinstance(estimator, kind):
        msg = (
            f"`estimator` must be an `{kind.__name__}` for method={method!r}, got "
            f"`{type(estimator).__name__}`."
        )
        raise TypeError(msg)
    parameters, kept = estimator.parameters, []
    parts: list[np.ndarray] = []
    x, posterior = None, None
    for i in range(rounds):
        own = base.pair(None if seed is None else [_int(seed), i])
        if posterior is None:
            new = parameters.sample(simulations, own)
        elif isinstance(estimator, NPE):
            new, share = _truncated(parameters, posterior, simulations, own)
            kept.append(share)
        else:
            new = _drawn(parameters, posterior, simulations, own)
        found = simulate.run(
            parameters,
            simulator,
            new,
            batch_size=batch_size,
            workers=workers,
            seed=own,
            verbose=verbose,
        )
        parts = _joined(parts, new) if parts else new
        x = found if x is None else np.concatenate([x, found])
        estimator.fit(parameters.packed(parts), x, verbose=verbose, **settings)
        is_last = i == rounds - 1
        posterior = _posterior(estimator, x_o, None if is_last else simulations, own)
    rows = parameters.read(parameters.packed(parts))[1]
    return SequentialResult(posterior, estimator, rows, np.asarray(x), tuple(kept))


def _posterior(
    estimator: NPE | NLE, x_o: TensorLike, count: int | None, seed: np.ndarray
) -> Any:
    """Return the posterior after a round; chains make `count` draws, if given."""
    if isinstance(estimator, NPE):
        return estimator.posterior(x_o)
    options = {} if count is None else {"num_draws": count}
    return estimator.posterior(x_o, seed=seed, **options)


def _int(seed: Seed) -> int:
    return int(np.atleast_1d(seed)[0])


def _joined(one: list[np.ndarray], other: list[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(pair) for pair in zip(one, other, strict=True)]


def _drawn(
    parameters: Parameters, posterior: Any, count: int, seed: np.ndarray
) -> list[np.ndarray]:
    """Return draws of a posterior as arrays, one for each part."""
    draws = posterior.sample(count, seed=seed)
    leaves = tf.nest.flatten(draws) if parameters.is_joint else [draws]
    return [np.asarray(leaf) for leaf in leaves]


def _truncated(
    parameters: Parameters, posterior: Any, count: int, seed: np.ndarray
) -> tuple[list[np.ndarray], float]:
    """Return draws of the prior in the posterior's region, and how many were kept."""
    log_prob = tf.function(posterior.log_prob, autograph=False)

    def density(parts: list[np.ndarray]) -> np.ndarray:
        events = [tf.constant(part) for part in parts]
        return log_prob(parameters.packed(events)).numpy()

    seeds = np.random.default_rng(seed.tolist()).integers(2**31 - 1, size=(1_000, 2))
    seeds = seeds.astype(np.int32)
    edge = np.quantile(
        density(_drawn(parameters, posterior, EDGE_DRAWS, seeds[0])), OUTSIDE
    )
    inside, tried, found = None, 0, 0
    for own in seeds[2:]:
        if found >= count or tried >= MOST_TRIES * count:
            break
        parts = parameters.sample(BLOCK, own)
        keep = density(parts) >= edge
        new = [part[keep] for part in parts]
        inside = new if inside is None else _joined(inside, new)
        tried, found = tried + BLOCK, len(inside[0])
    if inside is not None and found >= count:
        return [part[:count] for part in inside], found / tried
    new = _resampled(parameters, posterior, density, edge, count, seeds[1])
    return new, found / max(tried, 1)


def _resampled(
    parameters: Parameters,
    posterior: Any,
    density: Callable[[list[np.ndarray]], np.ndarray],
    edge: float,
    count: int,
    seed: np.ndarray,
) -> list[np.ndarray]:
    """Return draws of the posterior in its region, weighted to those of the prior."""
    parts = _drawn(parameters, posterior, OVERSAMPLING * count, seed)
    log_q = density(parts)
    weights = np.where(log_q >= edge, parameters.log_prob(parts) - log_q, -np.inf)
    noise = np.random.default_rng(seed.tolist()).gumbel(size=len(weights))
    # The largest noisy log-weights are a weighted sample without repeats.
    best = np.argsort(-(weights + noise), kind="stable")[:count]
    return [part[best] for part in parts]
