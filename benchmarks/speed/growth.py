"""How the cost of ours grows with the sizes of a flow."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pool
import works

__all__ = ["SIZES", "run"]

BASE = works.Work(
    "growth", "spline-coupling", 16, 5, (128,) * 3, bins=8, ops=("log_prob", "step")
)
SIZES: dict[str, tuple[int, ...]] = {
    "size": (8, 32, 128, 512),
    "batch": (64, 256, 1024, 4096),
    "bins": (8, 16, 32, 64, 128),
    "layers": (5, 10, 20, 50),
}
SMOKE = {"layers": (1, 2)}


def run(args: Any, python: str, folder: Path) -> None:
    """Print CPU times at growing sizes, and the exponents of the growth.

    Args:
        args: The options of the command.
        python: The Python of ours.
        folder: Where logs lie.
    """
    base = BASE
    if args.ops:
        base = dataclasses.replace(BASE, ops=tuple(args.ops))
    if args.smoke:
        base = dataclasses.replace(BASE, hidden=(8, 8), batch=16, ops=("log_prob",))
    chosen = {key: SIZES[key] for key in args.growth or SIZES}
    for field, sizes in (SMOKE if args.smoke else chosen).items():
        heads = "".join(f"{op + ' ms':>14}{'compile s':>12}" for op in base.ops)
        print(f"\n{field:8}{heads}")
        costs = []
        for size in sizes:
            changed: dict[str, Any] = {field: size}
            work = dataclasses.replace(base, **changed)
            # A fresh process: nothing compiled before helps.
            process = pool.Process(pool.PEERS["ours"], python, folder, args.threads)
            try:
                costs.append(cost(process, work, args))
            finally:
                process.close()
            cells = "".join(
                f"{1e3 * time:14.2f}{compiled:12.1f}" for time, compiled in costs[-1]
            )
            print(f"{size:8}{cells}", flush=True)
        slopes = [
            np.polyfit(np.log(sizes), np.log([c[i][j] for c in costs]), 1)[0]
            for i in range(len(base.ops))
            for j in range(2)
        ]
        print(
            "exponent"
            + "".join(
                f"{slope:14.2f}" if i % 2 == 0 else f"{slope:12.2f}"
                for i, slope in enumerate(slopes)
            )
        )


def cost(
    process: pool.Process, work: works.Work, args: Any
) -> list[tuple[float, float]]:
    """Return CPU seconds of a call and seconds of the first, for each op."""
    answer = process.build(work)
    if "ops" not in answer:
        raise RuntimeError(answer)
    out = []
    for op in work.ops:
        ready = process.ask("prepare", op=op, block=args.block)
        if "repeats" not in ready:
            raise RuntimeError(ready)
        blocks = [
            process.ask("time", op=op, repeats=ready["repeats"])["cpu"]
            for _ in range(args.rounds)
        ]
        out.append((float(np.median(blocks)), ready["seconds"]))
    return out
