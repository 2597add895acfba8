"""The state of training in a folder, so that a fit that was killed goes on from it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfp_flows import _files, _serialize
from tfp_flows.datasets import limits
from tfp_flows.training.callbacks.averaging import AverageWeights
from tfp_flows.training.callbacks.stopping import StopEarly, brought_variables

__all__ = ["Backup"]

FILE = "training.npz"
# What early stopping remembers beside the best weights.
_COUNTS = ("wait", "best", "best_epoch", "stopped_epoch")


class Backup(keras.callbacks.Callback):
    """Keras callback that writes the state of training at the end of each epoch.

    The file holds all variables of the flow, its objective and its optimizer, and what
    callbacks before this one remember. It is replaced whole or not at all, and removed
    when training ends. Place it last.

    Args:
        folder: Where the file is; made if it is missing.
        key: What a fit is; the state of another fit is refused.
        others: Callbacks whose state belongs to it.

    Attributes:
        epoch: Epochs that are done already.

    Raises:
        ValueError: If there is a state of another fit, or it is not readable.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        key: dict[str, Any],
        others: list[keras.callbacks.Callback],
    ) -> None:
        super().__init__()
        self.path = Path(folder).expanduser() / FILE
        self._key, self._others = key, others
        self._arrays: dict[str, np.ndarray] = {}
        self._facts: dict[str, Any] = {}
        self.epoch = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            msg = f"`backup` must be a folder, got the file '{folder}'."
            raise ValueError(msg) from None
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        with limits.reading(self.path, "state of a fit"):
            try:
                with np.load(self.path, allow_pickle=False) as found:
                    self._arrays = {name: found[name] for name in found.files}
            except zipfile.BadZipFile as error:
                raise limits.unreadable(self.path, error, "state of a fit") from error
            self._facts = json.loads(str(self._arrays.pop("facts")))
            # A member under a damaged name comes as bytes, or as none of ours.
            if self._facts.get("names", sorted(self._arrays)) != sorted(self._arrays):
                msg = "its arrays are not those that were written"
                raise ValueError(msg)
        there = self._facts["key"]
        for name, value in self._key.items():
            if there.get(name) != value:
                msg = (
                    f"`backup` '{self.path.parent}' holds the state of another fit,"
                    f" of {name} {there.get(name)!r} and not {value!r}. Give the same "
                    "data and arguments, or another folder."
                )
                raise ValueError(msg)
        self.epoch = int(self._facts["epoch"])

    @property
    def history(self) -> dict[str, list[float]]:
        """Losses of the epochs that are done already."""
        return dict(self._facts.get("history", {}))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Go on from the state, if there is one."""
        self._losses = {k: list(v) for k, v in self.history.items()}
        if not self.epoch:
            return
        with limits.reading(self.path, "state of a fit"):
            self._assign("flow", self._flow_variables())
            self._assign("optimizer", self._optimizer_variables())
        for other in self._others:
            if isinstance(other, AverageWeights):
                other.set_state(self._list("average"), self._facts["averaged"])
            elif isinstance(other, StopEarly):
                for name in _COUNTS:
                    setattr(other, name, self._facts[name])
                best = self._list("best")
                other.best_weights = best or None
                other.best_brought = self._list("best_brought")
        self._arrays = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the losses."""
        for name, value in (logs or {}).items():
            self._losses.setdefault(name, []).append(float(value))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state; averages are not in the place of weights now."""
        if epoch <= self.epoch:
            return
        self._write(epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remove the state: a fit that ended is not gone on with."""
        self.path.unlink(missing_ok=True)

    def _write(self, epoch: int) -> None:
        facts: dict[str, Any] = {
            "epoch": epoch,
            "history": self._losses,
            "key": self._key,
        }
        arrays: dict[str, Any] = _named("flow", self._flow_variables())
        arrays |= _named("optimizer", self._optimizer_variables())
        for other in self._others:
            if isinstance(other, AverageWeights):
                values, facts["averaged"] = other.state()
                arrays |= _named("average", values)
            elif isinstance(other, StopEarly):
                for name in _COUNTS:
                    facts[name] = _serialize.plain(getattr(other, name))
                arrays |= _named("best", other.best_weights or [])
                arrays |= _named("best_brought", other.best_brought)
        facts["names"] = sorted(arrays)
        with _files.replacing(self.path) as temporary, temporary.open("wb") as stream:
            arrays["facts"] = np.array(json.dumps(facts))
            np.savez(stream, **arrays)

    def _flow_variables(self) -> list[Any]:
        return [*self.model.variables, *brought_variables(self.model)]

    def _optimizer_variables(self) -> list[Any]:
        optimizer = self.model.optimizer
        if not optimizer.built:
            brought = [v for v in brought_variables(self.model) if v.trainable]
            optimizer.build([*self.model.trainable_variables, *brought])
        return list(optimizer.variables)

    def _list(self, name: str) -> list[np.ndarray]:
        count = sum(key.startswith(f"{name}/") for key in self._arrays)
        return [self._arrays[f"{name}/{i}"] for i in range(count)]

    def _assign(self, name: str, variables: list[Any]) -> None:
        for variable, value in zip(variables, self._list(name), strict=True):
            variable.assign(value)


def _named(name: str, values: list[Any]) -> dict[str, Any]:
    """Return arrays of variables by name."""
    return {
        f"{name}/{i}": np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        for i, value in enumerate(values)
    }
