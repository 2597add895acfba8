"""Risk against coverage: what is gained by leaving out what a model is unsure of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows._types import TensorLike
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["risk_coverage"]

_COLORS = (canvas.SAMPLES, "#2f8f6b", "#8a4fa3", "#a8871a")
# Fewer rows have a mean that is noise only.
_FEWEST = 10


def risk_coverage(
    confidence: TensorLike | Mapping[str, TensorLike],
    loss: TensorLike,
    *,
    oracle: bool = True,
    label: str = "model",
    xlabel: str = "share of rows that are answered",
    ylabel: str = "mean loss of these",
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean loss of the most confident rows against their share.

    A score is of use where its curve lies below the dashed line of no score, which has
    the same loss at every share. The legend gives the area under each curve.

    Args:
        confidence: How sure of each row the model is, such as `log_prob` or a negative
            width of an interval, `[N]`; or several such scores by name.
        loss: What each row costs, such as a squared error or 0 and 1, `[N]`.
        oracle: Whether to draw the best curve that any score could have.
        label: What the legend calls a single score.
        xlabel: Label of the shares.
        ylabel: Label of the losses.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If scores and losses have not the same number of rows, or are not
            finite.

    References:
        El-Yaniv and Wiener, 2010, "On the foundations of noise-free selective
        classification", https://jmlr.org/papers/v11/el-yaniv10a.html

    Example:
        >>> import numpy as np
        >>> from tfp_flows import plots
        >>> rng = np.random.default_rng(0)
        >>> width = rng.uniform(size=200)
        >>> ax = plots.risk_coverage(-width, (width * rng.normal(size=200)) ** 2)
        >>> len(ax.lines)
        3
    """
    losses = np.asarray(loss, np.float64)
    given = confidence if isinstance(confidence, Mapping) else {label: confidence}
    scores = {name: np.asarray(score, np.float64) for name, score in given.items()}
    for name, score in {**scores, "loss": losses}.items():
        if score.shape != losses.shape or losses.ndim != 1 or len(losses) < 2:
            msg = (
                "`confidence` and `loss` must have one number for each row, got shapes "
                f"{score.shape} of {name!r} and {losses.shape}. Pass vectors."
            )
            raise ValueError(msg)
        if not np.isfinite(score).all():
            msg = f"{name!r} must be finite, got {score[~np.isfinite(score)][0]}."
            raise ValueError(msg)
    ax = canvas.axes_or_new(ax, 4.6, 3.6)
    shares = np.arange(1, len(losses) + 1) / len(losses)
    shown = slice(min(_FEWEST, len(losses)) - 1, None)
    for i, (name, score) in enumerate(scores.items()):
        risk = _risk(losses, score)
        text = f"{name}, area {risk.mean():.3g}"
        color = _COLORS[i % len(_COLORS)]
        ax.plot(shares[shown], risk[shown], color=color, linewidth=1.8, label=text)
    if oracle:
        risk = _risk(losses, -losses)
        text = f"best possible, area {risk.mean():.3g}"
        ax.plot(shares[shown], risk[shown], color=canvas.DATA, linewidth=1, label=text)
    text = f"no score, {losses.mean():.3g}"
    ax.axhline(losses.mean(), color="#777777", linestyle="--", linewidth=1, label=text)
    ax.set(xlim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.legend(frameon=False, fontsize=8)
    canvas.tidy(ax)
    return ax


def _risk(losses: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the mean loss of the first rows by score; equal scores share theirs."""
    order = np.argsort(-score, kind="stable")
    ordered, ranked = losses[order], score[order]
    _, first, counts = np.unique(-ranked, return_index=True, return_counts=True)
    means = np.add.reduceat(ordered, first) / counts
    found: np.ndarray = np.cumsum(np.repeat(means, counts))
    return found / np.arange(1, len(losses) + 1)
