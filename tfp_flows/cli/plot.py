"""`tfp-flows plot`: pictures of flows, tables and fits."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows import _optional
from tfp_flows.cli import columns, conditions, config, files, models, ranges, tables
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.flows import Flow

__all__ = ["add_parser", "run"]

SUFFIXES = (".png", ".pdf", ".svg")
MOVING = ".gif"
KINDS = {
    "corner": "pairs of columns: rows of a table, samples of a flow, or both",
    "density": "the density of a flow of two columns over the plane",
    "layers": "samples of a flow after each of its maps; as .gif on their way",
    "deformation": "what the maps of a flow of two columns make of a grid",
    "calibration": "where rows lie among draws of a flow, column by column",
    "gaussianization": "rows of a table on their way to the base",
    "marginals": "each column before and after a flow, beside the normal density",
    "history": "losses of each epoch, from the .fit.json file that `fit` writes",
}
# Rows of a table that are drawn through a flow.
_MOST_ROWS = 20_000
# Rows whose ranks are drawn, and draws for each.
_RANKED, _DRAWS = 1_000, 100


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "plot",
        help="draw a flow, a table or the losses of a fit",
        description="Draw a picture. "
        + "; ".join(f"{kind}: {words}" for kind, words in KINDS.items())
        + ".",
    )
    add = parser.add_argument
    add("kind", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    add("file", metavar="FILE", help="flow, .keras; or a table (corner); or .fit.json")
    add("data", metavar="DATA", nargs="?", help=f"table of rows: {files.TABLES}")
    add(
        "--out",
        required=True,
        metavar="PICTURE",
        help=f"{', '.join(SUFFIXES)}; layers also {MOVING}",
    )
    add("--sheet", metavar="NAME", help="sheet of an .xlsx file; default: the first")
    add("--columns", metavar="A,B", help="columns to draw; default: all")
    add(
        "--condition",
        metavar="NAME=VALUE,...",
        help="the condition of a conditional flow; with DATA: of each row",
    )
    add("-n", type=ranges.count, metavar="N", help="samples to draw; default 2000")
    add("--log", action="store_true", help="colour the log-density (density)")
    add("--dpi", type=ranges.dpi, default=120, metavar="N", help="default 120")
    add("--seed", type=ranges.seed, default=0, metavar="N", help="default 0")
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Draw a picture.

    Raises:
        UsageError: If the input is bad.
    """
    with (
        files.named(arguments.file) as path,
        files.named(arguments.data or "-") as rows,
    ):
        inputs = [path, rows]
    suffixes = (*SUFFIXES, MOVING) if arguments.kind == "layers" else SUFFIXES
    out = files.check_output(
        arguments.out, suffixes, force=arguments.force, inputs=inputs
    )
    with explained():
        _optional.require("matplotlib.figure", extra="plot")
    kind = arguments.kind
    if kind == "history":
        figure = _history(arguments)
    elif kind == "corner" and arguments.data is None and files.is_table(arguments.file):
        figure = _table(arguments)
    else:
        path, flow = models.load(arguments.file)
        _require_rows(path, flow)
        with explained(path, also=(TypeError,)):
            figure = _OF_FLOWS[kind](flow, arguments)
    with files.replacing(out) as temporary, explained(f"cannot write to '{out}'"):
        if callable(figure):
            figure(temporary)
        else:
            figure.savefig(temporary, dpi=arguments.dpi)
    report = Report(arguments)
    report.line(f"wrote {out}", kind=kind, out=out)
    report.end()


def _require_rows(path: Path, flow: Flow) -> None:
    if len(flow.event_shape) != 1:
        raise UsageError(
            f"'{path}' is no density of table rows: its event shape is "
            f"{flow.event_shape}; for images there is `sample --grid`."
        )


def _history(arguments: argparse.Namespace) -> Any:
    """Draw what `fit` wrote of its losses."""
    path = files.check_input(arguments.file, config.SUFFIXES)
    found = config.history(path)
    from tfp_flows import plots

    with explained(path, also=(TypeError,)):
        return plots.history(found).figure


def _table(arguments: argparse.Namespace) -> Any:
    """Draw a table alone."""
    from tfp_flows import plots

    path = files.check_input(arguments.file, files.TABLE_SUFFIXES)
    source = tables.open_source(path, arguments.sheet)
    table, _ = tables.read(source, arguments.columns, None)
    tables.check_varies(path, table)
    with explained(path):
        return plots.corner(table)[0, 0].figure


def _rows(
    flow: Flow, arguments: argparse.Namespace
) -> tuple[Table, np.ndarray | None] | None:
    """Return the rows of the table in the flow's columns, if there is a table."""
    if arguments.data is None:
        return None
    from tfp_flows import datasets

    path = files.check_input(arguments.data, files.TABLE_SUFFIXES)
    source = tables.open_source(path, arguments.sheet)
    x, condition = tables.read_for_flow(source, flow, None)
    kept = _spread(len(x), _MOST_ROWS)
    x = x[kept]
    table = datasets.Table(x, tuple(tables.event_columns(flow)))
    return table, None if condition is None else condition[kept]


def _spread(count: int, most: int) -> np.ndarray:
    from tfp_flows.training import report

    return report.spread(count, most)


def _wanted(flow: Flow, arguments: argparse.Namespace) -> list[str]:
    known = tables.event_columns(flow)
    names = columns.resolve(arguments.columns, known) or known
    for name in names:
        if name not in known:
            raise UsageError(columns.missing(name, known))
    return names


def _places(
    flow: Flow, arguments: argparse.Namespace, count: int | None = None
) -> list[int]:
    """Return the numbers of the columns to draw.

    Raises:
        UsageError: If there must be `count` of them, and there are not.
    """
    known = tables.event_columns(flow)
    names = _wanted(flow, arguments)
    if count is not None and arguments.columns is None:
        names = names[:count]
    if count is not None and len(names) != count:
        raise UsageError(
            f"--columns must name {count} columns for this picture, got {len(names)}; "
            "for others: plot corner."
        )
    return [known.index(name) for name in names]


def _condition(flow: Flow, arguments: argparse.Namespace) -> np.ndarray | None:
    return conditions.read(flow, arguments.condition)


def _corner(flow: Flow, arguments: argparse.Namespace) -> Any:
    from tfp_flows import datasets, plots

    names = _wanted(flow, arguments)
    rows, count = _rows(flow, arguments), arguments.n or 2_000
    known = tuple(tables.event_columns(flow))
    if rows is None or rows[1] is None:
        given = _condition(flow, arguments)
    else:  # a sample for each row
        given, count = rows[1], len(rows[1])
    drawn = flow.sample(
        () if given is not None and given.ndim > 1 else count,
        given,
        seed=(arguments.seed, 0),
    )
    samples = datasets.Table(drawn.numpy(), known)
    if rows is None:
        axes = plots.corner(samples, columns=names, labels=("samples", ""))
    else:
        axes = plots.corner(rows[0], samples, columns=names)
    return axes[0, 0].figure


def _density(flow: Flow, arguments: argparse.Namespace) -> Any:
    from tfp_flows import plots

    rows = _rows(flow, arguments)
    ax = plots.density_2d(
        flow,
        condition=_condition(flow, arguments),
        data=None if rows is None else rows[0].x,
        log=arguments.log,
        colorbar=True,
        seed=arguments.seed,
    )
    return ax.figure


def _layers(flow: Flow, arguments: argparse.Namespace) -> Any:
    from tfp_flows import plots

    first, second = _places(flow, arguments, 2)
    options: dict[str, Any] = {
        "condition": _condition(flow, arguments),
        "columns": (first, second),
        "num_samples": arguments.n or 2_000,
        "seed": arguments.seed,
    }
    if Path(arguments.out).suffix.lower() == MOVING:
        return lambda path: plots.layers_gif(path, flow, **options)
    return plots.layers(flow, **options)[0].figure


def _deformation(flow: Flow, arguments: argparse.Namespace) -> Any:
    from tfp_flows import plots

    rows = _rows(flow, arguments)
    ax = plots.deformation(
        flow,
        condition=_condition(flow, arguments),
        data=None if rows is None else rows[0].x,
    )
    return ax.figure


def _calibration(flow: Flow, arguments: argparse.Namespace) -> Any:
    import numpy as np

    from tfp_flows import diagnostics, plots

    rows = _rows(flow, arguments)
    if rows is None:
        raise UsageError("DATA is missing: calibration draws the rows of a table.")
    names, places = _wanted(flow, arguments), _places(flow, arguments)
    kept = _spread(len(rows[0]), _RANKED)
    x, given = rows[0].x[kept][:, places], rows[1]
    sizes: Any = (_DRAWS, len(x)) if given is None else _DRAWS
    given = None if given is None else given[kept]
    drawn = flow.sample(sizes, given, seed=(arguments.seed, 0)).numpy()
    drawn = np.moveaxis(drawn, 0, 1)[..., places]
    found = diagnostics.pit(x, drawn, names=names, seed=arguments.seed)
    return plots.rank_ecdf(found).figure


def _of_rows(name: str, count: int | None) -> Callable[..., Any]:
    """Return a function that draws what happens to the rows of a table."""

    def draw(flow: Flow, arguments: argparse.Namespace) -> Any:
        from tfp_flows import plots

        rows = _rows(flow, arguments)
        if rows is None:
            raise UsageError(f"DATA is missing: {name} draws the rows of a table.")
        places = tuple(_places(flow, arguments, count))
        axes = getattr(plots, name)(flow, rows[0].x, condition=rows[1], columns=places)
        return axes.flat[0].figure

    return draw


_OF_FLOWS: dict[str, Callable[..., Any]] = {
    "corner": _corner,
    "density": _density,
    "layers": _layers,
    "deformation": _deformation,
    "calibration": _calibration,
    "gaussianization": _of_rows("gaussianization", 2),
    "marginals": _of_rows("marginals", None),
}
