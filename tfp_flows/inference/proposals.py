"""Proposals: draws with importance weights for a target, block by block."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _checks, _graphs, flows
from tfp_flows.inference import targets

__all__ = ["Draws", "density", "resampled"]

# Draws of so many numbers in all are kept, and not drawn again.
MOST_KEPT = 10_000_000
# Draws that are moved to see whether the proposal ends before the target does.
NUM_MOVED = 256


def density(proposal: Any, argument: str = "proposal") -> tfd.Distribution:
    """Return what to draw from: a flow's distribution, or a distribution as it is.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is a flow that needs a condition, or has a batch.
    """
    if isinstance(proposal, flows.Flow):
        if proposal.condition_shape is not None:
            msg = (
                f"`{argument}` must have no condition, got a flow of condition_shape "
                f"{proposal.condition_shape}. Pass flow.distribution(condition)."
            )
            raise ValueError(msg)
        return proposal.distribution()
    if not hasattr(proposal, "experimental_sample_and_log_prob"):
        msg = (
            f"`{argument}` must be a distribution or a flow, got "
            f"{type(proposal).__name__}."
        )
        raise TypeError(msg)
    batch = tf.nest.flatten(proposal.batch_shape)
    if any(tuple(shape) for shape in batch):
        msg = (
            f"`{argument}` must have no batch, got batch_shape {proposal.batch_shape}. "
            "Use tfd.Independent, or pass the distribution of one condition."
        )
        raise ValueError(msg)
    return proposal


def require_continuous(proposal: Any, target: Any) -> None:
    """Raise if a proposal draws from single values, and a target is a density.

    Of a function it is not known: it may be the masses of such values.

    Raises:
        ValueError: If the one is discrete, and the other is not.
    """
    if _is_discrete(proposal) and hasattr(target, "log_prob"):
        msg = (
            "`proposal` must be a density, as the target is, got the discrete "
            f"{type(proposal).__name__}: its draws miss almost all of the target. Pass "
            "a distribution of numbers, such as tfd.Normal."
        )
        raise ValueError(msg)


def _is_discrete(distribution: Any) -> bool:
    """Whether the events of a distribution are known to be single values."""
    if not all(tf.as_dtype(d).is_floating for d in tf.nest.flatten(distribution.dtype)):
        return True
    try:
        support = distribution.experimental_default_event_space_bijector()
    except (NotImplementedError, AttributeError, TypeError):
        return False  # it does not say
    return support is None


class Draws:
    """Draws of a proposal in blocks, each from a seed of its own.

    A block can be drawn again, so that only weights need memory.

    Args:
        target: The target.
        proposal: Over events of the target, or over vectors without bounds.
        count: Number of draws.
        block_size: Draws in one block.
        seed: Int that fixes the draws.
        flat: Whether the proposal is over vectors even if events have their shape.

    Raises:
        ValueError: If the proposal has other events.
    """

    def __init__(
        self,
        target: targets.Target,
        proposal: tfd.Distribution,
        count: int,
        block_size: int,
        seed: int,
        *,
        flat: bool = False,
    ) -> None:
        _checks.count(count, 1, "n")
        _checks.count(block_size, 1, "block_size")
        self.over_events = target.is_event_of(proposal) and not flat
        shape = proposal.event_shape
        is_flat = isinstance(shape, tf.TensorShape) and tuple(shape) == (target.size,)
        if not self.over_events and not is_flat:
            msg = (
                f"`proposal` must have events of shape {target.event_shape}, or "
                f"vectors without bounds of shape {(target.size,)}, got {shape}."
            )
            raise ValueError(msg)
        self.target, self.proposal = target, proposal
        self.count, self.block_size = count, min(block_size, count)
        self._seed = seed
        self._kept: dict[int, tuple[Any, np.ndarray, Any]] = {}
        self._keeps = count * target.size <= MOST_KEPT
        self._run = _graphs.for_each_shape(self._draw)

    def __len__(self) -> int:
        return -(-self.count // self.block_size)

    def __getstate__(self) -> dict[str, Any]:
        """Return the draws, from then on without what would draw them again.

        Raises:
            pickle.PicklingError: If there are too many for memory.
        """
        if not self._keeps:
            msg = (
                f"{self.count} draws of {self.target.size} numbers cannot be pickled, "
                "as they are drawn anew block by block. Pickle what `resample` returns."
            )
            raise pickle.PicklingError(msg)
        kept = {index: self._block(index) for index in range(len(self))}
        gone = dict.fromkeys(("target", "proposal", "_run"))
        return {**self.__dict__, **gone, "_kept": kept}

    def _draw(self, seed: tf.Tensor, size: tf.Tensor) -> tuple[Any, tf.Tensor, Any]:
        """Return events of one block, their log-weights, and what was drawn."""
        x, log_q = self.proposal.experimental_sample_and_log_prob(size, seed=seed)
        dtype = self.target.dtype
        x = tf.nest.map_structure(lambda v: tf.cast(v, dtype), x)
        log_q = tf.cast(log_q, dtype)
        if self.over_events:
            return x, self.target.log_prob(x) - log_q, x
        log_weights = self.target.flat_log_prob(x) - log_q
        return self.target.bijector.forward(x), log_weights, x

    def block(self, index: int) -> tuple[Any, np.ndarray]:
        """Return the events of a block and their log-weights, as NumPy arrays.

        Raises:
            ValueError: If a log-weight is NaN or `inf`.
        """
        return self._block(index)[:2]

    def vectors(self, index: int) -> np.ndarray:
        """Return the vectors without bounds of a block, as they were drawn, `[N, D]`.

        The way back from events would lose those that lie at a bound.
        """
        return self._block(index)[2]

    def _block(self, index: int) -> tuple[Any, np.ndarray, Any]:
        if index in self._kept:
            return self._kept[index]
        start = index * self.block_size
        size = min(self.block_size, self.count - start)
        x, log_weights, drawn = self._run(
            tf.constant([self._seed, index], tf.int32), tf.constant(size)
        )
        found = np.asarray(log_weights, np.float64)
        _require_numbers(found, x)
        x, drawn = tf.nest.map_structure(np.asarray, (x, drawn))
        if self._keeps:
            self._kept[index] = x, found, drawn
        return x, found, drawn

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        for index in range(len(self)):
            yield self.block(index)


def is_missed(draws: Draws) -> bool:
    """Return whether the target has density where the proposal has none.

    No weight of a draw shows that. Some draws are moved away from their middle by half
    of their way, and both densities are taken where they arrive.
    """
    x = draws.vectors(0)
    if not isinstance(x, np.ndarray) or x.ndim != 2:
        return False
    x = x[:NUM_MOVED]
    moved = x.mean(axis=0) + 1.5 * (x - x.mean(axis=0))
    try:
        log_q = draws.proposal.log_prob(tf.cast(moved, draws.proposal.dtype))
        outside = moved[~(np.asarray(log_q) > -np.inf)]
        if not len(outside):
            return False
        target = draws.target
        density = target.log_prob if draws.over_events else target.flat_log_prob
        log_p = density(tf.cast(outside, target.dtype))
    except tf.errors.InvalidArgumentError:  # one that validates its arguments
        return False
    return bool(np.isfinite(log_p).any())


def _require_numbers(log_weights: np.ndarray, x: Any) -> None:
    """Raise if a log-weight is NaN or `inf`, with an event that has such a one."""
    wrong = np.isnan(log_weights) | np.isposinf(log_weights)
    if not wrong.any():
        return
    first = int(np.argmax(wrong))
    event = tf.nest.map_structure(lambda v: np.asarray(v)[first].tolist(), x)
    text = str(event)
    text = text if len(text) < 200 else text[:200] + " ..."
    msg = (
        f"`target` must have a log-density below infinity, got {log_weights[first]} "
        f"for {int(wrong.sum())} of {len(wrong)} draws, one of them {text}. Return "
        "-inf where the density is 0, or give the bounds by `support`."
    )
    raise ValueError(msg)


def resampled(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return indices of draws in proportion to their weights, evenly spaced."""
    cumulative = np.cumsum(weights)
    places = (rng.uniform() + np.arange(count)) / count * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, places), len(weights) - 1)
