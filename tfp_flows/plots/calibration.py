"""Calibration: ranks, ECDFs with bands, coverage, and predictive checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tfp_flows.diagnostics import Coverage, Predictive, Ranks
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["coverage", "predictive", "rank_ecdf", "ranks"]


def ranks(
    found: Ranks, column: int = 0, *, bins: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the histogram of ranks, with the range that uniform ones keep to.

    A valley in the middle means draws that are too narrow, a hill too wide ones, and a
    slope ones that are shifted.

    Args:
        found: What `diagnostics.sbc` or `pit` returned.
        column: Number of the parameter.
        bins: Number of bins.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics, plots
        >>> draws = np.random.default_rng(0).normal(size=(200, 50))
        >>> ax = plots.ranks(diagnostics.sbc(draws[:, 0], draws[:, 1:]))
        >>> ax.get_ylabel()
        'count'
    """
    counts, edges = found.histogram(bins)
    ax = canvas.axes_or_new(ax, 4.5, 3.2)
    width = edges[1] - edges[0]
    mean = len(found.values) * width
    room = 2.58 * np.sqrt(mean * (1.0 - width))  # 99 % of the counts of a bin
    ax.axhspan(mean - room, mean + room, color="#dddddd", label="99 % if calibrated")
    ax.bar(edges[:-1], counts[:, column], width, align="edge", color=canvas.DATA)
    ax.set(xlabel=f"rank of {found.names[column]}", ylabel="count", xlim=(0.0, 1.0))
    ax.legend(frameon=False, fontsize=8)
    canvas.tidy(ax)
    return ax


def rank_ecdf(
    found: Ranks, *, probability: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw the ECDFs of ranks less the diagonal, in the band of uniform ones.

    Args:
        found: What `diagnostics.sbc` or `pit` returned.
        probability: That the whole ECDF of a calibrated column lies in the band.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics, plots
        >>> draws = np.random.default_rng(0).normal(size=(200, 50))
        >>> ax = plots.rank_ecdf(diagnostics.sbc(draws[:, 0], draws[:, 1:]))
        >>> ax.get_ylabel()
        'ECDF - rank'
    """
    levels, shares, low, high = found.ecdf(probability)
    ax = canvas.axes_or_new(ax, 4.5, 3.2)
    label = f"{probability:.0%} if calibrated"
    ax.fill_between(levels, low - levels, high - levels, color="#dddddd", label=label)
    for share, name in zip(shares.T, found.names, strict=True):
        ax.plot(levels, share - levels, label=name, linewidth=1.3)
    ax.set(xlabel="rank", ylabel="ECDF - rank", xlim=(0.0, 1.0))
    if len(found.names) <= 10:
        ax.legend(frameon=False, fontsize=8)
    canvas.tidy(ax)
    return ax


def coverage(
    found: Coverage, *, probability: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw how often credible regions hold the truth, with the band of right ones.

    By density, a curve below the diagonal means regions that are too small.

    Args:
        found: What `diagnostics.coverage` returned.
        probability: That the whole curve of a calibrated posterior lies in the band.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics, plots
        >>> rng = np.random.default_rng(0)
        >>> truth, draws = rng.normal(size=(100, 1)), rng.normal(size=(100, 50, 1))
        >>> plots.coverage(diagnostics.coverage(truth, draws)).get_xlabel()
        'credibility'
    """
    levels, shares, low, high = found.curve(probability)
    ax = canvas.axes_or_new(ax, 4.0, 4.0)
    label = f"{probability:.0%} if calibrated"
    ax.fill_between(levels, low, high, color="#dddddd", label=label)
    ax.plot(levels, shares, color=canvas.DATA, label=f"by {found.method}")
    ax.set(xlabel="credibility", ylabel="coverage", xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    ax.legend(frameon=False, fontsize=8)
    canvas.tidy(ax)
    return ax


def predictive(found: Predictive, column: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw a statistic of simulations, and a line where the observation is.

    Args:
        found: What `diagnostics.predictive_check` returned.
        column: Number of the statistic.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import diagnostics, plots
        >>> simulated = np.random.default_rng(0).normal(size=(999, 2))
        >>> found = diagnostics.predictive_check([0.5, -0.5], simulated)
        >>> plots.predictive(found).get_ylabel()
        'count'
    """
    ax = canvas.axes_or_new(ax, 4.5, 3.2)
    ax.hist(found.simulated[:, column], bins=40, color=canvas.DATA, label="simulated")
    ax.axvline(found.observed[column], color=canvas.SAMPLES, label="observed")
    p = found.p_values[column]
    ax.set(xlabel=found.names[column], ylabel="count", title=f"p = {p:.3f}")
    ax.legend(frameon=False, fontsize=8)
    canvas.tidy(ax)
    return ax
