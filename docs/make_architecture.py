"""Draw the picture of the architecture page: `python docs/make_architecture.py`."""

from __future__ import annotations

from pathlib import Path

from matplotlib import patches

from tfp_flows.plots import canvas

__all__ = ["main"]

FILE = Path(__file__).resolve().parent / "images" / "architecture.png"
# Layer, what lies in it; from the top down, as imports point.
LAYERS = (
    ("cli, examples", "the shell"),
    ("testing, plots, information", "checks, pictures, measures of a fitted flow"),
    ("training", "fit, objectives, callbacks, greedy fits"),
    ("flows", "Keras models: recipes of maps, and the registry of names"),
    ("preprocessing, distributions", "columns of tables | base densities"),
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
    figure = canvas.new_figure(11.0, 5.6)
    ax = figure.subplots()
    ax.set(xlim=(0.0, 22.0), ylim=(-0.6, len(LAYERS) + 0.5))
    ax.axis("off")
    ax.text(5.2, len(LAYERS) + 0.1, "Layers: imports point down", ha="center", size=12)
    ax.text(16.8, len(LAYERS) + 0.1, "The way of log_prob", ha="center", size=12)
    for i, ((name, what), step) in enumerate(zip(LAYERS, WAY, strict=True)):
        y = len(LAYERS) - 1 - i
        ax.add_patch(
            patches.FancyBboxPatch(
                (0.2, y + 0.1), 10.0, 0.62, boxstyle="round,pad=0.06", fc="#e8eef7"
            )
        )
        ax.text(0.4, y + 0.52, name, size=10, weight="bold", va="center")
        ax.text(0.4, y + 0.24, what, size=8.5, va="center")
        ax.add_patch(
            patches.FancyBboxPatch(
                (12.0, y + 0.16), 9.6, 0.5, boxstyle="round,pad=0.06", fc="#f7efe2"
            )
        )
        ax.text(16.8, y + 0.41, step, size=9.5, ha="center", va="center")
        if y:
            ax.annotate(
                "",
                (16.8, y - 0.28),
                (16.8, y + 0.1),
                arrowprops={"arrowstyle": "->", "color": "#666666"},
            )
    figure.savefig(FILE, dpi=110)


if __name__ == "__main__":
    main()
