"""Moments, entropy and quantiles of a flow, from draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, _context
from tfp_flows._types import Condition, Seed, TensorLike

__all__ = ["Statistics"]

# Draws of one call: bounds the memory that networks take.
_BLOCK = 65_536
# One of so many draws is first taken to correct those at single points; in the end, so
# many that this adds no more than this part to the variance.
_FIRST, _ADDED = 64, 0.1


class Statistics:
    """What most flows have no closed form for, as averages over samples.

    Errors fall with the square root of the number of draws: that of a mean is the
    standard deviation over the root of `num_samples`. Flows with heavy tails may have
    no variance, or no mean, and then these averages do not settle.
    """

    event_shape: tuple[int, ...]
    condition_shape: tuple[int, ...] | None

    def mean(
        self,
        condition: Condition = None,
        *,
        num_samples: int = 100_000,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return the mean of each coordinate, by draws.

        Args:
            condition: `[..., *condition_shape]`; one result for each.
            num_samples: Number of draws.
            seed: Int or stateless seed `[2]`.

        Returns:
            `[..., *event_shape]`.
        """
        return self._cast(self._draws(condition, num_samples, seed).mean(axis=0))

    def variance(
        self,
        condition: Condition = None,
        *,
        num_samples: int = 100_000,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return the variance of each coordinate, by draws; arguments as of `mean`."""
        return self._cast(self._draws(condition, num_samples, seed).var(axis=0))

    def stddev(
        self,
        condition: Condition = None,
        *,
        num_samples: int = 100_000,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return the deviation of each coordinate, by draws; arguments as of `mean`."""
        return self._cast(self._draws(condition, num_samples, seed).std(axis=0))

    def quantile(
        self,
        value: TensorLike,
        condition: Condition = None,
        *,
        num_samples: int = 100_000,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return quantiles of each coordinate by itself, by draws.

        Args:
            value: Probabilities between 0 and 1, of any shape.
            condition: `[..., *condition_shape]`; one result for each.
            num_samples: Number of draws.
            seed: Int or stateless seed `[2]`.

        Returns:
            `[*value.shape, ..., *event_shape]`.

        Raises:
            ValueError: If a probability is not between 0 and 1.
        """
        value = np.asarray(value, np.float64)
        if not np.all((value >= 0.0) & (value <= 1.0)):
            msg = f"`value` must lie between 0 and 1, got {value}. Pass probabilities."
            raise ValueError(msg)
        draws = self._draws(condition, num_samples, seed)
        return self._cast(np.quantile(draws, value, axis=0))

    def entropy(
        self,
        condition: Condition = None,
        *,
        num_samples: int = 100_000,
        seed: Seed = None,
    ) -> tf.Tensor:
        """Return the entropy in nats, the mean of `-log_prob` over draws.

        Where columns are discrete, `log_prob` averages over points of the cell of a
        value. A density at one random point of it is then taken for each draw, and its
        difference from `log_prob` over fewer draws, enough for about the same error.

        Args:
            condition: `[..., *condition_shape]`; one result for each.
            num_samples: Number of draws.
            seed: Int or stateless seed `[2]`.

        Returns:
            `[...]`.
        """
        draws = self._draws(condition, num_samples, seed, np.float32)
        flow: Any = self

        def exact(rows: np.ndarray) -> np.ndarray:
            return _by_blocks(lambda part: flow.log_prob(part, condition), rows)

        if not getattr(flow, "averages_cells", False):
            return self._cast(-exact(draws).mean(axis=0))
        words = _context.stateless_seed(seed) + tf.constant([1, 0])
        rough = _by_blocks(
            lambda part: flow.log_prob_at_points(part, condition, words), draws
        )
        return self._cast(-_corrected(rough, exact, draws))

    def _draws(
        self, condition: Condition, count: int, seed: Seed, dtype: Any = np.float64
    ) -> np.ndarray:
        """Return draws, `[count, ..., *event_shape]`, of one seed in blocks."""
        _checks.count(count, 2, "num_samples")
        flow: Any = self
        words = _context.stateless_seed(seed)
        sizes = [min(_BLOCK, count - start) for start in range(0, count, _BLOCK)]
        blocks = [
            flow.sample(size, condition, words + tf.constant([0, i])).numpy()
            for i, size in enumerate(sizes)
        ]
        wanted = np.promote_types(dtype, blocks[0].dtype)
        return np.concatenate(blocks).astype(wanted)

    def _cast(self, value: np.ndarray) -> tf.Tensor:
        flow: Any = self
        return tf.convert_to_tensor(value, flow.variable_dtype)


def _by_blocks(function: Callable[[np.ndarray], Any], rows: np.ndarray) -> np.ndarray:
    """Return what a function gives for rows, in float64."""
    starts = range(0, len(rows), _BLOCK)
    parts = [function(rows[start : start + _BLOCK]).numpy() for start in starts]
    return np.concatenate(parts).astype(np.float64)


def _corrected(
    rough: np.ndarray, exact: Callable[[np.ndarray], np.ndarray], rows: np.ndarray
) -> np.ndarray:
    """Return the mean of exact values over rows, from rough ones of all of them.

    Args:
        rough: Values that are cheap, `[N, ...]`.
        exact: Returns those that are dear, for the first rows.
        rows: `[N, ...]`.
    """
    count, done = len(rows), np.empty([0, *rough.shape[1:]])
    wanted = max(2, count // _FIRST)
    while True:
        found = exact(rows[len(done) : wanted])
        done = np.concatenate([done, found - rough[len(done) : wanted]])
        if not np.isfinite(rough).all() or not np.isfinite(done).all():
            return exact(rows).mean(axis=0)
        if len(done) == count:
            break
        error = _ADDED * rough.var(axis=0).max() / count
        needed = math.ceil(done.var(axis=0).max() / max(error, 1e-300))
        if needed <= len(done):
            break
        wanted = min(count, max(needed, 2 * len(done)))
    return rough.mean(axis=0) + done.mean(axis=0)
