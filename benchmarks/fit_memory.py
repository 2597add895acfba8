"""What each fit leaves in memory when fits follow each other, as in a grid search.

    python benchmarks/fit_memory.py

For each flow a fresh process makes a few fits to a small table, then many more whose
flows are dropped, as a grid search does. `first` and `last` are the memory in use in
MB before and after the many, as the C library counts it; `MB/fit` is their difference
for each fit. `resident` is how many MB the process grew beside: memory that was freed
and is kept for later, which goes up and down by tens of MB. `seconds` is the CPU time
of one fit. Steps of flows whose name ends in `:xla` are compiled by XLA.

Where the C library does not tell what is in use (other than glibc from 2.33 on), all
columns are resident memory.
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
from _memory import in_use, resident

__all__ = ["main"]

FLOWS = ("linear", "maf", "rbig", "linear:xla", "nsf:xla")
BAR = 1.0  # MB for each fit
WARM_UP = 20


def fits(name: str, count: int, warm_up: int) -> tuple[float, float, float, float]:
    """Return memory before and after fits, growth of the process, seconds of each."""
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
    before, held, start = in_use(), resident(), time.process_time()
    for seed in range(count):
        tfpf.fit(name, x, seed=seed, **options)
    seconds = (time.process_time() - start) / count
    return before, in_use(), resident() - held, seconds


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
    heads = "".join(
        f"{x:>9}" for x in ("first", "last", "MB/fit", "resident", "seconds")
    )
    print(f"{'flow':14}{'fits':>6}{heads}")
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
        before, after, grown, seconds = (float(word) for word in words)
        each = (after - before) / args.fits
        print(
            f"{name:14}{args.fits:6d}{before:9.1f}{after:9.1f}{each:9.3f}{grown:9.0f}"
            f"{seconds:9.2f}  at most {BAR:g}: {_report.verdict(each, BAR)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
