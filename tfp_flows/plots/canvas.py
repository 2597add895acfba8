"""Figures without global state, and the few colours and limits that plots share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import _optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DATA",
    "SAMPLES",
    "axes_or_new",
    "limits",
    "new_figure",
    "thin",
    "tidy",
    "title_of_maps",
    "values_of",
    "wrapped",
]

# Blue and orange of equal weight, told apart by colour-blind readers and in grey.
DATA = "#3b6ea5"
SAMPLES = "#d9662b"


def new_figure(
    width: float, height: float, layout: str | None = "constrained"
) -> Figure:
    """Return a figure that no window and no `pyplot` state knows.

    Args:
        width: Width in inches.
        height: Height in inches.
        layout: Layout engine of matplotlib, `None` for none.
    """
    figures = _optional.require("matplotlib.figure", extra="plot")
    figure: Figure = figures.Figure(figsize=(width, height), layout=layout)
    return figure


def axes_or_new(ax: Axes | None, width: float = 4.5, height: float = 4.0) -> Axes:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    return new_figure(width, height).add_subplot()


def limits(
    values: np.ndarray, tail: float = 0.002, margin: float = 0.08
) -> tuple[float, float]:
    """Return an interval that holds all but the outermost values.

    Args:
        values: Numbers, `[N]`.
        tail: Share of the values that may lie outside, at each end.
        margin: Room beyond, as a share of the width.
    """
    low, high = np.quantile(np.asarray(values, np.float64), [tail, 1 - tail])
    room = margin * (high - low) or 0.5 * max(1.0, abs(low))
    return float(low - room), float(high + room)


def thin(x: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` rows, evenly spread."""
    if len(x) <= count:
        return x
    return x[np.linspace(0, len(x) - 1, count).astype(int)]


def tidy(ax: Axes, ticks: int | None = None) -> None:
    """Take away the frame's upper and right side; keep few ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    if ticks is not None:
        ticker = _optional.require("matplotlib.ticker", extra="plot")
        ax.xaxis.set_major_locator(ticker.MaxNLocator(ticks))
        ax.yaxis.set_major_locator(ticker.MaxNLocator(ticks))


def title_of_maps(k: int, first: str, word: str) -> str:
    """Return what points are called after `k` maps, `first` after none."""
    if k == 0:
        return first
    return f"{word} 1 map" if k == 1 else f"{word} {k} maps"


def values_of(
    history: Mapping[str, Sequence[float]] | Any, key: str, message: str
) -> Mapping[str, Sequence[float]]:
    """Return the numbers of a history.

    Raises:
        ValueError: If there are none for the key.
    """
    values: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    if not len(values.get(key, ())):
        raise ValueError(message.format(sorted(values)))
    return values


def wrapped(names: Sequence[str], width: int = 14) -> list[str]:
    """Break long names into lines."""
    return ["\n".join(textwrap.wrap(name, width)) or name for name in names]
