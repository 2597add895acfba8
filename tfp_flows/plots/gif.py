"""An animation of a flow's samples while it is trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfp_flows import _checks, _files, _optional, flows, training
from tfp_flows._types import Condition, TensorLike
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["TrainingGif", "training_gif"]


class TrainingGif(keras.callbacks.Callback):
    """Keras callback that writes a GIF of target against model samples.

    It keeps the samples of evenly spaced updates, whatever number of them there will
    be, and draws at the end of training. The base points of all frames are the same, so
    that points move instead of flicker.

    Args:
        path: File to write, `.gif`; an existing one is overwritten.
        x: Target, `[N, D]` with `D >= 2`.
        condition: Condition of the samples, `[C]`, for a conditional flow.
        frames: Number of frames; fewer only if there are fewer updates.
        duration: Milliseconds that a frame is shown.
        num_samples: Points of the target and of the model in each frame.
        columns: The two coordinates to draw.
        seed: Seed of the samples.

    Raises:
        ValueError: If the target has fewer than two columns.
        MissingExtraError: If matplotlib is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        x: TensorLike,
        *,
        condition: Condition = None,
        frames: int = 30,
        duration: int = 200,
        num_samples: int = 1_000,
        columns: tuple[int, int] = (0, 1),
        seed: int = 0,
    ) -> None:
        super().__init__()
        # Before the training, not after it.
        _optional.require("matplotlib.backends.backend_agg", extra="plot")
        _checks.count(frames, 2, "frames")
        _checks.count(num_samples, 1, "num_samples")
        self._path = Path(path)
        if self._path.suffix.lower() != ".gif":
            msg = f"`path` must end in .gif, got {self._path.name!r}. Rename it."
            raise ValueError(msg)
        target = np.asarray(x)
        if target.ndim != 2 or target.shape[1] < 2:
            msg = (
                f"`x` must have shape [N, D] with D >= 2, got {target.shape}. One "
                "coordinate does not make a picture."
            )
            raise ValueError(msg)
        self._target = canvas.thin(target, num_samples)[:, list(columns)]
        self._condition = condition
        self._frames = frames
        self._duration = duration
        self._num_samples = num_samples
        self._columns = list(columns)
        self._seed = seed
        self._taken: list[tuple[int, np.ndarray]] = []
        self._step = 0
        self._every = 1

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take the untrained flow."""
        self._step = 0
        self._every = 1
        self._taken = []
        self._take()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Take a frame if it is time; with twice as many as needed, drop each other."""
        self._step += 1
        if self._step % self._every:
            return
        self._take()
        if len(self._taken) > 2 * self._frames:
            self._taken = self._taken[::2]
            self._every *= 2

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the frames and write the file."""
        if self._taken[-1][0] != self._step:
            self._take()
        count = min(self._frames, len(self._taken))
        chosen = np.linspace(0, len(self._taken) - 1, count).round().astype(int)
        known = getattr(self.model, "columns", None)
        names = [known[i] if known else f"x{i}" for i in self._columns]
        first, *others = _draw([self._taken[i] for i in chosen], self._target, names)
        with _files.replacing(self._path) as temporary:
            first.save(
                temporary,
                format="GIF",
                save_all=True,
                append_images=others,
                duration=self._duration,
                loop=0,
            )
        self._taken = []

    def _take(self) -> None:
        x = self.model.sample(self._num_samples, self._condition, seed=(self._seed, 0))
        self._taken.append((self._step, np.asarray(x)[:, self._columns]))


def training_gif(
    path: str | os.PathLike[str],
    flow: flows.Flow | str,
    x: TensorLike,
    *,
    frames: int = 30,
    duration: int = 200,
    num_samples: int = 1_000,
    **options: Any,
) -> tuple[flows.Flow, keras.callbacks.History]:
    """Fit a flow and write a GIF of target against model samples while it learns.

    Args:
        path: File to write, `.gif`; an existing one is overwritten.
        flow: A flow without a condition, or the name of one.
        x: Events, `[N, D]` with `D >= 2`.
        frames: Number of frames; fewer only if there are fewer updates.
        duration: Milliseconds that a frame is shown.
        num_samples: Points of the target and of the model in each frame.
        **options: As in `tfp_flows.fit`.

    Returns:
        The flow and Keras' history.

    Example:
        >>> import tfp_flows as tfpf
        >>> x = tfpf.datasets.toy("banana", 1000)
        >>> flow, _ = tfpf.plots.training_gif(
        ...     "banana.gif", "nsf", x, epochs=10
        ... )  # doctest: +SKIP
    """
    picture = TrainingGif(
        path, x, frames=frames, duration=duration, num_samples=num_samples
    )
    callbacks = [*options.pop("callbacks", ()), picture]
    return training.fit(flow, x, callbacks=callbacks, **options)


def _draw(
    taken: list[tuple[int, np.ndarray]], target: np.ndarray, names: list[str]
) -> list[Image]:
    """Draw the frames; only the points and the title change between them."""
    agg = _optional.require("matplotlib.backends.backend_agg", extra="plot")
    images = _optional.require("PIL.Image", extra="plot")
    figure = canvas.new_figure(4.2, 4.2)
    painter = agg.FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    still, moving = (
        ax.plot(*points, ".", markersize=3, color=color, alpha=alpha, label=label)[0]
        for points, color, alpha, label in (
            (target.T, canvas.DATA, 0.35, "target"),
            (([], []), canvas.SAMPLES, 0.7, "model"),
        )
    )
    ax.set(xlim=canvas.limits(target[:, 0], margin=0.15))
    ax.set(ylim=canvas.limits(target[:, 1], margin=0.15))
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend(
        handles=[still, moving],
        loc="upper right",
        frameon=False,
        markerscale=3,
        fontsize=8,
    )
    canvas.tidy(ax)
    frames = []
    for step, x in taken:
        moving.set_data(*x.T)
        ax.set_title(f"step {step}", fontsize=10, loc="left")
        painter.draw()
        picture = images.fromarray(np.asarray(painter.buffer_rgba())).convert("RGB")
        # One palette each: 64 shades are enough for two colours on white.
        frames.append(picture.quantize(64))
    return frames
