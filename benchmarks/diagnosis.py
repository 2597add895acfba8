"""Faults that are planted, and whether `diagnose` names them.

    python benchmarks/diagnosis.py [--tables NAME ...] [--seeds N] [--smoke]

Eight faults, each at three strengths, on correlated Gaussian columns, on white wines,
and on two tables of `--data`: galaxies and power. A fault counts as named if the
finding of its kind stands in the report with the planted column, and for an outlier the
planted row, and if it did not before anything was planted: that is printed first, and
such a fault is "there", not named. Last come reports on clean Gaussian rows, one for
each seed.

Flows are RBIG in float32, fitted by `fit` with all columns as numbers; where `fit`
refuses the rows (copies, lost digits) a flow that only standardises them.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import _report
import numpy as np

import tfp_flows as tfpf
from tfp_flows.preprocessing.checks import spread

TABLES = ("gaussian", "wine", "galaxies", "power")
ROWS = 800
COLUMN = 1  # where faults are planted
Tables = tuple[np.ndarray, np.ndarray]


class Fault(NamedTuple):
    """A fault.

    Attributes:
        finding: The finding that has to name it.
        strengths: Weak, middle, strong.
        plant: Changes training and test rows, by a strength.
        unit: What strengths are.
    """

    finding: str
    strengths: tuple[float, ...]
    plant: Callable[[np.ndarray, np.ndarray, float], Tables]
    unit: str


def copied(train: np.ndarray, test: np.ndarray, noise: float) -> Tables:
    """Append a column in another unit, with noise in units of its spread."""
    rng = np.random.default_rng(0)

    def more(x: np.ndarray) -> np.ndarray:
        column = x[:, COLUMN]
        moved = column + noise * spread(column) * rng.normal(size=len(x))
        return np.column_stack([x, moved if noise == 0 else 2.54 * moved + 32.0])

    return more(train), more(test)


def tied(train: np.ndarray, test: np.ndarray, share: float) -> Tables:
    """Set a share of the values to one."""
    value = float(np.quantile(train[:, COLUMN], 0.3))

    def some(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        rng = np.random.default_rng(0)
        x[rng.permutation(len(x))[: round(share * len(x))], COLUMN] = value
        return x

    return some(train), some(test)


def outlying(train: np.ndarray, test: np.ndarray, factor: float) -> Tables:
    """Move one value so many times as far from the median as all others."""
    test = test.copy()
    values = np.concatenate([train, test])[:, COLUMN]
    middle = np.median(values)
    test[7, COLUMN] = middle + factor * np.abs(values - middle).max()
    return train, test


def bounded(train: np.ndarray, test: np.ndarray, share: float) -> Tables:
    """Fold the lowest share of the values up."""
    end = float(np.quantile(train[:, COLUMN], share))

    def folded(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[:, COLUMN] = end + np.abs(x[:, COLUMN] - end)
        return x

    return folded(train), folded(test)


def few(train: np.ndarray, test: np.ndarray, count: float) -> Tables:
    """Keep so many training rows, which a large flow remembers."""
    return train[: int(count)], test


def shifted(train: np.ndarray, test: np.ndarray, size: float) -> Tables:
    """Move a column of the test rows by so many deviations."""
    test = test.copy()
    test[:, COLUMN] += size * spread(train[:, COLUMN])
    return train, test


def offset(train: np.ndarray, test: np.ndarray, size: float) -> Tables:
    """Move a column by so many deviations, beside which float32 loses digits."""
    move = np.zeros(train.shape[1])
    move[COLUMN] = size * spread(train[:, COLUMN])
    return train + move, test + move


def unchanged(train: np.ndarray, test: np.ndarray, _: float) -> Tables:
    """Leave the rows: the flow gets the fault."""
    return train, test


FAULTS = {
    "outlier": Fault("outliers", (2.5, 10.0, 1000.0), outlying, "times as far"),
    "shift": Fault("shift", (0.25, 0.5, 1.0), shifted, "deviations"),
    "NaN-prone scale": Fault("scales", (1e-6, 1e-12, 1e-24), unchanged, "scale"),
    "copied column": Fault("copies", (1e-4, 1e-7, 0.0), copied, "noise"),
    "ties": Fault("ties", (0.03, 0.1, 0.4), tied, "share"),
    "bound": Fault("bounds", (0.05, 0.2, 0.5), bounded, "share folded"),
    "over-fitting": Fault("over-fitting", (200, 100, 50), few, "rows"),
    "float32 collapse": Fault("precision", (1e5, 1e6, 1e8), offset, "deviations"),
}
WITHOUT_COLUMN = ("over-fitting",)


def table(name: str, folder: Path, rows: int, seed: int = 0) -> Tables:
    """Return training and test rows, in the units of the table."""
    rng = np.random.default_rng(seed)
    if name == "gaussian":
        mixing = rng.normal(size=(4, 4)) + np.eye(4)
        x = rng.normal(size=(2 * rows, 4)) @ mixing + [0.0, 5.0, -3.0, 100.0]
        return x[:rows], x[rows:]
    if name == "wine":  # copies of a wine would be a fault of their own
        x = np.unique(tfpf.datasets.wine("white").x, axis=0)
    elif name == "galaxies":
        x = np.load(folder / "galaxies" / "train.npz", allow_pickle=False)["x"]
    else:
        x = np.load(folder / "power_34d" / "trainval.npz", allow_pickle=False)["train"]
    x = x[rng.permutation(len(x))[: 2 * rows]].astype(np.float64)
    return x[:rows], x[rows:]


@functools.lru_cache(maxsize=1)
def of_rows(content: bytes, width: int, *, remembers: bool) -> tuple[Any, list[Any]]:
    """Return a flow of rows, and its weights.

    Args:
        content: The rows, `[N, width]`.
        width: Number of columns.
        remembers: Whether it is fitted without validation rows.
    """
    train = np.frombuffer(content).reshape(-1, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {"columns": "continuous", "outliers": "keep"}
        if remembers:
            options |= {"validation": None, "epochs": 12}
        try:
            flow, _ = tfpf.fit(
                "rbig", train, dtype="float32", seed=0, verbose=0, **options
            )
        except ValueError:  # refused: as one who builds flows by hand would go on
            flow = tfpf.flows.build("linear", width, seed=0)
            flow.adapt(train)
    return flow, flow.get_weights()


def fitted(fault: str, train: np.ndarray, strength: float) -> Any:
    """Return a flow of the training rows, which has the fault if it is one of flows."""
    remembers = fault == "over-fitting"
    flow, weights = of_rows(train.tobytes(), train.shape[1], remembers=remembers)
    if fault == "NaN-prone scale":
        names = [variable.path for variable in flow.weights]
        place = next(i for i, n in enumerate(names) if n.endswith("standardize_scale"))
        weights = [weight.copy() for weight in weights]
        weights[place][COLUMN] *= strength
    flow.set_weights(weights)
    return flow


def diagnosed(fault: str, rows: Tables, strength: float) -> tuple[Any, bool]:
    """Return the report, and whether it names the fault."""
    train, test = FAULTS[fault].plant(*rows, strength)
    flow = fitted(fault, train, strength)
    found = tfpf.diagnose(flow, test, train=train)
    return found, names(found, fault, train.shape[1])


def names(found: Any, fault: str, width: int) -> bool:
    """Return whether a report names a fault.

    Args:
        found: The report.
        fault: The fault.
        width: Number of columns, the copied one included.
    """
    kind = FAULTS[fault]
    listed = {finding.name: finding for finding in found.findings}
    finding = listed.get(kind.finding)
    if finding is None:
        return False
    where = {f"x{COLUMN}"}
    if fault == "copied column":  # either of both
        where.add(f"x{width - 1}")
    right = kind.finding in WITHOUT_COLUMN or bool(where & set(finding.columns))
    if fault == "outlier":
        right = right and 7 in finding.rows
    return right


def main(argv: list[str] | None = None) -> None:
    """Print the tables.

    Args:
        argv: Arguments; those of the process if `None`.
    """
    parser = _report.parser(__doc__)
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=folder, help="folder of tables")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--seeds", type=int, default=20, help="clean reports")
    arguments = parser.parse_args(argv)
    rows = ROWS
    if arguments.smoke:
        arguments.tables, arguments.seeds, rows = ["gaussian"], 1, 100
        arguments.faults = ["outlier"]
    _report.header("Planted faults, and whether tfpf.diagnose names them", "scipy")
    start = time.perf_counter()
    total = hits = 0
    for name in arguments.tables:
        given = table(name, arguments.data, rows)
        total, hits = _planted(name, given, arguments, total, hits)
    print(f"\nnamed: {hits} of {total}")
    _clean(arguments.seeds, rows)
    print(f"{time.perf_counter() - start:.0f} s")


def _planted(
    name: str, rows: Tables, arguments: argparse.Namespace, total: int, hits: int
) -> tuple[int, int]:
    before = tfpf.diagnose(fitted("", rows[0], 0.0), rows[1], train=rows[0])
    print(f"\n{name}, {rows[0].shape[1]} columns, {len(rows[0])} + {len(rows[1])} rows")
    print(f"  before: {before.summary}")
    print(f"  {'fault':18}{'weak':>20}{'middle':>20}{'strong':>20}  others found")
    for fault in arguments.faults:
        cells, others = [], set()
        for strength in FAULTS[fault].strengths:
            found, right = diagnosed(fault, rows, strength)
            total, hits = total + 1, hits + right
            there = right and names(before, fault, rows[0].shape[1])
            hits -= there
            word = "there" if there else "named" if right else "MISSED"
            cells.append(f"{strength:g} {word}")
            others |= {finding.name for finding in found.findings}
        others -= {FAULTS[fault].finding, *(f.name for f in before.findings)}
        line = "".join(f"{cell:>20}" for cell in cells)
        print(f"  {fault:18}{line}  {', '.join(sorted(others))}", flush=True)
    return total, hits


def _clean(seeds: int, rows: int) -> None:
    alarms = []
    for seed in range(seeds):
        train, test = table("gaussian", Path(), rows, seed=1_000 + seed)
        found = tfpf.diagnose(fitted("", train, 0.0), test, train=train, seed=seed)
        alarms += [(seed, finding.name) for finding in found.findings]
    print(f"clean Gaussian rows, {seeds} seeds: {len({s for s, _ in alarms})} with an")
    print(f"  alarm (at most 1 of 20): {alarms or 'none'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
