"""Draw the pictures of README and documentation: `python docs/make_images.py`.

The flow is the default one, with the default settings of `fit`: some 8,000 updates.
"""

from __future__ import annotations

from pathlib import Path

import tfp_flows as tfpf
from tfp_flows.plots import canvas

__all__ = ["main"]

FOLDER = Path(__file__).resolve().parent / "images"
TOYS = ("8gaussians", "checkerboard", "2spirals", "two_moons")
POINTS = 50_000
LIMITS = {"two_moons": ((-1.4, 2.4), (-0.9, 1.4))}
SQUARE = ((-4.2, 4.2), (-4.2, 4.2))


def draw_toys() -> None:
    """Write `toys.png`: points of toy densities, and the density of a fitted flow."""
    figure = canvas.new_figure(9.0, 4.6)
    axes = figure.subplots(2, len(TOYS))
    for column, name in enumerate(TOYS):
        x = tfpf.datasets.toy(name, POINTS, seed=0)
        flow, _ = tfpf.fit("nsf-ar", x, seed=0, verbose=0)
        limits = LIMITS.get(name, SQUARE)
        above, below = axes[:, column]
        above.plot(*x[:4_000].T, ".", color=canvas.DATA, markersize=1.5)
        above.set(xlim=limits[0], ylim=limits[1], title=name)
        tfpf.plots.density_2d(flow, limits=limits, num=300, ax=below)
        for ax in (above, below):
            ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes[0, 0].set_ylabel("4,000 points of the data")
    axes[1, 0].set_ylabel("density of the flow")
    figure.savefig(FOLDER / "toys.png", dpi=110)


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    draw_toys()


if __name__ == "__main__":
    main()
