"""Draw the picture of the architecture page: `python docs/make_architecture.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import patches

from tfp_flows.plots import canvas

__all__ = ["main"]

FILE = Path(__file__).resolve().parent / "images" / "architecture.png"
# Layer, what lies in it; from the top down, as imports point.
LAYERS = (
    ("cli, examples", "the shell, one file a command; toy runs"),
    ("testing, diagnosis, plots", "contract checks; what is wrong; pictures"),
    (
        "estimators, models, inference",
        "scikit-learn's words; VAEs and others; posteriors",
    ),
    (
        "diagnostics, information",
        "calibration and two-sample tests; measures of a flow",
    ),
    ("training", "fit, objectives, callbacks, greedy fits"),
    ("flows", "Keras models: recipes of maps, and the registry of names"),
    ("preprocessing, distributions", "columns of tables; base densities"),
    ("bijectors | networks", "maps | the networks that give their parameters"),
    ("math | datasets", "formulas without state | toys, tables, folds"),
)
WAY = (
    "flow.log_prob(x)",
    "compiled function (one for all batch sizes)",
    "TransformedDistribution: inverse, then log-det",
    "Chain: parts in turn, equal ones in a loop",
    "map: _inverse_and_log_det, once",
    "conditioner: [D, N] -> [P, D, N]",
    "formula: value and log-det together",
)


def main() -> None:
    """Write `architecture.png`."""
    figure = canvas.new_figure(11.0, 6.4)
    ax = figure.subplots()
    top = len(LAYERS)
    ax.set(xlim=(0.0, 22.0), ylim=(-0.3, top + 0.5))
    ax.axis("off")
    ax.text(5.2, top + 0.1, "Layers: imports point down", ha="center", size=12)
    ax.text(16.8, top + 0.1, "The way of log_prob", ha="center", size=12)
    for i, (name, what) in enumerate(LAYERS):
        y = top - 1 - i
        _box(ax, 0.2, y + 0.1, 10.0, 0.62, "#e8eef7")
        ax.text(0.4, y + 0.54, name, size=10, weight="bold", va="center")
        ax.text(0.4, y + 0.24, what, size=8.5, va="center")
    step = (top - 1) / (len(WAY) - 1)
    for i, what in enumerate(WAY):
        y = top - 1 - step * i
        _box(ax, 12.0, y + 0.16, 9.6, 0.5, "#f7efe2")
        ax.text(16.8, y + 0.41, what, size=9.5, ha="center", va="center")
        if i:
            style = {"arrowstyle": "->", "color": "#666666"}
            ax.annotate("", (16.8, y + 0.72), (16.8, y + step + 0.1), arrowprops=style)
    figure.savefig(FILE, dpi=110)


def _box(
    ax: Any, left: float, low: float, width: float, height: float, color: str
) -> None:
    style = "round,pad=0.06"
    ax.add_patch(
        patches.FancyBboxPatch((left, low), width, height, boxstyle=style, fc=color)
    )


if __name__ == "__main__":
    main()
