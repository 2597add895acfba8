"""An animation of points on their way through the maps of a flow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows import _checks, _files, _optional, flows
from tfp_flows._types import Condition
from tfp_flows.flows import registry
from tfp_flows.plots import canvas
from tfp_flows.plots.layers import directions

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["layers_gif"]

# Frames that the first and the last picture stay.
_STAY = 6


def layers_gif(
    path: str | os.PathLike[str],
    flow: flows.Flow,
    *,
    condition: Condition = None,
    ks: Sequence[int] | None = None,
    columns: tuple[int, int] = (0, 1),
    num_samples: int = 2_000,
    frames: int = 6,
    duration: int = 90,
    seed: int = 0,
) -> Path:
    """Write a GIF of points that go through the maps of a flow, from base to data.

    Points keep the colour of their direction from the origin of the base space. Between
    two maps they move on straight lines, which only guide the eye.

    Args:
        path: File to write, `.gif`; an existing one is replaced.
        flow: The flow.
        condition: Condition of a conditional flow, `[C]`.
        ks: Numbers of maps to stop at, see `Flow.partial`; default: all.
        columns: The two coordinates to draw, counted in the flattened event.
        num_samples: Number of points.
        frames: Frames from one stop to the next.
        duration: Milliseconds that a frame is shown.
        seed: Seed of the base points.

    Returns:
        The file.

    Raises:
        ValueError: If the event has fewer than two numbers, or the file is no `.gif`.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("nsf", 2, seed=0)
        >>> tfpf.plots.layers_gif("layers.gif", flow)  # doctest: +SKIP
        PosixPath('layers.gif')
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        msg = f"`path` must end in .gif, got {path.name!r}. Rename it."
        raise ValueError(msg)
    registry.require_flow(flow)
    if flow.event_size < 2:
        msg = (
            f"`flow` must have events of two numbers or more, got event_shape "
            f"{flow.event_shape}. Draw a histogram of samples instead."
        )
        raise ValueError(msg)
    _checks.count(frames, 1, "frames")
    _checks.count(num_samples, 1, "num_samples")
    ks = list(range(flow.num_maps + 1)) if ks is None else list(ks)
    z = flow.partial(0, condition).sample(num_samples, seed=(seed, 0))
    stops = []
    for k in ks:
        x = flow.partial(k, condition).bijector.forward(z)
        stops.append(np.asarray(x).reshape(num_samples, -1)[:, list(columns)])
    pictures = _draw(stops, ks, directions(z.numpy(), columns), frames)
    with _files.replacing(path) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=duration,
            loop=0,
        )
    return path


def _draw(
    stops: list[np.ndarray], ks: Sequence[int], colors: np.ndarray, frames: int
) -> list[Image]:
    agg = _optional.require("matplotlib.backends.backend_agg", extra="plot")
    images = _optional.require("PIL.Image", extra="plot")
    figure = canvas.new_figure(3.8, 4.0)
    painter = agg.FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    points = ax.scatter(stops[0][:, 0], stops[0][:, 1], c=colors, s=4, linewidths=0)
    ax.set(xticks=[], yticks=[])
    boxes = np.array([[canvas.limits(axis) for axis in stop.T] for stop in stops])

    def frame(where: np.ndarray, box: np.ndarray, title: str) -> Image:
        points.set_offsets(where)
        ax.set(xlim=box[0], ylim=box[1])
        ax.set_title(title, fontsize=10, loc="left")
        painter.draw()
        picture = images.fromarray(np.asarray(painter.buffer_rgba())).convert("RGB")
        return picture.quantize(128)

    titles = [canvas.title_of_maps(k, "base", "after") for k in ks]
    out = [frame(stops[0], boxes[0], titles[0])] * _STAY
    for i in range(len(stops) - 1):
        for step in range(1, frames + 1):
            share = 0.5 - 0.5 * np.cos(np.pi * step / frames)  # slow at both ends
            where = (1 - share) * stops[i] + share * stops[i + 1]
            box = (1 - share) * boxes[i] + share * boxes[i + 1]
            out.append(frame(where, box, titles[i + 1]))
    return out + [out[-1]] * (2 * _STAY)
