"""Information measures of a table: what `tfp-flows info DATA --measures` prints."""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfp_flows.cli import columns, files, flow_options, quiet, tables
from tfp_flows.cli.errors import UsageError, explained
from tfp_flows.cli.output import Report

if TYPE_CHECKING:
    from tfp_flows.datasets import Table

__all__ = ["EXAMPLE", "Request", "parse", "run"]

EXAMPLE = "tc,entropy,mi:A|B+C,cmi:A|B|C,kl:OTHER.csv"
# The function of each word, and how many groups of columns it is given; 1 may be left
# out and stands for all columns, 0 is the file that takes the place of groups.
MEASURES = {
    "entropy": ("entropy", 1),
    "negentropy": ("negentropy", 1),
    "tc": ("total_correlation", 1),
    "mi": ("mutual_information", 2),
    "cmi": ("conditional_mutual_information", 3),
    "co": ("co_information", 3),
    "kl": ("kl_divergence", 0),
    "cross-entropy": ("cross_entropy", 0),
}


@dataclasses.dataclass(frozen=True)
class Request:
    """One measure that was asked for.

    Attributes:
        text: As the user wrote it.
        function: Name of the function in `tfp_flows.information`.
        groups: Names of the columns of each group; none stands for all columns.
        other: The second table, if the measure compares two.
    """

    text: str
    function: str
    groups: tuple[tuple[str, ...], ...]
    other: Path | None = None


def parse(text: str) -> list[Request]:
    """Read a list of measures such as `tc,mi:a|b+c,kl:other.csv`.

    Raises:
        UsageError: If a measure is unknown, or its columns or file are missing.
    """
    parts = columns.split(text)
    requests = [_parse_one(part.strip()) for part in parts if part.strip()]
    if not requests:
        raise UsageError(f"--measures must name measures, such as {EXAMPLE}.")
    return requests


def _parse_one(text: str) -> Request:
    word, colon, rest = text.partition(":")
    if word not in MEASURES:
        known = ", ".join(MEASURES) + (columns.hint(word, MEASURES) or ".")
        raise UsageError(f"there is no measure {word!r}, only {known}")
    function, count = MEASURES[word]
    if count == 0:
        if not rest:
            raise UsageError(f"{word} needs a second table, as in '{word}:OTHER.csv'.")
        return Request(
            text, function, (), files.check_input(rest, files.TABLE_SUFFIXES)
        )
    if not colon and count == 1:
        return Request(text, function, ())
    groups = tuple(
        tuple(columns.unquoted(n) for n in columns.split(group, "+") if n.strip())
        for group in columns.split(rest, "|")
    )
    if len(groups) != count or not all(groups):
        example = word + ":" + "|".join("ABC"[:count])
        kind = "a group" if count == 1 else f"{count} groups"
        raise UsageError(
            f"{word} needs {kind} of columns, as in '{example}', got {text!r}; columns "
            "of one group are joined by +."
        )
    names = [name for group in groups for name in group]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"{text!r} names the column {twice[0]!r} twice.")
    return Request(text, function, groups)


def run(arguments: argparse.Namespace) -> None:
    """Print measures of a table.

    Raises:
        UsageError: If the input is bad.
    """
    path = files.check_input(arguments.file, files.TABLE_SUFFIXES)
    requests = parse(arguments.measures)
    table = _read(path, requests, arguments.sheet)
    tables.check_varies(path, table)
    inputs = [list(_inputs(path, table, request)) for request in requests]
    quiet.import_tensorflow()
    from tfp_flows import flows, information

    if arguments.flow not in flows.names():
        raise UsageError(flow_options.no_flow(arguments.flow, flows.names()))
    width = max(len(request.text) for request in requests)
    results: list[dict[str, Any]] = []
    report = Report(arguments)
    for request, samples in zip(requests, inputs, strict=True):
        # The sentences of the warnings come with the value.
        with explained(path), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = getattr(information, request.function)(
                *samples,
                flow=arguments.flow,
                unit=arguments.unit,
                seed=arguments.seed,
            )
        results.append(
            {
                "measure": request.text,
                "name": found.name,
                "value": found.value,
                "stderr": found.stderr,
                "doubts": list(found.doubts),
            }
        )
        numbers = f"{found.value:9.4f} +- {found.stderr:.4f} {found.unit}"
        report.line(f"{request.text:<{width}} {numbers}")
        for sentence in found.doubts:
            report.line(f"{'':<{width}} {sentence}")
    report.facts |= {
        "data": arguments.file,
        "rows": len(table),
        "flow": arguments.flow,
        "unit": arguments.unit,
        "seed": arguments.seed,
        "measures": results,
    }
    report.end()


def _read(path: Path, requests: list[Request], sheet: str | None) -> Table:
    """Read the columns that are asked for, all if a measure names none."""
    from tfp_flows.datasets import readers

    source = tables.open_source(path, sheet)
    names = [n for request in requests for group in request.groups for n in group]
    named = all(request.groups for request in requests)
    for name in names:
        if name not in source.columns:
            raise UsageError(f"{path}: {columns.missing(name, source.columns)}")
    with explained(path):
        return readers.checked(source, list(dict.fromkeys(names)) if named else None)


def _inputs(path: Path, table: Table, request: Request) -> Iterator[Table]:
    """Yield the samples that a measure takes."""
    from tfp_flows import datasets

    with explained(path):
        for group in request.groups:
            yield table.select(group)
    if not request.groups:
        yield table
    if request.other is not None:
        with explained(request.other):
            other = datasets.read_table(request.other, table.columns)
        tables.check_varies(request.other, other)
        yield other
