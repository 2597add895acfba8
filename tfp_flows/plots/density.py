"""The density of a two-dimensional event on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import datasets
from tfp_flows._types import Condition, TensorLike
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["density_2d"]

# Rows of one call of `log_prob`: bounds the memory that the networks take.
_BLOCK = 65_536
_PILOT = 4_000
# Nats from the darkest colour to white.
_LOG_RANGE = 12.0


def density_2d(
    density: Any,
    *,
    condition: Condition = None,
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
    num: int = 200,
    data: TensorLike | None = None,
    max_points: int = 500,
    log: bool = False,
    colorbar: bool = False,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a density over the plane.

    Args:
        density: A flow or `tfd.Distribution` with events of two numbers.
        condition: Condition of a conditional flow, `[C]`.
        limits: `((low, high), (low, high))` of the two coordinates; default: where the
            data lie, or samples of the density if there are no data.
        num: Points of the grid along each axis.
        data: Points to draw on top, `[N, 2]`.
        max_points: Most of them drawn.
        log: Whether to colour the log-density instead, from its maximum down to 12
            nats below it.
        colorbar: Whether to add a colour bar.
        seed: Seed of the samples that find the limits.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If an event does not hold two numbers.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("linear", 2, seed=0)
        >>> tfpf.plots.density_2d(flow, num=20).get_xlabel()
        'x0'
    """
    if tuple(density.event_shape) != (2,):
        msg = (
            "`density` must have event_shape (2,), got "
            f"{tuple(density.event_shape)}. Draw a corner plot of samples instead."
        )
        raise ValueError(msg)
    points = None if data is None else datasets.to_table(data).x
    given = {} if condition is None else {"condition": np.asarray(condition)}
    if limits is None:
        pilot = points
        if pilot is None:
            pilot = np.asarray(density.sample(_PILOT, seed=(seed, 0), **given))
        limits = (canvas.limits(pilot[:, 0]), canvas.limits(pilot[:, 1]))
    values, edges = _grid(density, given, limits, num)
    ax = canvas.axes_or_new(ax)
    values = values if log else np.exp(values)
    top = float(values.max())
    low = top - _LOG_RANGE if log else 0.0
    mesh = ax.pcolormesh(*edges, values.T, cmap="Blues", vmin=low, vmax=top)
    if points is not None:
        ax.plot(
            *canvas.thin(points, max_points).T,
            ".",
            color=canvas.SAMPLES,
            markersize=2,
            alpha=0.7,
        )
    if colorbar:
        what = "log-density [nats]" if log else "density"
        ax.figure.colorbar(mesh, ax=ax, label=what)
    names = getattr(density, "columns", None) or ("x0", "x1")
    ax.set(xlabel=names[0], ylabel=names[1], xlim=limits[0], ylim=limits[1])
    return ax


def _grid(
    density: Any,
    given: dict[str, np.ndarray],
    limits: tuple[tuple[float, float], tuple[float, float]],
    num: int,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the log-density at the cells' centres, `[num, num]`, and the edges."""
    edges = [np.linspace(low, high, num + 1) for low, high in limits]
    centers = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    grid = np.stack(np.meshgrid(*centers, indexing="ij"), axis=-1).reshape(-1, 2)
    # A distribution takes values of its own type only; a flow names it differently.
    dtype = getattr(density, "variable_dtype", None) or density.dtype
    grid = grid.astype(getattr(dtype, "as_numpy_dtype", dtype))
    blocks = [
        np.asarray(density.log_prob(grid[start : start + _BLOCK], **given))
        for start in range(0, len(grid), _BLOCK)
    ]
    return np.concatenate(blocks).reshape(num, num), edges
