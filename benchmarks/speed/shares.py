"""Where the time of one call under XLA goes: by TensorFlow's profiler.

    python benchmarks/speed/shares.py --works coupling-6 realnvp-64 --ops log_prob step

Times are those of XLA's operations, each without what runs inside it, on one thread.
`products` are matrix products, `moves` copies, slices, joins and transposes that do
nothing else, `loops` what a loop costs besides its body, `numbers` all else: fused
arithmetic, of which the largest parts are named as XLA names them.
"""

from __future__ import annotations

import argparse
import collections
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import worker
import works
from peers import ours

__all__ = ["main"]

PRODUCTS = re.compile("matmul|dot|gemm|custom-call", re.IGNORECASE)
MOVES = {"bitcast", "broadcast", "concatenate", "copy", "dynamic", "slice", "transpose"}
KINDS = ("products", "moves", "loops", "numbers")
# Everything below these events is an operation of XLA.
ROOTS = ("CpuExecutable::ExecuteAsyncOnStream", "ThunkExecutor::Execute")
NO_WORK = {*ROOTS, "BlockUntilReady"}


def kind(name: str) -> str:
    """Return the kind of one of XLA's operations."""
    words = set(re.split("[^a-z]+", name.lower())) - {"", "fusion", "wrapped"}
    if PRODUCTS.search(name):
        return "products"
    if words <= {"while", "call", "conditional", "condition", "body"}:
        return "loops"
    return "moves" if words <= MOVES else "numbers"


def own_times(events: Sequence[Any], names: Any) -> Iterator[tuple[str, float]]:
    """Yield XLA's operations of one thread and their ms without what they contain."""
    order = sorted(events, key=lambda e: (e.offset_ps, -e.duration_ps))
    open_events: list[list[Any]] = []  # name, end, own time, whether XLA's

    def closed(until: float) -> Iterator[tuple[str, float]]:
        while open_events and open_events[-1][1] <= until:
            name, _, own, inside = open_events.pop()
            if inside and name not in NO_WORK and not name.startswith("end: "):
                yield name, own / 1e9

    for event in order:
        yield from closed(event.offset_ps)
        name = names[event.metadata_id].name
        inside = False
        if open_events:
            outer = open_events[-1]
            outer[2] -= event.duration_ps
            inside = outer[3] or outer[0] in ROOTS
        end = event.offset_ps + event.duration_ps
        open_events.append([name, end, event.duration_ps, inside])
    yield from closed(float("inf"))


def profile(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Return ms of one call by operation of XLA."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(
        host_tracer_level=3, python_tracer_level=0
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options=options)
        for _ in range(repeats):
            call()
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    out: dict[str, float] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for name, own in own_times(line.events, plane.event_metadata):
                out[name] += own / repeats
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Print the shares of each work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny, takes seconds")
    parser.add_argument("--works", nargs="+", help="by name; default: the flows")
    parser.add_argument("--ops", nargs="+", default=["log_prob"])
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args(argv)
    known = works.SMOKE if args.smoke else works.WORKS
    if args.smoke:
        args.works, args.repeats = ["realnvp-4"], 2
    worker.pin(1)
    heads = "".join(f"{each:>10}" for each in KINDS)
    print(f"{'work':14}{'op':10}{'ms':>8}{heads}  largest")
    for name in args.works or ["coupling-6", "coupling-63", "realnvp-64", "maf-21"]:
        work = known[name]
        with tempfile.TemporaryDirectory() as folder:
            model = ours.build(work, "xla", Path(folder))
        for op in args.ops:
            call = model.ops[op]
            call = next(iter(call.values())) if isinstance(call, dict) else call
            for _ in range(3):
                call()
            report(work.name, op, profile(call, args.repeats))


def report(work: str, op: str, found: dict[str, float]) -> None:
    """Print one line of the table."""
    total = sum(found.values())
    shares = dict.fromkeys(KINDS, 0.0)
    for name, time in found.items():
        shares[kind(name)] += time / total
    rest = {name: time for name, time in found.items() if kind(name) == "numbers"}
    largest = sorted(rest, key=lambda name: -rest[name])[:3]
    cells = "".join(f"{shares[each]:10.1%}" for each in KINDS)
    parts = ", ".join(f"{name} {rest[name] / total:.1%}" for name in largest)
    print(f"{work:14}{op:10}{total:8.2f}{cells}  {parts}", flush=True)


if __name__ == "__main__":
    main()
