"""Training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import _optional
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["history"]

# Share of the height above and below the curves: the best value stands below them.
_ROOM = 0.12


def history(
    history: Mapping[str, Sequence[float]] | Any,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw training and validation loss, and mark the epoch of the best validation.

    Args:
        history: What `fit` returned, or its `history` dict with `loss` and, if there
            was validation, `val_loss`.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no `loss`.

    Example:
        >>> from tfp_flows import plots
        >>> ax = plots.history({"loss": [3.0, 2.0], "val_loss": [3.1, 2.4]})
        >>> ax.get_xlabel()
        'epoch'
    """
    msg = "`history` must hold at least one 'loss', got {}. Pass what fit returned."
    values = canvas.values_of(history, "loss", msg)
    ax = canvas.axes_or_new(ax, 5.5, 3.5)
    for key, label, color in (
        ("loss", "training", canvas.DATA),
        ("val_loss", "validation", canvas.SAMPLES),
    ):
        if key in values:
            epochs = np.arange(1, len(values[key]) + 1)
            ax.plot(epochs, values[key], color=color, label=label, linewidth=1.4)
    ax.margins(y=_ROOM)
    ticker = _optional.require("matplotlib.ticker", extra="plot")
    ax.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
    _bound(ax, values)
    if "val_loss" in values:
        best = int(np.nanargmin(values["val_loss"]))
        lowest = values["val_loss"][best]
        ax.plot(best + 1, lowest, "o", color=canvas.SAMPLES, markersize=5)
        ax.annotate(
            f"{lowest:.3f}",
            (best + 1, lowest),
            xytext=(0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
        )
    ax.set(xlabel="epoch", ylabel="negative log-likelihood [nats]")
    ax.legend(frameon=False)
    canvas.tidy(ax)
    return ax


def _bound(ax: Axes, values: Mapping[str, Sequence[float]]) -> None:
    """Leave the steep first epochs outside if they would flatten all the rest."""
    curves = [np.asarray(values[key]) for key in ("loss", "val_loss") if key in values]
    low = min(np.nanmin(curve) for curve in curves)
    start = max(curve[0] for curve in curves)
    # Most epochs lie below the loss that a twentieth of them exceed.
    usual = max(np.nanquantile(curve, 0.95) for curve in curves)
    high = usual + 0.3 * (usual - low)
    if len(curves[0]) >= 10 and start > high:
        ax.set_ylim(low - 0.15 * (high - low), high)
