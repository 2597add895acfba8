"""What each fit leaves in memory when fits follow each other, as in a grid search.

    python benchmarks/fit_memory.py

For each flow a fresh process makes a few fits to a small table, then many more whose
flows are dropped, as a grid search does. `first` and `last` are its resident memory in
MB before and after the many; `MB/fit` is their difference for each fit; `seconds` the
CPU time of one fit. Steps of flows whose name ends in `:xla` are compiled by XLA.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _report
import numpy as np

__all__ = ["main"]

FLOWS = ("linear", "maf", "rbig", "linear:xla", "nsf:xla")
BAR = 1.0  # MB for each fit
WARM_UP = 20


def resident() -> float:
    """Return the resident memory of this process in MB, where the system tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    lines = status.read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:"))


def fits(name: str, count: int, warm_up: int) -> tuple[float, float, float]:
    """Return memory before and after fits, and the CPU seconds of each."""
    import tfp_flows as tfpf

    x = np.random.default_rng(0).normal(size=(200, 2)).astype("float32")
    name, _, compiler = name.partition(":")
    options: dict[str, Any] = {"epochs": 2, "verbose": 0}
    if compiler:
        options["jit_compile"] = True
    if name == "nsf":
        options["num_layers"] = 2
    for seed in range(warm_up):
        tfpf.fit(name, x, seed=seed, **options)
    before, start = resident(), time.process_time()
    for seed in range(count):
        tfpf.fit(name, x, seed=seed, **options)
    return before, resident(), (time.process_time() - start) / count


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--flows", nargs="+", default=FLOWS)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--one", nargs=3, help="for its own processes")
    args = parser.parse_args(argv)
    if args.one:
        name, count, warm_up = args.one
        print(*fits(name, int(count), int(warm_up)))
        return
    warm_up = WARM_UP
    if args.smoke:
        args.flows, args.fits, warm_up = ("linear",), 2, 1
    _report.header("memory of fits")
    print(f"{'flow':14}{'fits':>6}{'first':>9}{'last':>9}{'MB/fit':>8}{'seconds':>9}")
    for name in args.flows:
        command = [sys.executable, Path(__file__).resolve(), "--one", name]
        done = subprocess.run(
            [*command, str(args.fits), str(warm_up)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
        )
        words = done.stdout.splitlines()[-1].split()
        before, after, seconds = (float(word) for word in words)
        each = (after - before) / args.fits
        print(
            f"{name:14}{args.fits:6d}{before:9.0f}{after:9.0f}{each:8.2f}{seconds:9.2f}"
            f"  at most {BAR:g}: {_report.verdict(each, BAR)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
