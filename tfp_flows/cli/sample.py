"""`tfp-flows sample`: draw rows, or images, from a flow."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows._counts import counted
from tfp_flows.cli import conditions, files, images, models, output, ranges, tables
from tfp_flows.cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.datasets import Table
    from tfp_flows.flows import Flow

__all__ = ["add_parser", "labelled", "run"]


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "sample",
        help="draw rows or images from a flow",
        description="Draw rows from a flow, in the units of its training table; or "
        "images from a flow of images, as an array or as a sheet.",
    )
    add = parser.add_argument
    add("flow", metavar="F.keras", help="flow that `tfp-flows fit` wrote")
    add(
        "-n",
        type=ranges.count,
        metavar="N",
        help="number of rows, or of images; with --conditions for each of its rows",
    )
    add(
        "--out",
        metavar="ROWS",
        help=f"table to write: {files.TABLES}; default: CSV to standard output; "
        "images: .npz or .npy",
    )
    add("--grid", metavar="OUT.png", help="picture to draw images in, side by side")
    add(
        "--temperature",
        type=ranges.temperature,
        metavar="T",
        help="of images: below 1 for more typical ones; default 1",
    )
    add(
        "--condition",
        metavar="NAME=VALUE,...",
        help="the condition's values, by name or in the order of its columns; for "
        "images: one class, default: all in turn",
    )
    add(
        "--conditions",
        metavar="FILE",
        help="table of conditions: -n rows for each of its rows (default 1), in order, "
        "written with the condition's columns behind",
    )
    add("--sheet", metavar="NAME", help="sheet of FILE; default: the first")
    add(
        "--seed",
        type=ranges.seed,
        metavar="N",
        help="default: other rows each time",
    )
    add("--force", action="store_true", help="overwrite the output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Draw rows.

    Raises:
        UsageError: If the input is bad.
    """
    import numpy as np

    files.check_input(arguments.flow, (files.MODEL_SUFFIX,))
    inputs = []
    if arguments.conditions is not None:
        inputs = [files.check_input(arguments.conditions, files.TABLE_SUFFIXES)]
    # Before the seconds that loading takes; which of them fits is known only then.
    any_array = tuple(dict.fromkeys((*files.TABLE_SUFFIXES, *images.ARRAY_SUFFIXES)))
    if arguments.out is not None:
        files.check_output(
            arguments.out, any_array, force=arguments.force, inputs=inputs
        )
    if arguments.grid is not None:
        files.check_output(
            arguments.grid, images.PICTURE_SUFFIXES, force=arguments.force
        )
    _, flow = models.load(arguments.flow)
    if images.is_image_flow(flow):
        if arguments.conditions is not None:
            raise UsageError("--conditions is for tables, and this flow is of images.")
        images.sample(flow, arguments)
        return
    for name in ("grid", "temperature"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for images, and this flow is of table rows.")
    if arguments.n is None and arguments.conditions is None:
        raise UsageError("-n is missing: give the number of rows.")
    out = files.check_table_output(arguments)
    if len(flow.event_shape) != 1:
        raise UsageError(
            f"'{arguments.flow}' is no density of table rows: its event shape is "
            f"{flow.event_shape}."
        )
    names = tables.event_columns(flow)
    types = dict(flow.types_of_columns())
    if arguments.conditions is None:
        condition = conditions.read(flow, arguments.condition)
        x = _draw(flow, arguments.n, condition, arguments.seed)
    else:
        given = _conditions(flow, arguments)
        x = _draw(flow, len(given), given.x, arguments.seed)
        x, names = np.concatenate([x, given.x], axis=1), [*names, *given.columns]
        types |= given.types or {}
    report = output.Report(arguments)
    text = labelled(flow, x, names, out, types)
    if out is not None or not report.json:
        rest = [i for i, name in enumerate(names) if name not in text]
        output.write(out, x[:, rest], [names[i] for i in rest], text, names)
    else:
        rows, words = _rows(x, names, text)
        report.facts |= {"columns": names, "rows": rows, "labels": words}
    if out is not None:
        report.line(
            f"wrote {counted(len(x), 'row')} to {out}",
            rows=len(x),
            columns=names,
            out=out,
        )
    report.end()


def labelled(
    flow: Flow,
    x: np.ndarray,
    names: Sequence[str],
    out: Path | None,
    types: Mapping[str, str],
) -> dict[str, list[Any]]:
    """Return columns that are no floats by name: text, dates, integers and booleans.

    Arrays of NumPy keep all but text as numbers.

    Args:
        flow: The flow.
        x: Numbers, `[n, d]`.
        names: Names of their columns: events, and conditions behind them.
        out: File to write, if one is written.
        types: Which columns are integers or booleans, by name.
    """
    from tfp_flows.datasets import dates, own_types

    events = tables.event_columns(flow)
    labels, units = dict(flow.category_labels()), {}
    if out is None or out.suffix not in (".npy", ".npz"):
        units = dict((flow.units or {}).get("columns", {}))
        given = dict((flow.units or {}).get("condition_columns", {}))
        units |= {_behind(name, events): unit for name, unit in given.items()}
    else:
        types = {}
    for name, known in flow.condition_labels().items():
        labels[_behind(name, events)] = known
    found: dict[str, list[Any]] = {}
    for i, name in enumerate(names):
        if name in labels:
            found[name] = [labels[name][int(code)] for code in x[:, i]]
        elif name in units and units[name] != dates.LENGTH:
            found[name] = dates.as_text(x[:, i], units[name])
        elif name in types:
            values = own_types.restored(x[:, i], types[name])
            if values.dtype.kind != "f":
                found[name] = values.tolist()
    return found


def _rows(
    x: np.ndarray, names: Sequence[str], held: Mapping[str, list[Any]]
) -> tuple[list[tuple[Any, ...]], dict[str, list[Any]]]:
    """Return rows whose integers and booleans are such, and columns of text."""
    text = {name: cells for name, cells in held.items() if isinstance(cells[0], str)}
    cells = [
        held[name] if name in held and name not in text else x[:, i].tolist()
        for i, name in enumerate(names)
    ]
    return list(zip(*cells, strict=True)), text


def _behind(name: str, events: Sequence[str]) -> str:
    """Return the name of a condition behind events."""
    return f"condition {name}" if name in events else name


def _conditions(flow: Flow, arguments: argparse.Namespace) -> Table:
    """Return the condition of each row to draw.

    Raises:
        UsageError: If the flow takes none, or the file has not what it takes.
    """
    import numpy as np

    from tfp_flows.datasets import Table

    if arguments.condition is not None:
        raise UsageError("--condition and --conditions say the same: give one of them.")
    if flow.condition_shape is None:
        raise UsageError("--conditions was given, but this flow takes none.")
    path = files.check_input(arguments.conditions, files.TABLE_SUFFIXES)
    given = tables.read_conditions(tables.open_source(path, arguments.sheet), flow)
    tables.check_float32(path, given)
    events = tables.event_columns(flow)
    names = [_behind(name, events) for name in given.columns]
    types = {_behind(name, events): kind for name, kind in (given.types or {}).items()}
    x = np.repeat(given.x, arguments.n or 1, axis=0)
    return Table(x, tuple(names), types=types)


def _draw(
    flow: Flow, count: int, condition: np.ndarray | None, seed: int | None
) -> np.ndarray:
    """Draw in blocks, each with a seed of its own; see `images.draw`."""
    import numpy as np

    starts = range(0, count, models.BLOCK)
    seeds = np.random.default_rng(seed).integers(2**31, size=(len(starts), 2))
    blocks = []
    for start, pair in zip(starts, seeds, strict=True):
        rows = slice(start, min(count, start + models.BLOCK))
        sizes: tuple[int, ...] | int = rows.stop - rows.start
        given: Any = condition
        if condition is not None and condition.ndim == 2:  # one for each row
            sizes, given = (), condition[rows]
        x = flow.sample(sizes, given, seed=pair.astype(np.int32))
        blocks.append(x.numpy())
    return np.concatenate(blocks)
