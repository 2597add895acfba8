"""Time of `tfp-flows compare --quick` on three tables, and what it says of them.

    python benchmarks/learning/comparison.py [--tables white red cells]

White and red wines of the package, and scikit-learn's `breast_cancer`, of 30 columns,
each written as CSV and compared as on the shell, with the default flows and baselines.
The first one loads TensorFlow. A comparison is to take less than 5 minutes on two
cores, 500 s of CPU time at most.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
from sklearn.datasets import load_breast_cancer

from tfp_flows import datasets
from tfp_flows.cli import main as shell

MOST_CPU = 500.0


def cells() -> datasets.Table:
    """Return measurements of cells."""
    return datasets.to_table(load_breast_cancer(as_frame=True).data)


TABLES: dict[str, Callable[[], datasets.Table]] = {
    "white": lambda: datasets.wine("white"),
    "red": lambda: datasets.wine("red"),
    "cells": cells,
}


class Clock:
    """Wall-clock and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return both."""
        wall, cpu = time.perf_counter(), time.process_time()
        return wall - self._wall, cpu - self._cpu


def compared(name: str, more: Sequence[str], rows: int | None) -> tuple[float, float]:
    """Compare on a table, which prints its lines, and return the seconds."""
    table = TABLES[name]()
    x = table.x if rows is None else table.x[:rows]
    with tempfile.TemporaryDirectory() as folder:
        path = datasets.write_table(Path(folder) / f"{name}.csv", x, table.columns)
        clock = Clock()
        code = shell.main(["compare", str(path), "--quick", "--quiet", *more])
    if code:
        msg = f"the comparison of {name} ended with code {code}."
        raise RuntimeError(msg)
    return clock.read()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparisons, and a line of seconds for each."""
    parser = _report.parser(__doc__)
    names = list(TABLES)
    parser.add_argument("--tables", nargs="+", choices=names, default=names)
    given = parser.parse_args(arguments)
    more, rows, chosen = [], None, given.tables
    if given.smoke:
        more = ["--flows", "linear", "--baselines", "gaussian", "--epochs", "1"]
        rows, chosen = 100, ["red"]
    _report.header("tfp-flows compare --quick", "scikit-learn")
    for name in chosen:
        print(f"\n{name}", flush=True)
        wall, cpu = compared(name, more, rows)
        reached = _report.verdict(cpu, MOST_CPU)
        print(f"{name}\t{wall:.0f} s, {cpu:.0f} s of CPU\tin time: {reached}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
