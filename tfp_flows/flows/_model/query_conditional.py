"""Conditional densities of a flow by adaptive importance sampling."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._types import Seed
from tfp_flows.flows._model.query_lines import Lines, Query, joined
from tfp_flows.math import pareto, proposals

__all__ = ["Conditional", "WeightedDraws", "adapted_draws"]

# Means of fewer draws in effect are no more than a guess, and weights whose tail has a
# larger shape have no mean to rely on.
FEWEST, WORST_TAIL = 100.0, 0.7
# Rounds in which a proposal is fitted anew to weighted draws, the share of draws in
# effect that ends them, and the one that tempered weights have meanwhile.
ROUNDS, ENOUGH, TEMPERED = 8, 0.4, 0.25


@dataclasses.dataclass(frozen=True)
class WeightedDraws:
    """Draws of some columns given the others, with their weights.

    Args:
        draws: Positions on the lines, `[S, A]`.
        log_weights: Logarithms of their weights, `[S]`, the largest smoothed.
        tail_shape: Shape of the tail of the weights, see `math.pareto`.
    """

    draws: np.ndarray
    log_weights: np.ndarray
    tail_shape: float

    @property
    def log_evidence(self) -> float:
        """Log-density of what is given."""
        top = self.log_weights.max()
        return float(top + np.log(np.mean(np.exp(self.log_weights - top))))

    @property
    def effective_sample_size(self) -> float:
        """How many draws count."""
        return _effective(np.exp(self.log_weights - self.log_weights.max()))


def _effective(weights: np.ndarray) -> float:
    return float(weights.sum() ** 2 / np.square(weights).sum())


def adapted_draws(
    lines: Lines,
    known: Sequence[int],
    values: np.ndarray,
    *,
    num_draws: int,
    seed: int,
) -> WeightedDraws:
    """Draw columns given others, by a proposal that is fitted until it is near.

    Each round draws, weighs, and fits the mixture anew to draws by weights that are
    tempered, so that a quarter of the draws count.

    Args:
        lines: The density.
        known: Positions of the columns that are given.
        values: Their values, `[A]`.
        num_draws: Number of draws of each round.
        seed: Int that fixes them.

    Raises:
        ValueError: If the density of what is given is 0.
    """
    free = tuple(i for i in range(lines.size) if i not in known)
    part = proposals.Conditionals(lines.mixture(seed), known, free, lines.dtype)
    x = tf.constant(values[np.newaxis], lines.dtype)
    # Where discrete values lie in their cells is drawn along.
    shares = tf.constant(proposals.points(num_draws, len(known), seed + 1), lines.dtype)
    spread, middle, log_det = lines.of_columns(x, known, shares)
    rng = np.random.default_rng(seed)
    uniforms = proposals.points(num_draws, part.num_uniforms, seed)
    given = part.given(middle)
    for step in range(ROUNDS + 1):
        draws, log_q = part.draw(given, uniforms)
        full = joined([spread, draws], [known, free])
        found = (lines.log_prob(full) - log_q + log_det)[0].numpy().astype(np.float64)
        log_weights = np.where(np.isnan(found), -np.inf, found)
        top = log_weights.max()
        if not np.isfinite(top):
            msg = (
                f"`given` must be possible, got {np.asarray(values).tolist()}, where "
                "the density of the flow is 0. Pass values such as the data have."
            )
            raise ValueError(msg)
        enough = _effective(np.exp(log_weights - top)) >= ENOUGH * num_draws
        if enough or step == ROUNDS:
            break
        tempered = _tempered(log_weights - top, TEMPERED * num_draws)
        rows = draws[0].numpy()[rng.choice(num_draws, num_draws // 2, p=tempered)]
        mixture = proposals.joint(rows, seed + step)
        part = proposals.Conditionals(mixture, (), range(len(free)), lines.dtype)
        given = part.given(tf.zeros([1, 0], lines.dtype))
    return WeightedDraws(draws[0].numpy(), *pareto.smooth(log_weights))


def _tempered(log_weights: np.ndarray, size: float) -> np.ndarray:
    """Return shares by a power of weights of which so many count, if so many can."""
    low, high = 0.0, 1.0
    possible = np.isfinite(log_weights)  # a power of 0 counts them all alike
    log_weights = np.where(possible, log_weights, -1e300)
    for _ in range(30):
        power = 0.5 * (low + high)
        enough = _effective(np.exp(power * log_weights)) >= size
        low, high = (power, high) if enough else (low, power)
    weights = np.where(possible, np.exp(low * log_weights), 0.0)
    return weights / weights.sum()


class Conditional(Query):
    """The density of columns given all the others, by importance sampling.

    `log_prob` is that of the flow less the log-density of what is given, which is an
    estimate; draws are taken from weighted ones, with replacement. The estimate and the
    draws are of the weights that the flow had when this was made.

    Args:
        flow: The flow.
        known: Positions of the columns that are given.
        values: Their values.
        condition: Of the flow, if it needs one.
        num_draws: Number of weighted draws.
        seed: Int that fixes them.
        validate_args: Whether to run value checks.
        name: Name.

    Attributes:
        columns: Names of the columns, or their positions.
        log_evidence: Log-density of what is given.
        effective_sample_size: How many of `num_draws` weighted draws count.
        tail_shape: Shape of the tail of their weights; above 0.7 none can be relied on.
    """

    _parameter_properties = Query.parameter_properties

    def __init__(
        self,
        flow: Any,
        known: Sequence[int],
        values: Sequence[float],
        *,
        condition: Any = None,
        num_draws: int = 8192,
        seed: int = 0,
        validate_args: bool = False,
        name: str = "conditional",
    ) -> None:
        parameters = dict(locals())
        self._flow, self._condition = flow, condition
        self._known, self._values = tuple(known), np.asarray(values, np.float64)
        self._set_columns(flow, [i for i in range(flow.event_size) if i not in known])
        lines = Lines(flow, condition)
        found = adapted_draws(
            lines, self._known, self._values, num_draws=num_draws, seed=seed
        )
        self.log_evidence = found.log_evidence
        self.effective_sample_size = found.effective_sample_size
        self.tail_shape = found.tail_shape
        self._warn_of_few(num_draws)
        # Columns that are given have some values, which are not read.
        free = np.eye(flow.event_size)[list(self._places)]
        x = lines.to_columns(tf.constant(found.draws @ free, lines.dtype))
        self._draws = tf.gather(x, self._places, axis=-1)
        self._logits = tf.constant(found.log_weights, lines.dtype)
        super().__init__(
            dtype=tf.as_dtype(flow.variable_dtype),
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    def _warn_of_few(self, num_draws: int) -> None:
        """Warn if no more than a few draws count."""
        size, shape = self.effective_sample_size, self.tail_shape
        if size >= FEWEST and not (math.isfinite(shape) and shape > WORST_TAIL):
            return
        msg = (
            f"The density of {list(self.columns)} given the other columns rests on "
            f"{size:.0f} of {num_draws} draws, tail shape {shape:.2f}. Take more, and "
            "look whether `given` is far from the data."
        )
        warnings.warn(msg, UserWarning, stacklevel=5)

    def _sample_n(self, n: tf.Tensor, seed: Seed = None) -> tf.Tensor:
        index = tfd.Categorical(logits=self._logits).sample(n, seed=seed)
        return tf.gather(self._draws, index)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        known = tf.constant(self._values, x.dtype) + tf.zeros_like(x[..., :1])
        full = joined([known, x], [self._known, self._places])
        density = self._flow.distribution(self._condition)
        return density.log_prob(full) - tf.cast(self.log_evidence, self.dtype)
