"""Sheets of samples while a flow of images is trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfp_flows import _checks, _files, _optional
from tfp_flows._types import Condition
from tfp_flows.plots import images

__all__ = ["SampleSheet"]


class SampleSheet(keras.callbacks.Callback):
    """Keras callback that draws samples of a flow of images after epochs.

    The noise is the same each time, so that sheets can be compared.

    Args:
        path: File to write, `.png`, with `{epoch}` for the number of the epoch, such as
            `"sheet-{epoch:03d}.png"`; without it the last sheet stays.
        num_samples: Number of images; with conditions, of each.
        condition: Conditions, `[N, *condition_shape]`, a column for each.
        temperature: See `ImageFlow.sample`.
        every: Draw after every so many epochs, and after the last.
        max_value: The value of white.
        seed: Seed of the samples.

    Raises:
        ValueError: If the path is no PNG file.
        MissingExtraError: If matplotlib is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        num_samples: int = 36,
        condition: Condition = None,
        temperature: float = 0.7,
        every: int = 1,
        max_value: float = 255.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        # Before the training, not after it.
        _optional.require("matplotlib.backends.backend_agg", extra="plot")
        self._path = os.fspath(path)
        if Path(self._path).suffix.lower() != ".png":
            msg = f"`path` must end in .png, got {self._path!r}. Rename it."
            raise ValueError(msg)
        _checks.count(num_samples, 1, "num_samples")
        _checks.count(every, 1, "every")
        self._num_samples = num_samples
        self._condition = condition
        self._temperature = temperature
        self._every = every
        self._max_value = max_value
        self._seed = seed

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw, if it is time."""
        last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self._every and not last:
            return
        x = self.model.sample(
            self._num_samples,
            self._condition,
            seed=self._seed,
            temperature=self._temperature,
        )
        ax: Any = images.image_grid(np.asarray(x), max_value=self._max_value)
        path = self._path.format(epoch=epoch + 1)
        with _files.replacing(path) as temporary:
            ax.figure.savefig(temporary, dpi=120, bbox_inches="tight", pad_inches=0.05)
