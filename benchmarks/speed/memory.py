"""How much memory a training step takes, beside other libraries.

    python benchmarks/speed/memory.py --environments FOLDER

Libraries hold on to memory that they have freed, so that what one call adds says
little. Here each library trains in two fresh processes, on a small and on a large
batch, and the difference of their highest resident memory is divided by that of the
batches: imports, weights and compilers take part in neither. Spline coupling flows
(d=6, 4 layers, residual networks of 3x256, 8 bins), or Glow with `--work glow-4`, 8 or
16 steps per level; each way to step has a row.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pool
import works

__all__ = ["main"]

WORK = works.Work("memory", "spline-coupling", 6, 4, (256,) * 3, bins=8, ops=("step",))
SMOKE = works.Work("memory", "spline-coupling", 4, 1, (8,) * 2, bins=4, ops=("step",))
WORKS = {
    "coupling": (WORK, (1024, 9216)),
    **{
        work.name: (dataclasses.replace(work, ops=("step",)), (8, 64))
        for work in (works.glow(steps) for steps in (4, 8, 16))
    },
}


def ways(name: str, python: str, folder: Path, work: works.Work) -> list[str]:
    """Return the names of the ways in which a library trains."""
    process = pool.Process(pool.PEERS[name], python, folder, threads=1)
    try:
        answer = process.build(work)
        if "ops" not in answer:
            raise RuntimeError(answer)
        return list(process.ask("ways", op="step")["ways"])
    finally:
        process.close()


def highest(name: str, python: str, folder: Path, work: works.Work, way: str) -> float:
    """Return the highest resident memory in MB of a fresh process that trains."""
    process = pool.Process(pool.PEERS[name], python, folder, threads=1)
    try:
        process.build(work)
        process.ask("prepare", op="step", block=0.0, way=way)
        return float(process.ask("highest")["highest"])
    finally:
        process.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny, takes seconds")
    parser.add_argument("--environments", type=Path, help="folder of environments")
    peers = ("ours", "ours-checkpoint", "zuko", "nflows", "distrax")
    parser.add_argument("--peers", nargs="+", default=peers, choices=pool.PEERS)
    parser.add_argument("--work", default="coupling", choices=WORKS)
    args = parser.parse_args(argv)
    work, batches = (SMOKE, (16, 512)) if args.smoke else WORKS[args.work]
    chosen = ("ours",) if args.smoke else args.peers
    heads = "".join(f"{f'MB at {batch}':>14}" for batch in batches)
    print(f"{'library':32}{heads}{'KB per event':>14}")
    for name in chosen:
        python = pool.PEERS[name].python(args.environments)
        if python is None:
            print(f"{name} is left out: no environment for it (see --environments)")
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            small, large = (dataclasses.replace(work, batch=batch) for batch in batches)
            for way in ways(name, python, folder, small):
                found = [
                    highest(name, python, folder, item, way) for item in (small, large)
                ]
                each = 1024 * (found[1] - found[0]) / (large.batch - small.batch)
                cells = "".join(f"{value:14.0f}" for value in found)
                title = f"{name}, {way}" if way else name
                print(f"{title:32}{cells}{each:14.1f}", flush=True)


if __name__ == "__main__":
    main()
