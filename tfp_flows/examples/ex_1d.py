"""Fit a flow to a mixture of four Gaussians in one dimension.

`python -m tfp_flows.examples.ex_1d` prints the mean log-density of the standardised
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
        "ex_1d", "Fit a flow to a mixture of four Gaussians.", n=2000, flows=3
    )
    parser.add_argument(
        "--use-mixture",
        action="store_true",
        help="as in ex_2d; no change here, these data are a mixture",
    )
    return runner.run(parser.parse_args(argv), _data, _draw)


def _data(n: int, seed: int) -> np.ndarray:
    from tfp_flows import datasets

    return datasets.toy("ex_1d", n, seed)


def _draw(axes: Sequence[Any], parts: Sequence[np.ndarray]) -> None:
    from tfp_flows.plots import canvas

    for ax, x, color, label in zip(
        axes, parts, (canvas.DATA, canvas.SAMPLES, canvas.DATA), "xxz", strict=True
    ):
        ax.hist(x[:, 0], bins=60, density=True, color=color, alpha=0.7)
        ax.set(xlabel=label, ylabel="density")


if __name__ == "__main__":
    sys.exit(main())
