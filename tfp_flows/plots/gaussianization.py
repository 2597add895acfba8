"""What a Gaussianization does to data, layer by layer, and to the marginals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows import flows
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows import registry
from tfp_flows.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["gaussianization", "information_per_layer", "marginals"]

_MAX_COLUMNS = 5
_MAX_PANELS = 10
_POINTS = 2_000


def gaussianization(
    flow: flows.Flow,
    x: TensorLike,
    *,
    condition: Condition = None,
    ks: Sequence[int] | None = None,
    columns: tuple[int, int] = (0, 1),
    figure: Figure | None = None,
) -> np.ndarray:
    """Draw data on their way to the base density, behind each map of a flow.

    The reverse of `layers`, which draws the way of samples.

    Args:
        flow: The flow.
        x: Events, `[N, *event_shape]`; at most 2,000 of them are drawn.
        condition: Condition of a conditional flow, `[C]`.
        ks: Numbers of maps that the data have passed, from 0, the data themselves, to
            `flow.num_maps`; default: all, or 10 of them evenly spread.
        columns: The two coordinates to draw, counted in the flattened event.
        figure: Figure to draw on; default: a new one.

    Returns:
        Array of axes, one for each of `ks`.

    Raises:
        ValueError: If the event has fewer than two numbers.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("realnvp", 2, num_layers=2, seed=0)
        >>> axes = tfpf.plots.gaussianization(flow, tfpf.datasets.toy("banana", 50))
        >>> [ax.get_title() for ax in axes[:2]]
        ['data', 'behind 1 map']
    """
    registry.require_flow(flow)
    if flow.event_size < 2:
        msg = (
            "`flow` must have events of two numbers or more, got event_shape "
            f"{flow.event_shape}. Draw `marginals` instead."
        )
        raise ValueError(msg)
    total = flow.num_maps
    if ks is None:
        count = min(total + 1, _MAX_PANELS)
        ks = np.linspace(0, total, count).round().astype(int).tolist()
    across = min(len(ks), _MAX_COLUMNS)
    down = -(-len(ks) // across)
    if figure is None:
        figure = canvas.new_figure(2.6 * across, 2.7 * down)
    rows = canvas.thin(np.asarray(x), _POINTS).astype(flow.variable_dtype)
    z = flow.bijector(condition).inverse(flow.spread(rows))
    axes = np.empty(len(ks), dtype=object)
    for place, k in enumerate(ks):
        # Behind k maps stands what the other maps make of the base values.
        behind = flow.partial(total - k, condition).bijector.forward(z) if k else rows
        points = np.reshape(behind, [len(rows), -1])[:, list(columns)]
        ax = figure.add_subplot(down, across, place + 1)
        first, second = points.T
        ax.scatter(first, second, s=2, c=canvas.DATA, linewidths=0, rasterized=True)
        ax.set(xlim=canvas.limits(points[:, 0]), ylim=canvas.limits(points[:, 1]))
        canvas.tidy(ax, ticks=4)
        ax.tick_params(labelsize=8)
        ax.set_title(canvas.title_of_maps(k, "data", "behind"), fontsize=10)
        axes[place] = ax
    return axes


def information_per_layer(
    history: Mapping[str, Sequence[float]] | Any, *, ax: Axes | None = None
) -> Axes:
    """Draw what each layer of a greedy fit took off, and what it adds up to.

    Bars are nats per event, by which a layer raised the log-likelihood of the training
    rows; dots those of the rows held out. A line, on the right, is the sum.

    Args:
        history: What `fit` returned for `rbig`, or its `history` dict with
            `information` and, if rows were held out, `val_information`.
        ax: Axes to draw on; default: those of a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no `information`.

    Example:
        >>> from tfp_flows import plots
        >>> ax = plots.information_per_layer({"information": [0.0, 0.5, 0.1]})
        >>> ax.get_xlabel()
        'layer'
    """
    msg = (
        "`history` must hold 'information', got {}. Pass what fit returned for 'rbig'."
    )
    values = canvas.values_of(history, "information", msg)
    ax = canvas.axes_or_new(ax, 5.5, 3.5)
    train = np.asarray(values["information"], np.float64)
    number = np.arange(len(train))
    ax.bar(number, train, color=canvas.DATA, alpha=0.6, label="training")
    shown = train
    if "val_information" in values:
        shown = np.asarray(values["val_information"], np.float64)
        ax.plot(number, shown, "o", color=canvas.SAMPLES, ms=4, label="held out")
    total = ax.twinx()
    total.plot(number, np.cumsum(shown), color="0.4", linewidth=1.2)
    total.set_ylabel("sum [nats]")
    ax.set(xlabel="layer", ylabel="information [nats]")
    ax.legend(frameon=False)
    ax.spines["top"].set_visible(False)
    total.spines["top"].set_visible(False)
    return ax


def marginals(
    flow: flows.Flow,
    x: TensorLike,
    *,
    condition: Condition = None,
    columns: Sequence[int] | None = None,
    figure: Figure | None = None,
) -> np.ndarray:
    """Draw histograms of columns of data, and of their base values, row by row.

    A line is the base density: where histograms leave it, the flow has missed something
    that a single coordinate shows.

    Args:
        flow: The flow.
        x: Events, `[N, *event_shape]`.
        condition: Condition of a conditional flow, `[C]`.
        columns: Coordinates to draw, counted in the flattened event; default: the
            first 10.
        figure: Figure to draw on; default: a new one.

    Returns:
        Axes, `[2, len(columns)]`: data above, base values below.

    Example:
        >>> import tfp_flows as tfpf
        >>> flow = tfpf.flows.build("linear", 2, columns=["a", "b"], seed=0)
        >>> axes = tfpf.plots.marginals(flow, tfpf.datasets.toy("banana", 50))
        >>> axes.shape, axes[0, 1].get_xlabel()
        ((2, 2), 'b')
    """
    registry.require_flow(flow)
    if columns is None:
        columns = range(min(flow.event_size, _MAX_PANELS))
    rows = np.asarray(x).astype(flow.variable_dtype)
    z = (
        flow.bijector(condition)
        .inverse(flow.spread(rows))
        .numpy()
        .reshape(len(rows), -1)
    )
    rows = rows.reshape(len(rows), -1)
    if figure is None:
        figure = canvas.new_figure(2.4 * len(columns), 4.4)
    # The margin of the base, whatever it is, from its samples.
    base = np.reshape(flow.partial(0, condition).sample(_POINTS, seed=(0, 0)), [-1])
    axes = np.empty([2, len(columns)], dtype=object)
    for place, column in enumerate(columns):
        name = f"x{column}" if flow.columns is None else flow.columns[column]
        for line, (values, label) in enumerate(
            ((rows[:, column], name), (z[:, column], f"z{column}"))
        ):
            ax = figure.add_subplot(2, len(columns), line * len(columns) + place + 1)
            span = canvas.limits(values)
            ax.hist(values, bins=40, range=span, density=True, color=canvas.DATA)
            if line:
                ax.hist(
                    base,
                    bins=40,
                    range=span,
                    density=True,
                    histtype="step",
                    color=canvas.SAMPLES,
                )
            ax.set_xlabel(label)
            ax.set_yticks([])
            canvas.tidy(ax)
            axes[line, place] = ax
    return axes
