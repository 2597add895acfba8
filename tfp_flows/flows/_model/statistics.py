"""Moments, entropy and quantiles of a flow, from draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, Seed, TensorLike
from tfp_flows.flows._model import compiled

__all__ = ["Statistics"]

# Draws of one call: bounds the memory that networks take.
_BLOCK = 65_536


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

        Args:
            condition: `[..., *condition_shape]`; one result for each.
            num_samples: Number of draws.
            seed: Int or stateless seed `[2]`.

        Returns:
            `[...]`.
        """
        draws = self._draws(condition, num_samples, seed, np.float32)
        flow: Any = self
        parts = [
            flow.log_prob(draws[start : start + _BLOCK], condition).numpy()
            for start in range(0, len(draws), _BLOCK)
        ]
        return self._cast(-np.concatenate(parts).astype(np.float64).mean(axis=0))

    def _draws(
        self, condition: Condition, count: int, seed: Seed, dtype: Any = np.float64
    ) -> np.ndarray:
        """Return draws, `[count, ..., *event_shape]`, of one seed in blocks."""
        _checks.count(count, 2, "num_samples")
        flow: Any = self
        words = compiled.stateless_seed(seed)
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
