"""The library of this checkout against that of another one, in turns.

Both run with the same Python and the same benchmark, in two processes; each imports the
package of its own checkout. In every other round the other one goes first. Both try all
ways to do a work before one is timed, so that both hold the same. What XLA compiles of
a step is compared, too: where the operations are the same, a ratio is noise.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import devices
import numpy as np
import pool
import works

__all__ = ["OPS", "WORKS", "add_argument", "run", "timing_works"]

ROOT = Path(__file__).resolve().parents[2]
WORKS = ("coupling-63", "realnvp-64", "maf-21", "maf-64")
OPS = ("log_prob", "sample", "step")
# A change may make nothing slower than this.
BAR = 1.05


def checkout(value: str) -> Path:
    """Return a folder that holds the package."""
    path = Path(value).resolve()
    if not (path / "tfp_flows" / "__init__.py").exists():
        raise ValueError
    return path


def add_argument(parser: Any) -> None:
    """Add `--against`."""
    parser.add_argument(
        "--against",
        type=checkout,
        metavar="CHECKOUT",
        help="time the library of this checkout against that of another one",
    )


def timing_works(
    names: Sequence[str], known: dict[str, works.Work], ops: Sequence[str] | None
) -> list[works.Work]:
    """Return works by name, flows to be timed for each of `OPS`."""
    items = [known[name] for name in names]
    if ops is None:
        return [dataclasses.replace(w, ops=OPS) if w.layers else w for w in items]
    return [dataclasses.replace(work, ops=tuple(ops)) for work in items]


def processes(
    module: str, other: Path, folder: Path, threads: int
) -> list[pool.Process]:
    """Start this library and the other one; make sure that each is what it should be.

    Raises:
        RuntimeError: If a process imports another checkout's package.
    """
    out = []
    for name, root in (("ours", ROOT), ("against", other)):
        peer = pool.Peer(name, module, "xla", root=str(root))
        process = pool.Process(peer, sys.executable, folder, threads)
        out.append(process)
        found = process.ask("origin")
        if Path(found.get("origin", "")).parent.parent != root:
            msg = f"{name} is not the package in {root}: {found}"
            raise RuntimeError(msg)
    return out


def compare(
    both: list[pool.Process], op: str, block: float, rounds: int
) -> dict[str, Any]:
    """Return the seconds of both by name in all rounds, or why there are none."""
    ready: dict[str, Any] = {}
    tried = [process.ask("prepare", op=op, block=block) for process in both]
    way = tried[0].get("way")  # what is fastest here, there, too
    for process, failed in zip(both, tried, strict=True):
        found = failed
        if "failed" not in found:
            found = process.ask("prepare", op=op, block=block, way=way)
        if "failed" in found:
            return {"failed": f"{process.peer.name}: {found['failed']}"}
        ready[process.peer.name] = {"repeats": found["repeats"], "seconds": []}
    for i in range(rounds):
        for process in both[:: -1 if i % 2 else 1]:
            entry = ready[process.peer.name]
            answer = process.ask("time", op=op, repeats=entry["repeats"])
            entry["seconds"].append(answer.get(devices.clock(), float("nan")))
    seconds = {name: np.array(entry["seconds"]) for name, entry in ready.items()}
    return {**seconds, "note": note(both, op, way) if way else ""}


def note(both: list[pool.Process], op: str, way: str) -> str:
    """Return the way that was timed, and how far what XLA makes of it differs."""
    ours, other = (
        collections.Counter(found) if found else None
        for found in (process.ask("program", op=op).get("program") for process in both)
    )
    if ours is None or other is None:
        return way
    more, fewer = (ours - other).total(), (other - ours).total()
    if not more and not fewer:
        return f"{way}: the same {ours.total()} operations"
    return f"{way}: {more} operations of {ours.total()} are new, {fewer} gone"


def run(
    items: Sequence[works.Work],
    module: str,
    other: Path,
    *,
    threads: int,
    rounds: int,
    block: float,
) -> None:
    """Print a table of ratios, and what is above the bar.

    Args:
        items: Works.
        module: What does them, of `peers`.
        other: The other checkout.
        threads: Cores for each process.
        rounds: Blocks of each.
        block: Seconds of a block.
    """
    print(f"ours: {ROOT}\nagainst: {other}")
    print(f"{devices.clock()} time; ratio: ours / against, median of {rounds} rounds")
    heads = ("ours ms", "against", "ratio", "quartiles")
    print(f"{'work':14}{'op':12}" + "".join(f"{head:>10}" for head in heads))
    above, missing = [], []
    with tempfile.TemporaryDirectory() as name:
        both = processes(module, other, Path(name), threads)
        for work in items:
            answers = [process.build(work) for process in both]
            for op in work.ops:
                bad = [a for a in answers if op not in a.get("ops", ())]
                found = bad[0] if bad else compare(both, op, block, rounds)
                if bad or "failed" in found:
                    print(f"{work.name:14}{op:12}  {found.get('failed', 'cannot')}")
                    missing.append(f"{work.name} {op}")
                    continue
                ratios = found["ours"] / found["against"]
                low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
                times = (1e3 * np.median(found[key]) for key in ("ours", "against"))
                cells = "".join(f"{value:10.3f}" for value in (*times, middle))
                print(
                    f"{work.name:14}{op:12}{cells}  {low:.3f} to {high:.3f}"
                    f"  {found['note']}",
                    flush=True,
                )
                if not middle <= BAR:
                    above.append(f"{work.name} {op} {middle:.3f}")
        for process in both:
            process.close()
    print(f"above {BAR:g}: {', '.join(above) or 'none'}")
    if missing:
        print(f"not timed: {', '.join(missing)}")
