"""Fit a flow to a toy density of two dimensions.

`python -m tfp_flows.examples.ex_2d` prints the mean log-density of the standardised
points and its two terms, and writes a picture of data, samples and latent points.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfp_flows.examples import runner

if TYPE_CHECKING:
    import numpy as np

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the example and return the exit code.

    Args:
        argv: Arguments without the program's name; those of the process if `None`.
    """
    parser = runner.parser(
        "ex_2d", "Fit a flow to a toy density of two dimensions.", n=500, flows=2
    )
    parser.add_argument(
        "--use-mixture", action="store_true", help="a mixture of Gaussians as the data"
    )
    arguments = parser.parse_args(argv)
    name = "ex_2d_mixture" if arguments.use_mixture else "ex_2d"

    def data(n: int, seed: int) -> np.ndarray:
        from tfp_flows import datasets

        return datasets.toy(name, n, seed)

    return runner.run(arguments, data, _draw)


def _draw(axes: Sequence[Any], parts: Sequence[np.ndarray]) -> None:
    from tfp_flows.plots import canvas

    limits = [canvas.limits(column) for column in parts[0].T]
    for ax, x, color, label in zip(
        axes, parts, (canvas.DATA, canvas.SAMPLES, canvas.DATA), "xxz", strict=True
    ):
        ax.plot(*x.T, ".", markersize=3, markeredgewidth=0, color=color, alpha=0.7)
        ax.set(xlabel=f"{label}0", ylabel=f"{label}1")
        if label == "x":
            ax.set(xlim=limits[0], ylim=limits[1])


if __name__ == "__main__":
    sys.exit(main())
