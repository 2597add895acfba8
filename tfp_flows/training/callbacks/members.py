"""Early stopping of ensembles, each member by itself."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["StopMembers"]


class StopMembers(keras.callbacks.Callback):
    """Keep each member of an ensemble at the epoch that is best for it.

    A member whose validation loss has not fallen for `patience` epochs is frozen: it
    has its best weights whenever it is validated, and at the end. Training ends when
    all members are frozen.

    Args:
        patience: Epochs without a lower loss before a member is frozen.
        keeps_start: Whether the weights before the first epoch count: the flow has been
            evaluated on the validation rows just before.

    Attributes:
        best: Lowest validation loss of each member, `[M]`.
        best_epochs: The epoch of each, from 0; -1 before the first one.
        stopped_epoch: The epoch after which all were frozen, 0 if some are not.
        losses: Validation losses of all members, one array `[M]` for each epoch.
    """

    def __init__(self, patience: int, *, keeps_start: bool = False) -> None:
        super().__init__()
        self.patience = patience
        self._keeps_start = keeps_start
        self.stopped_epoch = 0
        self.losses: list[np.ndarray] = []
        self._kept: list[np.ndarray] = []

    @property
    def best_epoch(self) -> int:
        """The last epoch that is the best one of a member."""
        return int(self.best_epochs.max())

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start from the weights as they are."""
        count = self.model.num_members
        self.best = np.full([count], np.inf)
        self.best_epochs = np.full([count], -1)
        self._waits = np.zeros([count], int)
        self.stopped_epoch, self.losses = 0, []
        self._kept = [v.numpy() for v in self._variables()]
        if self._keeps_start:
            found = self.model.member_losses.numpy()
            self.best = np.where(np.isfinite(found), found, np.inf)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate frozen members at their best weights."""
        self._restore(self._waits >= self.patience)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights of those that are better than before."""
        found = self.model.member_losses.numpy()
        self.losses.append(found)
        better = (found < self.best) & (self._waits < self.patience)
        self.best = np.where(better, found, self.best)
        self.best_epochs = np.where(better, epoch, self.best_epochs)
        self._waits = np.where(better, 0, self._waits + 1)
        if better.any():
            for kept, variable in zip(self._kept, self._variables(), strict=True):
                kept[better] = variable.numpy()[better]
        if np.all(self._waits >= self.patience):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave each member at its best weights."""
        self._restore(np.ones_like(self._waits, bool))

    def _variables(self) -> list[tf.Variable]:
        return self.model.member_variables

    def _restore(self, which: np.ndarray) -> None:
        if not which.any():
            return
        for kept, variable in zip(self._kept, self._variables(), strict=True):
            value = kept
            if not which.all():
                value = variable.numpy()
                value[which] = kept[which]
            variable.assign(value)
