"""Importance sampling: draws of a proposal, weighted to be those of a target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _checks, _context
from tfp_flows._types import Shape
from tfp_flows.diagnostics.psis import SmoothedWeights, psis
from tfp_flows.inference import proposals, targets

__all__ = ["Estimate", "ImportanceSample", "importance_sample"]

# Draws whose densities are computed at once.
BLOCK_SIZE = 65_536


class Estimate(NamedTuple):
    """A value and its standard error: numbers, arrays, or structures of arrays."""

    value: Any
    stderr: Any


class ImportanceSample:
    """Draws of a proposal with their weights, and what they tell about a target.

    Draws are made again, from their seeds, where they do not fit into memory: the
    proposal must not be changed while its sample is in use.

    Attributes:
        log_weights: `log_prob` of the target minus that of the proposal, `[N]`.
        smoothed: The weights with a smoothed tail, whose sum is 1; expectations take
            these.
        log_evidence: Log of the integral of the target, with its standard error.
        is_covered: Whether no event was found where the target has density and the
            proposal has none. Else all figures are of the part that it meets.
    """

    def __init__(self, draws: proposals.Draws, *, is_covered: bool = True) -> None:
        self._draws = draws
        self.is_covered = is_covered
        self.log_weights = np.concatenate([weights for _, weights in draws])
        if np.isneginf(self.log_weights).all():
            msg = (
                f"`target` must not be 0 everywhere, got a log-density of -inf at all "
                f"{len(self.log_weights)} draws. Take a proposal that meets its "
                "support, or give that by `support`."
            )
            raise ValueError(msg)
        self.smoothed: SmoothedWeights = psis(self.log_weights)
        self.log_evidence = _log_mean(self.log_weights)

    def __len__(self) -> int:
        return len(self.log_weights)

    @property
    def ess(self) -> float:
        """Effective sample size: so many draws of the target tell as much."""
        return self.smoothed.ess

    @property
    def k_hat(self) -> float:
        """Shape of the tail of the weights, to be below 0.7."""
        return self.smoothed.k_hat

    @property
    def reliable(self) -> bool:
        """Whether `k_hat` and `is_covered` allow to trust means over the target."""
        return self.smoothed.reliable and self.is_covered

    @property
    def judgement(self) -> str:
        """A sentence that says whether reweighted draws can be trusted."""
        if self.is_covered:
            return self.smoothed.judgement
        return (
            "The proposal has no density at events where the target has: all figures "
            "are of the part of the target that it meets. Take a wider proposal, "
            f"unless you mean that part. Of it: {self.smoothed.judgement}"
        )

    def first_block(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first draws as they were made, and their log-weights.

        Vectors without bounds `[B, D]`, where the proposal is over such, and `[B]`.
        """
        vectors = self._draws.vectors(0)
        return vectors, self.log_weights[: len(vectors)]

    def __repr__(self) -> str:
        value, stderr = self.log_evidence
        return f"log-evidence {value:.4f} +- {stderr:.4f}. {self.judgement}"

    def expectation(self, function: Callable[[Any], Any] | None = None) -> Estimate:
        """Return the mean of a function over the target, block by block.

        Args:
            function: Takes events with a leading dimension, `[B, *event_shape]` or a
                structure of such, and returns numbers `[B, ...]` or a structure of
                such. By default the events themselves, whose mean is returned.

        Returns:
            Mean and standard error, each of the shape of one result.

        Raises:
            ValueError: If a result lacks the leading dimension.
        """
        function = (lambda x: x) if function is None else function
        _checks.function(function, "function")
        sums: list[_Moments] | None = None
        structure: Any = None
        start = 0
        for x, log_weights in self._draws:
            count = len(log_weights)
            structure = function(x)
            flat = [np.asarray(v, np.float64) for v in tf.nest.flatten(structure)]
            for values in flat:
                if values.shape[:1] != (count,):
                    msg = (
                        f"`function` must return one result for each of {count} "
                        f"events, got shape {list(values.shape)}."
                    )
                    raise ValueError(msg)
            weights = np.exp(self.smoothed.log_weights[start : start + count])
            start += count
            kept = weights > 0.0  # a value may be infinite where the target is 0
            flat, weights = [values[kept] for values in flat], weights[kept]
            if not kept.any():
                continue
            sums = sums or [_Moments(values, weights) for values in flat]
            for moments, values in zip(sums, flat, strict=True):
                moments.add(values, weights)
        found = [moments.estimate() for moments in sums or ()]
        value, stderr = (
            tf.nest.pack_sequence_as(structure, [each[i] for each in found])
            for i in (0, 1)
        )
        return Estimate(value, stderr)

    def variance(self) -> Any:
        """Return the variance of each number of the events over the target."""
        mean = self.expectation().value
        square = self.expectation(
            lambda x: tf.nest.map_structure(lambda v, m: (v - m) ** 2, x, mean)
        )
        return square.value

    def resample(self, n: int, *, seed: int | None = None) -> Any:
        """Return draws that follow the target as far as the weights can be trusted.

        Systematic resampling: a draw is repeated in proportion to its weight.

        Args:
            n: Number of draws; more than `ess` of them are copies of each other.
            seed: Int that fixes them.

        Returns:
            Events `[n, *event_shape]` in random order, or a structure of such.
        """
        _checks.count(n, 1, "n")
        rng = _context.generator(seed)
        rows = proposals.resampled(self.smoothed.weights, n, rng)
        parts = []
        size = self._draws.block_size
        for index in np.unique(rows // size):
            inside = rows[rows // size == index] - index * size
            x, _ = self._draws.block(int(index))
            parts.append(tf.nest.map_structure(lambda v, i=inside: v[i], x))
        order = rng.permutation(n)
        return tf.nest.map_structure(lambda *v: np.concatenate(v)[order], *parts)


class _Moments:
    """Weighted sums of values, centred by the first block against cancellation."""

    def __init__(self, values: np.ndarray, weights: np.ndarray) -> None:
        self._centre = np.tensordot(weights, values, 1) / weights.sum()
        self._sums = [np.zeros(values.shape[1:]) for _ in range(3)]
        self._weight = self._square = 0.0

    def add(self, values: np.ndarray, weights: np.ndarray) -> None:
        """Add a block."""
        values, squares = values - self._centre, weights**2
        self._weight += float(weights.sum())
        self._square += float(squares.sum())
        self._sums[0] += np.tensordot(weights, values, 1)
        self._sums[1] += np.tensordot(squares, values, 1)
        self._sums[2] += np.tensordot(squares, values**2, 1)

    def estimate(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard error."""
        first, second, third = self._sums
        mean = first / self._weight
        spread = third - 2.0 * mean * second + mean**2 * self._square
        stderr = np.sqrt(np.maximum(spread, 0.0)) / self._weight
        return mean + self._centre, stderr


def _log_mean(log_weights: np.ndarray) -> Estimate:
    """Return the log of the mean of weights, with its standard error."""
    top = float(log_weights.max())
    weights = np.exp(log_weights - top)
    count, mean = len(weights), float(weights.mean())
    stderr = float(weights.std()) / mean / math.sqrt(max(count - 1, 1))
    return Estimate(top + math.log(mean), stderr if count > 1 else math.inf)


def importance_sample(
    target: Any,
    proposal: Any,
    n: int,
    *,
    support: tfb.Bijector | None = None,
    event_shape: Shape | None = None,
    block_size: int = BLOCK_SIZE,
    seed: int | None = None,
) -> ImportanceSample:
    """Draw from a proposal, and weigh the draws so that they stand for a target.

    Args:
        target: Function of events that returns their log-density up to a constant; or
            a `tfd.Distribution`; or a joint distribution, its data pinned by
            `experimental_pin`.
        proposal: Flow or distribution to draw from, over the events of the target, or
            over vectors without bounds that stand for them.
        n: Number of draws, in blocks: 1e7 fit into memory.
        support: Map from vectors without bounds to events; the proposal is then over
            the vectors. Not needed for a target that says where its events lie.
        event_shape: Shape of an event of a function, by default that of the proposal.
        block_size: Draws whose densities are computed at once.
        seed: Int that fixes the draws.

    Returns:
        The weights, the log-evidence with its standard error, effective sample size,
        Pareto k-hat, expectations and resampled draws.

    Raises:
        ValueError: If shapes do not fit, or the target is NaN or infinite at a draw, or
            0 at all of them.
        TypeError: If target or proposal are of another kind.

    Example:
        >>> import tensorflow as tf
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfp_flows import inference
        >>> def target(x):  # normal, without its constant: the log-evidence is 0.919
        ...     return -0.5 * tf.reduce_sum(x**2, axis=-1)
        >>> proposal = tfd.Sample(tfd.StudentT(5.0, 0.0, 1.2), 1)
        >>> found = inference.importance_sample(target, proposal, 10_000, seed=0)
        >>> value, stderr = found.log_evidence
        >>> abs(value - 0.9189) < 4.0 * stderr < 0.05
        True
        >>> found.resample(5, seed=0).shape
        (5, 1)
    """
    _context.require_eager("importance_sample")
    drawn_from = proposals.density(proposal)
    if event_shape is None and isinstance(drawn_from.event_shape, tf.TensorShape):
        event_shape = tuple(drawn_from.event_shape)
        if support is not None:
            event_shape = tuple(support.forward_event_shape(drawn_from.event_shape))
    read = targets.read(
        target,
        event_shape=event_shape,
        support=support,
        dtype=tf.nest.flatten(drawn_from.dtype)[0],
    )
    proposals.require_continuous(drawn_from, target)
    number = int(_context.generator(seed).integers(2**31))
    flat = support is not None
    draws = proposals.Draws(read, drawn_from, n, block_size, number, flat=flat)
    return ImportanceSample(draws, is_covered=not proposals.is_missed(draws))
