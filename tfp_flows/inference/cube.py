"""A flow on the unit cube that is trained on weighted points, again and again."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _graphs, flows

__all__ = ["CubeFlow"]

BATCH_SIZE = 512
LEARNING_RATE = 3e-3
# Steps between two changes of the learning rate, which falls along a cosine.
RATE_EVERY = 10
# Points whose densities are computed at once.
BLOCK_SIZE = 65_536


class CubeFlow:
    """Spline coupling on the unit cube, which starts as the uniform distribution.

    Steps are compiled once, for all rounds of training.

    Args:
        dims: Number of coordinates.
        num_layers: Number of layers.
        hidden_units: Widths of the networks.
        rng: What is random follows it.
    """

    def __init__(
        self,
        dims: int,
        num_layers: int,
        hidden_units: tuple[int, ...],
        rng: np.random.Generator,
    ) -> None:
        self.dims, self._rng = dims, rng
        self.flow = flows.build(
            "nsf",
            dims,
            base="uniform",
            num_layers=num_layers,
            hidden_units=hidden_units,
            num_bins=16,
            seed=int(rng.integers(2**31)),
        )
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE, name="adam")
        self._variables = list(self.flow.trainable_variables)
        self._optimizer.build(self._variables)
        self._step = _graphs.for_each_shape(self._update, jit_compile=True)

    def _update(self, x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(self.flow.distribution().log_prob(x))
        slopes = tape.gradient(loss, [v.value for v in self._variables])
        self._optimizer.apply(slopes, self._variables)
        return loss

    def train(self, points: np.ndarray, weights: np.ndarray, steps: int) -> None:
        """Maximise the weighted likelihood of points of the unit cube.

        Batches are drawn in proportion to the weights: a few large ones then do not
        make a step of their own.

        Args:
            points: `[N, D]`.
            weights: `[N]`, up to a factor.
            steps: Number of updates.
        """
        shares = weights / weights.sum()
        x = (2.0 * points - 1.0).astype(np.float32)
        rows = self._rng.choice(len(x), (steps, BATCH_SIZE), p=shares)
        for step in range(steps):
            if step % RATE_EVERY == 0:
                share = 0.5 * (1.0 + math.cos(math.pi * step / steps))
                self._optimizer.learning_rate = LEARNING_RATE * share
            self._step(tf.constant(x[rows[step]]))

    def sample(self, count: int) -> np.ndarray:
        """Return points of the unit cube, `[count, D]`."""
        seed = int(self._rng.integers(2**31))
        x = self.flow.sample(count, seed=(seed, 0))
        return np.clip(0.5 * (np.asarray(x, np.float64) + 1.0), 0.0, 1.0)

    def log_prob(self, points: np.ndarray) -> np.ndarray:
        """Return log-densities at points of the unit cube, `[N]`."""
        x = (2.0 * points - 1.0).astype(np.float32)
        parts: list[Any] = [
            np.asarray(self.flow.log_prob(x[i : i + BLOCK_SIZE]), np.float64)
            for i in range(0, len(x), BLOCK_SIZE)
        ]
        return np.concatenate(parts) + self.dims * np.log(2.0)
