"""What each map of a flow does to the base density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows import _checks, _optional, flows
from tfp_flows._types import Condition
from tfp_flows.flows import registry
from tfp_flows.plots import canvas
from tfp_flows.plots.density import density_2d

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["directions", "layers"]

_MAX_COLUMNS = 5
_MAX_PANELS = 10


def layers(
    flow: flows.Flow,
    *,
    condition: Condition = None,
    ks: Sequence[int] | None = None,
    columns: tuple[int, int] = (0, 1),
    num_samples: int = 2_000,
    density: bool = False,
    seed: int = 0,
    figure: Figure | None = None,
) -> np.ndarray:
    """Draw samples, or densities, after each map of a flow, from the base to the data.

    The same base points go through all panels and keep the colour of their direction
    from the origin, so that one sees where each map moves them.

    Args:
        flow: The flow.
        condition: Condition of a conditional flow, `[C]`.
        ks: Numbers of maps to draw, see `Flow.partial`; default: all, or 10 of
            them evenly spread, the base first.
        columns: The two coordinates to draw, counted in the flattened event.
        num_samples: Points in each panel.
        density: Whether to draw densities on a grid, for events of two numbers.
        seed: Seed of the base points.
        figure: Figure to draw on; default: a new one.

    Returns:
        Array of axes, one for each of `ks`.

    Raises:
        ValueError: If the event has fewer than two numbers, or a `k` is out of range.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> [ax.get_title() for ax in tfpf.plots.layers(flow, ks=[0, 1])]
        ['base', 'after 1 map']
    """
    registry.require_flow(flow)
    if flow.event_size < 2:
        msg = (
            f"`flow` must have events of two numbers or more, got event_shape "
            f"{flow.event_shape}. Draw a histogram of samples instead."
        )
        raise ValueError(msg)
    _checks.count(num_samples, 1, "num_samples")
    if ks is None:
        count = min(flow.num_maps + 1, _MAX_PANELS)
        ks = np.linspace(0, flow.num_maps, count).round().astype(int).tolist()
    across = min(len(ks), _MAX_COLUMNS)
    down = -(-len(ks) // across)
    if figure is None:
        figure = canvas.new_figure(2.6 * across, 2.7 * down)
    axes = np.empty(len(ks), dtype=object)
    z = flow.partial(0, condition).sample(num_samples, seed=(seed, 0))
    color = directions(z.numpy(), columns)
    for position, k in enumerate(ks):
        ax = figure.add_subplot(down, across, position + 1)
        current = flow.partial(k, condition)
        if density:
            density_2d(current, seed=seed, ax=ax)
        else:
            x = current.bijector.forward(z)
            x = np.asarray(flow.pushed(z, condition) if k == flow.num_maps else x)
            x = x.reshape(num_samples, -1)[:, list(columns)]
            ax.scatter(x[:, 0], x[:, 1], c=color, s=2, linewidths=0, rasterized=True)
            ax.set(xlim=canvas.limits(x[:, 0]), ylim=canvas.limits(x[:, 1]))
        canvas.tidy(ax, ticks=4)
        ax.tick_params(labelsize=8)
        names = _names(flow, columns) if k == flow.num_maps else _unnamed(columns)
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])
        ax.set_title(canvas.title_of_maps(k, "base", "after"), fontsize=10)
        axes[position] = ax
    return axes


def directions(z: np.ndarray, columns: tuple[int, int]) -> np.ndarray:
    """Return the colours of base points, by their direction from the origin, `[N, 3]`.

    Args:
        z: Base points, `[N, ...]`.
        columns: The two coordinates that are drawn, counted in the flattened event.
    """
    first, second = z.reshape(len(z), -1)[:, list(columns)].T
    to_rgb = _optional.require("matplotlib.colors", extra="plot").hsv_to_rgb
    turn = (np.arctan2(second, first) / (2 * np.pi)) % 1.0
    shades = [turn, np.full_like(turn, 0.75), np.full_like(turn, 0.8)]
    colors: np.ndarray = to_rgb(np.stack(shades, axis=-1))
    return colors


def _names(flow: flows.Flow, columns: tuple[int, int]) -> tuple[str, str]:
    if flow.columns is None:
        return f"x{columns[0]}", f"x{columns[1]}"
    return flow.columns[columns[0]], flow.columns[columns[1]]


def _unnamed(columns: tuple[int, int]) -> tuple[str, str]:
    return f"z{columns[0]}", f"z{columns[1]}"
