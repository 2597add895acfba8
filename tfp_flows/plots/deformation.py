"""What a flow makes of a grid: how it stretches, folds and bends the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfp_flows import _checks, datasets, flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows import registry
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["deformation"]

# Points of a line: between maps that bend, straight pieces show beyond.
_POINTS = 400
_LINE = "#31445a"


def deformation(
    flow: flows.Flow,
    *,
    condition: Condition = None,
    k: int | None = None,
    extent: float = 2.5,
    num_lines: int = 15,
    data: TensorLike | None = None,
    max_points: int = 1_000,
    ax: Axes | None = None,
) -> Axes:
    """Draw a square grid of the base space as the maps of a flow deform it.

    Lines are dense where the density is high. Cells have equal sides in the base space;
    colours from blue to orange are positions along its first axis, so that one sees
    which way it turns.

    Args:
        flow: A flow of events of two numbers.
        condition: Condition of a conditional flow, `[C]`.
        k: Number of maps to go through, see `Flow.partial`; default: all.
        extent: How far the grid reaches from the origin of the base space.
        num_lines: Lines in each direction.
        data: Points to draw behind, `[N, 2]`.
        max_points: Most of them drawn.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If an event does not hold two numbers.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> len(tfpf.plots.deformation(flow, num_lines=5).lines)
        10
    """
    registry.require_flow(flow)
    if flow.event_size != 2:
        msg = (
            f"`flow` must have events of two numbers, got event_shape "
            f"{flow.event_shape}. Draw `plots.layers` of two columns instead."
        )
        raise ValueError(msg)
    _checks.count(num_lines, 2, "num_lines")
    k = flow.num_maps if k is None else k
    places = np.linspace(-extent, extent, num_lines)
    along = np.linspace(-extent, extent, _POINTS)
    lines = [(np.stack([np.full_like(along, p), along], axis=-1), p) for p in places]
    lines += [
        (np.stack([along, np.full_like(along, p)], axis=-1), None) for p in places
    ]
    z = np.stack([line for line, _ in lines])
    pushed = _pushed(flow, z, condition, k)
    ax = canvas.axes_or_new(ax)
    if data is not None:
        points = canvas.thin(datasets.to_table(data).x, max_points)
        ax.plot(*points.T, ".", color="#b9c4d0", markersize=2.5, zorder=0)
    for line, (_, place) in zip(pushed, lines, strict=True):
        color: Any = _LINE if place is None else _blend(0.5 + 0.5 * place / extent)
        width = 0.6 if place is None else 1.0
        ax.plot(*line.T, color=color, linewidth=width, alpha=0.9)
    names = flow.columns if k == flow.num_maps and flow.columns else None
    letter = "x" if k == flow.num_maps else "z"
    names = names or (f"{letter}0", f"{letter}1")
    ax.set(xlabel=names[0], ylabel=names[1])
    canvas.tidy(ax, ticks=5)
    return ax


def _pushed(flow: flows.Flow, z: np.ndarray, condition: Condition, k: int) -> Any:
    flat = z.reshape(-1, *flow.event_shape)
    bijector = flow.partial(k, condition).bijector
    x = bijector.forward(tf.constant(flat, flow.variable_dtype))
    return np.asarray(x).reshape(z.shape)


def _blend(share: float) -> tuple[float, ...]:
    """Return a colour between blue and orange."""
    low, high = (
        np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        for color in (canvas.DATA, canvas.SAMPLES)
    )
    return tuple(((1 - share) * low + share * high).tolist())
