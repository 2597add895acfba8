"""Data against samples, column by column and pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import datasets
from tfp_flows._types import TensorLike
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["corner"]

# Inner contours hold half of the samples, outer ones nine tenths.
LEVELS = (0.5, 0.9)
_GRID = 48
# Width of the kernel that smooths the counts, in cells: hides the noise of so many
# samples, but not their shape.
_SMOOTHING = 1.3
_MANY = 5_000
# Of several samples in turn, and of marks.
_COLORS, _TRUTH = (canvas.SAMPLES, "#2f8f6b", "#8a4fa3", "#a8871a"), "#333333"
# Inches at the left and below, for names of two lines and numbers.
_MARGIN = 0.85


def corner(
    data: TensorLike,
    samples: TensorLike | Mapping[str, TensorLike] | None = None,
    *,
    columns: Sequence[str] | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    truths: Sequence[float] | Mapping[str, float] | None = None,
    num_bins: int = 40,
    max_points: int = 2_000,
    labels: tuple[str, str] = ("data", "samples"),
    figure: Figure | None = None,
) -> np.ndarray:
    """Draw marginals on the diagonal and pairs of columns below it.

    Data are filled histograms and points; samples are lines: outlines of histograms,
    and contours that hold 50 % and 90 % of the samples. A flow fits where the contours
    follow the points. Limits are those of the data without the outermost 0.2 % at each
    end.

    Args:
        data: `[N, D]`: array, `datasets.Table` or DataFrame.
        samples: `[M, D]`, in the same columns; a table with names is matched by name.
            Or several of them by what the legend calls each, such as posteriors of two
            methods.
        columns: Which columns to draw, names or numbers; default: all.
        names: Labels of the `D` columns; default: those of the data, or `x0`, `x1`...
        truths: Values to mark by lines, such as true parameters: one for each of the
            `D` columns, or by name; NaN and names left out mark none.
        num_bins: Bins of the histograms.
        max_points: Most points drawn in a panel.
        labels: What the legend calls data and samples.
        figure: Figure to draw on; default: a new one.

    Returns:
        Array `[d, d]` of axes, with `None` above the diagonal. The figure is
        `axes[0, 0].figure`.

    Raises:
        ValueError: If the columns of data, samples and truths differ, or a value is not
            finite.

    Example:
        >>> import numpy as np
        >>> from tfp_flows import plots
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> axes = plots.corner(x, names=["a", "b"])
        >>> axes[1, 0].get_xlabel(), axes[1, 0].get_ylabel()
        ('a', 'b')
    """
    table = _checked(data, names)
    wanted = _names(table, columns)
    x = table.select(wanted).x
    drawn = _by_label(samples, labels[1])
    parts = {n: _matched(table, y).select(wanted).x for n, y in drawn.items()}
    marks = _marks(truths, table.columns, wanted)
    count = len(wanted)
    size = _MARGIN + count * float(np.clip(11 / count, 1.2, 2.2))
    # The constrained layout takes seconds for many panels; even margins do as well.
    figure = canvas.new_figure(size, size, layout=None) if figure is None else figure
    axes = _panels(figure, count)
    ranges = [
        _holding(canvas.limits(column), mark)
        for column, mark in zip(x.T, marks, strict=True)
    ]
    for row in range(count):
        _marginal(axes[row, row], x, parts.values(), row, ranges[row], num_bins)
        for column in range(row):
            pair = [column, row]
            both = ranges[column], ranges[row]
            ax = axes[row, column]
            points = canvas.thin(x[:, pair], max_points)
            size = 1.2 if count > 6 else 2.2
            style = {"markersize": size, "markeredgewidth": 0, "alpha": 0.6}
            ax.plot(*points.T, ".", color=canvas.DATA, rasterized=True, **style)
            for color, y in zip(_COLORS, parts.values(), strict=False):
                _contours(ax, y[:, pair], both, color)
            ax.set(xlim=both[0], ylim=both[1])
    _mark(axes, marks)
    _label(axes, canvas.wrapped(wanted))
    handles = axes[0, 0].patches[: 1 + len(parts)]
    # Beside the first panel is room, unless it is the only one.
    place: dict[str, Any] = {"loc": "upper right"}
    if count > 1:
        place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0)}
    axes[0, 0].legend(handles, [labels[0], *parts], frameon=False, fontsize=9, **place)
    return axes


def _by_label(
    samples: TensorLike | Mapping[str, TensorLike] | None, label: str
) -> dict[str, TensorLike]:
    if samples is None:
        return {}
    found = dict(samples) if isinstance(samples, Mapping) else {label: samples}
    if len(found) > len(_COLORS):
        msg = (
            f"`samples` must be at most {len(_COLORS)} tables, got {len(found)}: more "
            "colours cannot be told apart. Draw fewer."
        )
        raise ValueError(msg)
    return found


def _marks(
    truths: Sequence[float] | Mapping[str, float] | None,
    names: Sequence[str],
    wanted: Sequence[str],
) -> list[float]:
    """Return the value to mark of each wanted column, NaN for none."""
    if truths is None:
        return [float("nan")] * len(wanted)
    if not isinstance(truths, Mapping):
        if len(truths) != len(names):
            msg = (
                f"`truths` must have a value for each of the {len(names)} columns, got "
                f"{len(truths)}. Give NaN where there is none, or a mapping by name."
            )
            raise ValueError(msg)
        truths = dict(zip(names, truths, strict=True))
    unknown = [name for name in truths if name not in names]
    if unknown:
        known = ", ".join(map(repr, names))
        msg = f"`truths` must be of the columns {known}, got {unknown[0]!r}. Rename it."
        raise ValueError(msg)
    return [float(truths.get(name, float("nan"))) for name in wanted]


def _holding(interval: tuple[float, float], mark: float) -> tuple[float, float]:
    """Return an interval that holds a mark, too, with room beside it."""
    if not np.isfinite(mark) or interval[0] < mark < interval[1]:
        return interval
    low, high = min(interval[0], mark), max(interval[1], mark)
    room = 0.05 * (high - low)
    return low - room * (mark == low), high + room * (mark == high)


def _mark(axes: np.ndarray, marks: Sequence[float]) -> None:
    style = {"color": _TRUTH, "linewidth": 1.1, "zorder": 3}
    for row, mark in enumerate(marks):
        if np.isfinite(mark):
            for ax in axes[row:, row]:
                ax.axvline(mark, **style)
            for ax in axes[row, :row]:
                ax.axhline(mark, **style)


def _checked(data: TensorLike, names: Sequence[str] | None) -> datasets.Table:
    table = datasets.to_table(data)
    if names is not None:
        table = datasets.Table(table.x, tuple(names))
    datasets.check_columns(table, constant=False)
    return table


def _matched(table: datasets.Table, samples: TensorLike) -> datasets.Table:
    """Return samples in the columns of the table, by name or else by position."""
    drawn = datasets.to_table(samples)
    unnamed = drawn.columns[:1] == ("x0",)
    if not unnamed and set(table.columns) <= set(drawn.columns):
        drawn = drawn.select(table.columns)
    if drawn.x.shape[1] != table.x.shape[1]:
        msg = (
            f"`samples` must have the {table.x.shape[1]} columns of the data, got "
            f"{drawn.x.shape[1]}. Pass samples of the same columns."
        )
        raise ValueError(msg)
    return _checked(drawn.x, table.columns)


def _names(
    table: datasets.Table, columns: Sequence[str] | Sequence[int] | None
) -> list[str]:
    if columns is None:
        return list(table.columns)
    width = len(table.columns)
    for column in columns:
        if not isinstance(column, str) and not -width <= column < width:
            msg = (
                f"`columns` must be names or numbers below {width}, got {column!r}. "
                f"The data have {', '.join(map(repr, table.columns))}."
            )
            raise ValueError(msg)
    return [c if isinstance(c, str) else table.columns[c] for c in columns]


def _panels(figure: Figure, count: int) -> np.ndarray:
    axes = np.full((count, count), None, dtype=object)
    width, height = figure.get_size_inches()
    grid = figure.add_gridspec(
        count,
        count,
        left=min(_MARGIN / width, 0.3),
        right=1 - 0.2 / width,
        bottom=min(_MARGIN / height, 0.3),
        top=1 - 0.2 / height,
        wspace=0.08,
        hspace=0.08,
    )
    for row in range(count):
        for column in range(row + 1):
            axes[row, column] = figure.add_subplot(grid[row, column])
    return axes


def _marginal(
    ax: Axes,
    x: np.ndarray,
    parts: Iterable[np.ndarray],
    column: int,
    interval: tuple[float, float],
    num_bins: int,
) -> None:
    edges = np.linspace(*interval, num_bins + 1)
    density, _ = np.histogram(x[:, column], edges)
    ax.stairs(density / len(x), edges, fill=True, color=canvas.DATA, alpha=0.45)
    for color, y in zip(_COLORS, parts, strict=False):
        density, _ = np.histogram(y[:, column], edges)
        ax.stairs(density / len(y), edges, color=color, linewidth=1.2)
    ax.set(xlim=interval, ylim=(0, None), yticks=[])


def _contours(
    ax: Axes,
    pair: np.ndarray,
    both: tuple[tuple[float, float], tuple[float, float]],
    color: str,
) -> None:
    counts, *edges = np.histogram2d(pair[:, 0], pair[:, 1], bins=_GRID, range=both)
    # Fewer samples, wider kernel: the rule for two dimensions.
    few = np.clip((_MANY / max(len(pair), 1)) ** (1 / 6), 1.0, 2.5)
    counts = _smooth(counts, _SMOOTHING * few)
    ordered = np.sort(counts.ravel())[::-1]
    share = np.cumsum(ordered) / max(len(pair), 1)
    # The count above which cells hold the wanted share of all samples.
    found = np.minimum(np.searchsorted(share, LEVELS), len(ordered) - 1)
    levels = np.unique(ordered[found])
    levels = levels[levels > 0]
    if len(levels):
        centers = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
        ax.contour(*centers, counts.T, levels=levels, colors=color, linewidths=0.9)


def _smooth(counts: np.ndarray, width: float) -> np.ndarray:
    offsets = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, kernel, mode="same")
    return counts


def _label(axes: np.ndarray, names: Sequence[str]) -> None:
    count = len(names)
    for row in range(count):
        for column in range(row + 1):
            ax = axes[row, column]
            canvas.tidy(ax, ticks=3)
            ax.tick_params(labelsize=7, length=2)
            if row == column:
                ax.spines["left"].set_visible(False)
                ax.set_yticks([])
            if row < count - 1:
                ax.tick_params(labelbottom=False)
            else:
                ax.set_xlabel(names[column], fontsize=8)
                ax.tick_params(axis="x", labelrotation=45)
            if column or not row:
                ax.tick_params(labelleft=False)
            else:
                ax.set_ylabel(names[row], fontsize=8)
    figure = axes[0, 0].figure
    figure.align_ylabels([axes[row, 0] for row in range(1, count)])
    figure.align_xlabels(list(axes[-1]))
