"""Draw the pictures of README and documentation: `python docs/make_images.py [NAME]`.

The flow of the toys is the default one, with the default settings of `fit`: some 8,000
updates. Names are those of files without their ending; by default all are drawn.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import numpy as np

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


@functools.cache
def _moons() -> tuple[tfpf.flows.Flow, np.ndarray]:
    """Return a flow of few maps, and the points that it was fitted to."""
    x = tfpf.datasets.toy("two_moons", 4_000, seed=0)
    flow, _ = tfpf.fit("nsf", x, num_layers=3, steps=1_500, seed=0, verbose=0)
    return flow, x


def draw_deformation() -> None:
    """Write `deformation.png`: the grid after some of the maps of a flow."""
    flow, x = _moons()
    figure = canvas.new_figure(9.6, 3.4)
    ks = [0, flow.num_maps // 2, flow.num_maps]
    for ax, k in zip(figure.subplots(1, len(ks)), ks, strict=True):
        data = x if k == flow.num_maps else None
        tfpf.plots.deformation(flow, k=k, data=data, ax=ax)
        ax.set_title(canvas.title_of_maps(k, "base", "after"), fontsize=10)
    figure.savefig(FOLDER / "deformation.png", dpi=110)


def draw_layers() -> None:
    """Write `layers.gif`: points on their way through the same flow."""
    flow, _ = _moons()
    tfpf.plots.layers_gif(FOLDER / "layers.gif", flow, num_samples=1_500, frames=4)


def _wines() -> tuple[tfpf.datasets.Table, tfpf.datasets.Table]:
    chosen = ["alcohol", "density", "fixed acidity", "volatile acidity"]
    train, test = tfpf.datasets.wine("white").split(0)
    return train.select(chosen), test.select(chosen)


@functools.cache
def _of_wines(name: str) -> tfpf.flows.Flow:
    flow, _ = tfpf.fit(name, _wines()[0], seed=0, verbose=0, columns="continuous")
    return flow


def draw_posteriors() -> None:
    """Write `posteriors.png`: wines, two densities of them, and the mean wine."""
    train, test = _wines()
    drawn = {}
    for label, name in (("a full Gaussian", "linear"), ("a flow, rbig", "rbig")):
        drawn[label] = _of_wines(name).sample(20_000, seed=1)
    axes = tfpf.plots.corner(
        test, drawn, truths=np.mean(train.x, axis=0), labels=("wines held out", "")
    )
    axes[0, 0].figure.savefig(FOLDER / "posteriors.png", dpi=100)


def draw_ranks() -> None:
    """Write `ranks.png`: calibration of the same two densities of alcohol."""
    train, test = _wines()
    figure = canvas.new_figure(8.4, 3.0)
    for ax, name in zip(figure.subplots(1, 2), ("linear", "rbig"), strict=True):
        found = tfpf.diagnose(_of_wines(name), test, train=train)
        ranks = tfpf.diagnostics.Ranks(found.pictures.pit, found.columns, name)
        tfpf.plots.ranks(ranks, ax=ax)
        ax.set_title(name, fontsize=10)
    figure.savefig(FOLDER / "ranks.png", dpi=110)


def draw_risk_coverage() -> None:
    """Write `risk_coverage.png`: alcohol of wines told from what else is measured."""
    train, test = tfpf.datasets.wine("white").split(0)
    rest = [name for name in train.columns if name not in ("alcohol", "density")]
    target = ["alcohol"]
    flow, _ = tfpf.fit(
        "maf",
        train.select(target),
        train.select(rest),
        num_layers=2,
        steps=1_500,
        seed=0,
        verbose=0,
        columns="continuous",
    )
    draws = np.asarray(flow.sample(400, test.select(rest).x, seed=1))[..., 0]
    loss = (draws.mean(axis=0) - test.select(target).x[:, 0]) ** 2
    ax = tfpf.plots.risk_coverage(
        {"narrow distribution": -draws.std(axis=0)},
        loss,
        ylabel="mean squared error of alcohol [(% vol)^2]",
    )
    ax.figure.savefig(FOLDER / "risk_coverage.png", dpi=110)


PICTURES = {
    "toys": draw_toys,
    "deformation": draw_deformation,
    "layers": draw_layers,
    "posteriors": draw_posteriors,
    "ranks": draw_ranks,
    "risk_coverage": draw_risk_coverage,
}


def main() -> None:
    """Write the pictures that are asked for, or every one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], metavar="NAME")
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().names or PICTURES:
        PICTURES[name]()


if __name__ == "__main__":
    main()
