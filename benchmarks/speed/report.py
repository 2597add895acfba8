"""The tables of the speed benchmark."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import devices
import numpy as np
import pool
import works

__all__ = ["agreement", "describe", "parameters", "summary", "table", "versions"]

# Largest difference of splines of different libraries at equal knots.
AGREE = 1e-5
VERSIONS = """
import importlib.metadata, sys
print(", ".join(f"{p} {importlib.metadata.version(p)}" for p in sys.argv[1:]))
"""


def versions(pythons: dict[str, str], environments: Path | None) -> None:
    """Print the versions of the peers, read in their environments."""
    seen = set()
    for name, python in pythons.items():
        packages = pool.PEERS[name].packages
        if packages and packages not in seen:
            seen.add(packages)
            command = [python, "-c", VERSIONS, *packages]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            print(f"{packages[0]}: {done.stdout.strip() or 'not installed'}")


def describe(work: works.Work) -> str:
    """Return a line that says what a work is."""
    if work.kind == "spline":
        return (
            f"{work.name}: one spline of {work.bins} bins for each of {work.batch:,} "
            f"scalars, from unconstrained numbers, with log-det, {work.dtype}"
        )
    hidden = "x".join(map(str, work.hidden))
    if work.kind == "glow":
        return (
            f"{work.name}: pictures {work.size} x {work.size} x 3, {works.LEVELS} "
            f"levels of {work.layers} steps, {hidden} channels, batch {work.batch}"
        )
    net = "residual network" if work.residual else "network"
    net = f", {net} {hidden}" if hidden else ""
    bins = f", {work.bins} bins" if work.bins else ""
    return (
        f"{work.name}: {work.kind}, d={work.size}, {work.layers} layers{net}"
        f"{bins}, batch {work.batch}, {work.dtype}"
    )


def parameters(answers: dict[str, Any], work: works.Work) -> None:
    """Print how many parameters each library has, and what it forces."""
    if not work.layers:
        return
    counts: dict[int, list[str]] = {}
    for name, answer in answers.items():
        counts.setdefault(answer["parameters"], []).append(name)
    parts = (f"{count:,} ({', '.join(names)})" for count, names in counts.items())
    print("  parameters: " + "; ".join(parts))
    notes: dict[str, list[str]] = {}
    for name, answer in answers.items():
        if answer["note"]:
            notes.setdefault(answer["note"], []).append(name)
    for note, names in notes.items():
        print(f"  {', '.join(names)}: {note}")


def agreement(errors: dict[str, float]) -> str:
    """Say whether splines agree."""
    worst = max(errors.values())
    return "equal" if worst <= AGREE else f"MORE THAN {AGREE:.0e}"


def ratio(entry: dict[str, Any], ours: dict[str, Any] | None, key: str) -> float:
    """Return the median of the ratios to ours within a round."""
    if ours is None:
        return float("nan")
    size = min(len(entry[key]), len(ours[key]))
    return float(np.median(np.divide(entry[key][:size], ours[key][:size])))


def table(work: works.Work, op: str, rounds: dict[str, Any], ours: str) -> None:
    """Print the table of one op."""
    heads = ("wall ms", "ratio", "CPU ms", "ratio", "peak MB")
    print(f"  {op:22}" + "".join(f"{head:>10}" for head in heads))
    for name, entry in rounds.items():
        cells = []
        for key in ("wall", "cpu"):
            cells.append(f"{1e3 * np.median(entry[key]):10.2f}")
            cells.append(f"{ratio(entry, rounds.get(ours), key):10.2f}")
        peak = entry.get("peak")
        cells.append(f"{peak:10.1f}" if peak is not None else f"{'-':>10}")
        way = f"  {entry['way']}" if entry["way"] else ""
        print(f"    {name:20}" + "".join(cells) + way, flush=True)


def summary(everything: dict[str, Any], ours: str) -> None:
    """Print, for each op, how much slower the fastest peer is than ours."""
    print("\nthe fastest of the others against ours (above 1: ours is faster)")
    which = "wall" if devices.on_gpu() else "CPU"
    print(f"  {'work':16}{'op':18}{'wall':>8}{'CPU':>8}  fastest by {which} time")
    for work, ops in everything.items():
        for op, rounds in ops.items():
            reference = rounds.get(ours)
            others = {
                name: ratio(entry, reference, devices.clock())
                for name, entry in rounds.items()
                if not name.startswith((ours, "bare"))
            }
            if reference is None or not others:
                continue
            best = min(others, key=lambda name: others[name])
            wall, cpu = (
                min(ratio(rounds[name], reference, key) for name in others)
                for key in ("wall", "cpu")
            )
            print(f"  {work:16}{op:18}{wall:8.2f}{cpu:8.2f}  {best}")
