"""Files that do not fit into memory: time of each step, and the peak of the memory.

    python benchmarks/streaming.py --rows 1000000
    python benchmarks/streaming.py --rows 100000000 --steps statistics batches score fit

A process of its own makes 100 Parquet files of distinct rows of 10 columns, which are
read then: `statistics` is the pass that counts all rows and tells what holds validation
rows, `batches` one pass of shuffled batches, `score` the log-densities of all rows,
written to a file, `fit` 2,000 updates, statistics included, `rbig` a fit of at most 10
layers. Seconds are of the wall clock, `CPU` those of all cores, `Mrows/s` of rows read
in all, `peak` the largest resident memory of the process so far.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import _report
import numpy as np
from _memory import highest

__all__ = ["main"]

COLUMNS, FILES, UPDATES, LAYERS = 10, 100, 2_000, 10
BAR = 4.0  # GB of memory
STEPS = ("statistics", "batches", "score", "fit", "rbig")


def make(folder: Path, rows: int, files: int) -> None:
    """Write the files, one in memory at a time."""
    import pyarrow as arrow
    from pyarrow import parquet

    sizes = np.diff(np.linspace(0, rows, files + 1).astype(int))
    for i, size in enumerate(sizes):
        z = np.random.default_rng(i).normal(size=[size, COLUMNS])
        z[:, 1:] += 0.5 * np.tanh(2.0 * z[:, :-1])
        columns = {f"x{j}": z[:, j].astype("float32") for j in range(COLUMNS)}
        parquet.write_table(arrow.table(columns), folder / f"part-{i:04}.parquet")


def measure(
    steps: Sequence[str], folder: Path, out: Path, rows: int, updates: int, layers: int
) -> None:
    """Print a line for each step."""
    import tfp_flows as tfpf
    from tfp_flows.training.data import files

    heads = f"{'step':12}{'seconds':>9}{'CPU':>9}{'Mrows/s':>9}{'peak, GB':>10}"
    print(heads, flush=True)
    flow = tfpf.flows.build("maf", COLUMNS, num_layers=3, hidden_units=(64,), seed=0)
    source = tfpf.datasets.open_shards(folder)
    found = files.scan(source, COLUMNS, 0.1, 0)
    flow.adapt(found.sample)
    for step in steps:
        start, used, read = time.perf_counter(), time.process_time(), None
        if step == "statistics":
            counted = files.scan(source, COLUMNS, 0.1, 0)
            if not 0 < rows - counted.rows < 0.2 * rows:
                raise RuntimeError(f"{counted.rows} training rows of {rows}.")
            read = rows
        elif step == "batches":
            size = min(512, found.rows)
            steps = found.rows // size
            for _ in found.batches(flow, size, 0).dataset.take(steps):
                pass
            read = rows
        elif step == "score":
            scored = tfpf.training.score(flow, source, out=out)
            if scored.rows != rows:
                raise RuntimeError(f"{scored.rows} of {rows} rows are scored.")
            read = rows
        elif step == "fit":
            tfpf.fit(
                "maf",
                source,
                num_layers=3,
                hidden_units=(64,),
                steps=updates,
                epochs=4,
                seed=0,
                verbose=0,
            )
        else:
            tfpf.fit("rbig", source, epochs=layers, seed=0, verbose=0)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        speed = "" if read is None else f"{read / seconds / 1e6:.2f}"
        numbers = f"{seconds:9.1f}{used:9.1f}{speed:>9}{highest() / 1024:10.2f}"
        print(f"{step:12}{numbers}", flush=True)
    verdict = _report.verdict(highest() / 1024, BAR)
    print(f"peak of at most {BAR:g} GB: {verdict}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where to make the files; default: temporary")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--one", nargs=5, help="for its own processes")
    args = parser.parse_args(argv)
    if args.one:
        folder, out, *numbers = args.one
        measure(args.steps, Path(folder), Path(out), *map(int, numbers))
        return
    rows, files, updates, layers = args.rows, FILES, UPDATES, LAYERS
    if args.smoke:
        rows, files, updates, layers = 4_000, 4, 8, 1
    _report.header("files that do not fit into memory", "pyarrow")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name) / "data"
        folder.mkdir()
        start = time.perf_counter()
        make(folder, rows, files)
        seconds = time.perf_counter() - start
        size = sum(file.stat().st_size for file in folder.iterdir()) / 2**30
        print(f"{rows:,} rows in {files} files, {size:.2f} GB, made in {seconds:.0f} s")
        out = Path(name) / "scores.parquet"
        numbers = [str(number) for number in (rows, updates, layers)]
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).resolve()),
                "--one",
                str(folder),
                str(out),
                *numbers,
                "--steps",
                *args.steps,
            ],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        print(done.stdout, end="", flush=True)


if __name__ == "__main__":
    main()
