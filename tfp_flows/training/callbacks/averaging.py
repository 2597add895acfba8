"""Averages of weights over the steps of training."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _checks

__all__ = ["AverageWeights"]

# Over the first steps an average with a long memory would be one of initial weights.
WARM_UP = 10.0


class AverageWeights(keras.callbacks.Callback):
    """Keras callback that keeps an exponential average of the trainable weights.

    Training goes on from the weights themselves; validation, the end of each epoch and
    the flow that `fit` leaves have the average (Polyak averaging). Place it before
    callbacks that save or compare weights. After `n` updates the decay is
    `min(decay, (1 + n) / (10 + n))`.

    Args:
        decay: From 0 to below 1: the share of the old average that an update keeps;
            0.999 remembers about a thousand steps.
        every: Updates between two that are taken in, with so many times the weight.

    Raises:
        ValueError: If the decay is out of range.

    Example:
        >>> from tfp_flows import training
        >>> callback = training.AverageWeights(0.99)

    References:
        Polyak, Juditsky (1992). Acceleration of stochastic approximation by averaging.
        SIAM Journal on Control and Optimization 30(4)
    """

    def __init__(self, decay: float = 0.999, *, every: int = 1) -> None:
        super().__init__()
        _checks.fraction(decay, "decay")
        _checks.at_least(every, 1, "every")
        self._every = int(every)
        self._decay = float(decay)
        self._averages: list[tf.Variable] = []
        self._count = 0.0
        self._kept: list[tf.Tensor] | None = None
        self._update: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start from the weights as they are."""
        weights = [v.value for v in self.model.trainable_variables]
        averages = [tf.Variable(w, trainable=False) for w in weights]

        @tf.function
        def update(decay: tf.Tensor) -> None:
            for average, weight in zip(averages, weights, strict=True):
                part = tf.cast(1.0 - decay, average.dtype)
                average.assign_add(part * (weight - average))

        self._averages, self._update = averages, update
        self._count, self._kept = 0.0, None

    def state(self) -> tuple[list[Any], float]:
        """Return the averages and the number of updates, between two epochs."""
        return list(self._averages), self._count

    def set_state(self, averages: list[Any], count: float) -> None:
        """Go on with averages, after `on_train_begin`.

        Args:
            averages: What `state` gave.
            count: Number of updates.
        """
        for variable, value in zip(self._averages, averages, strict=True):
            variable.assign(value)
        self._count = float(count)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Take the new weights into the average."""
        self._count += 1.0
        # The first ones count one by one: a short fit may have no others.
        every = self._every if self._count > WARM_UP else 1
        if self._count % every:
            return
        decay = min(self._decay, (1.0 + self._count) / (WARM_UP + self._count))
        self._update(tf.constant(decay**every))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate the average."""
        self._use_averages()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the average to the callbacks that follow."""
        self._use_averages()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Go on from the weights themselves."""
        if self._kept is not None:
            for variable, value in zip(
                self.model.trainable_variables, self._kept, strict=True
            ):
                variable.assign(value)
            self._kept = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the average in the flow."""
        self._use_averages()
        self._kept = None

    def _use_averages(self) -> None:
        if self._kept is None and self._averages:
            variables = self.model.trainable_variables
            self._kept = [tf.identity(v.value) for v in variables]
            for variable, average in zip(variables, self._averages, strict=True):
                variable.assign(average)
