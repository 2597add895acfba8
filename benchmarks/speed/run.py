"""Time the same work in tfp_flows and in other libraries, in turns.

Every library runs in a process and an environment of its own, on all cores. The
processes wait for commands: in each round every one of them times one block of calls,
one after the other, so that what else the machine does hits all alike. A table gives
the medians over rounds of wall and of CPU time per call, and the medians of the ratios
to `ours` within a round (above 1: slower than ours). On a shared machine the CPU time
says more. `peak` is how far one call raises the resident memory.

Other load also makes threads wait for each other, those of OpenMP most: time with
`--threads 1`, which keeps each process on one core, unless the machine is idle.

`ours` is the public API, `flow.log_prob` and `flow.sample` with `jit_compile=True`, and
the faster of Keras' `train_on_batch` and a custom loop under XLA; `ours-graph` is the
same without `jit_compile`. `bare` are the matrix products of the conditioners alone, by
NumPy and by TensorFlow. All libraries have as many parameters, or the table says what
they force; splines are compared at equal knots.

The other libraries are installed by

    python benchmarks/speed/environments.py FOLDER

and found by `python benchmarks/speed/run.py --environments FOLDER`; without it only
ours, the bare products and TFP are timed. `--growth` times ours at growing sizes.

`--device gpu` runs all on the first GPU: wall time counts, calls wait for the GPU, all
multiply in full float32, and `peak` is the GPU's memory. Libraries compile a work side
by side, before it is timed.

`--against CHECKOUT` times the library of this checkout against that of another one,
which `git worktree add CHECKOUT main` makes: densities, samples and steps of four
flows, on one core unless `--threads` says otherwise. It needs no environments.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import against
import devices
import growth
import numpy as np
import pool
import report
import works

sys.path.append(str(Path(__file__).resolve().parent.parent))
import _report  # lies one folder up

__all__ = ["main"]

FIRST_CALLS = ("coupling-6", "maf-21")
# Where ours is one of two twins, the reference of the ratios.
OURS = "ours"


def arguments(argv: Sequence[str] | None) -> Any:
    """Return the options."""
    parser = _report.parser(__doc__)
    parser.add_argument("--works", nargs="+", help="by name; default: all")
    parser.add_argument("--peers", nargs="+", help=f"of {', '.join(pool.PEERS)}")
    parser.add_argument("--ops", nargs="+", help="such as log_prob; default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a block")
    parser.add_argument("--device", choices=devices.DEVICES, default="cpu")
    parser.add_argument(
        "--patience", type=float, help="seconds after which an answer is given up"
    )
    parser.add_argument("--environments", type=Path, help="folder of environments")
    parser.add_argument("--no-first", action="store_true", help="no first calls")
    parser.add_argument(
        "--growth", nargs="*", choices=growth.SIZES, help="ours at growing sizes"
    )
    parser.add_argument("--json", type=Path, help="file to write all rounds to")
    against.add_argument(parser)
    args = parser.parse_args(argv)
    os.environ[devices.VARIABLE] = args.device
    args.known = works.SMOKE if args.smoke else {**works.WORKS, **works.BY_NAME}
    if args.smoke:
        args.rounds, args.block, args.no_first = 2, 0.001, True
        args.peers = args.peers or [OURS, "bare"]
    args.threads = args.threads or (1 if args.against else os.cpu_count() or 1)
    if args.against and not args.smoke:
        args.works = args.works or list(against.WORKS)
    args.works = args.works or list(works.SMOKE if args.smoke else works.WORKS)
    # Checkpoints change the memory of steps, which `memory.py` compares.
    args.peers = args.peers or [p for p in pool.PEERS if p != "ours-checkpoint"]
    for chosen, known in ((args.works, args.known), (args.peers, pool.PEERS)):
        unknown = sorted(set(chosen) - set(known))
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    args.peers = [OURS, *(peer for peer in args.peers if peer != OURS)]
    return args


def wanted(work: works.Work, args: Any) -> list[str]:
    """Return the ops of a work that are to be timed."""
    return [op for op in work.ops if not args.ops or op in args.ops]


def made(process: pool.Process, work: works.Work, args: Any) -> dict[str, Any]:
    """Build a work in a process and compile what is to be timed; return its answers."""
    answer = process.build(work)
    answer["ready"] = {
        op: process.ask("prepare", op=op, block=args.block)
        for op in wanted(work, args)
        if op in answer.get("ops", ())
    }
    return answer


def begin(
    processes: list[pool.Process], work: works.Work, args: Any
) -> dict[str, dict[str, Any]]:
    """Build and compile a work everywhere."""
    # Ours makes the knots that the others' splines get.
    count = 1 if work.kind == "spline" else 0
    answers = {}
    for group in (processes[:count], processes[count:]):
        found = side_by_side(lambda process: made(process, work, args), group)
        answers.update(zip((p.peer.name for p in group), found, strict=True))
    return answers


def side_by_side(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Return results for all items, on a GPU all at once.

    There compilers have the time of many cores, and are not timed themselves.
    """
    if not devices.on_gpu() or not items:
        return [function(item) for item in items]
    with futures.ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(function, items))


def able(answers: dict[str, Any], work: works.Work) -> dict[str, Any]:
    """Return the answers of those that can do a work; print who cannot and why."""
    out = {}
    for name, answer in answers.items():
        if "ops" not in answer:
            why = answer.get("skip") or answer.get("failed")
            print(f"  {name} leaves it out: {why}", flush=True)
            continue
        out[name] = answer
        assert answer["parameters"] == answer["wanted"], (name, answer)
    report.parameters(out, work)
    return out


def timed(
    processes: list[pool.Process], op: str, answers: dict[str, Any], rounds: int
) -> dict[str, Any]:
    """Time one op of a work in turns; return all rounds by peer."""
    ready: dict[str, Any] = {}
    for name, answer in answers.items():
        found = answer["ready"].get(op, {})
        if "failed" in found:
            print(f"  {name} fails: {found['failed']}", flush=True)
        elif found:
            ready[name] = {**found, "wall": [], "cpu": []}
    there = [process for process in processes if process.peer.name in ready]
    for _ in range(rounds):
        for process in there:
            entry = ready[process.peer.name]
            answer = process.ask("time", op=op, repeats=entry["repeats"])
            for key in ("wall", "cpu"):
                entry[key].append(answer.get(key, float("nan")))
    if op in ("step", "gradient", "sample_gradient"):
        for process in there:
            answer = process.ask("memory", op=op)
            ready[process.peer.name]["peak"] = answer.get("peak", float("nan"))
    return ready


def check_splines(answers: dict[str, Any]) -> None:
    """Print how far the splines of the libraries are from ours."""
    if OURS not in answers:
        return
    reference = answers[OURS]["outputs"]
    for name, answer in answers.items():
        if name == OURS or not answer["outputs"]:
            continue
        errors = {
            key: float(np.abs(np.subtract(value, reference[key])).max())
            for key, value in answer["outputs"].items()
        }
        parts = ", ".join(f"{key} {error:.0e}" for key, error in errors.items())
        print(f"  {name} differs by {parts}: {report.agreement(errors)}")


def first_call(
    peer: str, python: str, folder: Path, work: works.Work, threads: int
) -> tuple[float, float] | None:
    """Return wall and CPU seconds from the start of a process to its first result."""
    before, start = os.times(), time.perf_counter()
    process = pool.Process(pool.PEERS[peer], python, folder, threads)
    answer = pool.first_call(process, work, "log_prob")
    wall, after = time.perf_counter() - start, os.times()
    if "wall" not in answer:
        return None
    cpu = after.children_user + after.children_system
    return wall, cpu - before.children_user - before.children_system


def first_calls(args: Any, pythons: dict[str, str], folder: Path) -> dict[str, Any]:
    """Time the first call in fresh processes, in turns."""
    out = {}
    for name in [n for n in args.works if n in FIRST_CALLS]:
        work = args.known[name]
        if "log_prob" not in work.ops:
            continue
        rounds: dict[str, Any] = {}
        for _ in range(min(args.rounds, 3)):
            for peer, python in pythons.items():
                if peer.startswith("bare"):
                    continue
                seconds = first_call(peer, python, folder, work, args.threads)
                if seconds is None:
                    continue
                entry = rounds.setdefault(peer, {"way": "", "wall": [], "cpu": []})
                for key, value in zip(("wall", "cpu"), seconds, strict=True):
                    entry[key].append(value)
        report.table(work, "import to first log_prob", rounds, OURS)
        out[name] = rounds
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    args = arguments(argv)
    _report.header("speed")
    if args.against:
        against.run(
            against.timing_works(args.works, args.known, args.ops),
            OURS,
            args.against,
            threads=args.threads,
            rounds=args.rounds,
            block=args.block,
        )
        return
    pythons = {}
    for name in args.peers:
        python = pool.PEERS[name].python(args.environments)
        if python is None:
            print(f"{name} is left out: no environment for it (see --environments)")
        else:
            pythons[name] = python
    report.versions(pythons, args.environments)
    print(
        f"{args.threads} threads for each library, {args.rounds} rounds of blocks of "
        f"about {args.block:g} s",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.growth is not None:
            growth.run(args, pythons[OURS], folder)
            return
        everything: dict[str, Any] = {}
        processes = [
            pool.Process(pool.PEERS[peer], python, folder, args.threads, args.patience)
            for peer, python in pythons.items()
        ]
        try:
            for key in args.works:
                everything[key] = one_work(processes, args.known[key], args)
                save(everything, args.json)
        finally:
            for process in processes:
                process.close()
        if not args.no_first:
            everything["first"] = first_calls(args, pythons, folder)
        save(everything, args.json)
    report.summary(everything, OURS)


def save(everything: dict[str, Any], path: Path | None) -> None:
    """Write what was timed so far."""
    if path is not None:
        path.write_text(json.dumps(everything))


def one_work(
    processes: list[pool.Process], work: works.Work, args: Any
) -> dict[str, Any]:
    """Build, compare and time one work; return all rounds by op and peer."""
    print(f"\n{report.describe(work)}", flush=True)
    answers = able(begin(processes, work, args), work)
    check_splines(answers)
    out = {}
    for op in wanted(work, args):
        for peer, answer in answers.items():
            if op in answer["skipped"]:
                print(f"  {peer} leaves out {op}: {answer['skipped'][op]}")
        out[op] = timed(processes, op, answers, args.rounds)
        report.table(work, op, out[op], OURS)
    return out


if __name__ == "__main__":
    main()
