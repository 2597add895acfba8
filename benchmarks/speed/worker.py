"""One peer's process: builds works and times them on command.

Commands come as lines of JSON on the standard input, answers go the same way to the
standard output; what the libraries print goes to the standard error. `run.py` starts
it with the Python of the peer's environment.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import devices
import works

__all__ = ["Worker", "main"]


def measure(call: Any, repeats: int) -> dict[str, float]:
    """Return wall and CPU seconds of one call, from a block of calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall / repeats, "cpu": cpu / repeats}


def status(key: str) -> float:
    """Return a line of the process' memory status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def peak_memory(call: Any) -> float:
    """Return how far one call raises the resident memory above what stays, in MB.

    Freed memory is given back first, so that the call cannot hide in it.
    """
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    call()
    return status("VmHWM") - before


def wait(ways: Any) -> Any:
    """Return the ways to do an op such that each waits for the GPU."""
    if isinstance(ways, dict):
        return {name: devices.waiting(call) for name, call in ways.items()}
    return devices.waiting(ways)


class Worker:
    """What a peer's process does.

    Args:
        module: Name of the file in `peers`.
        variant: Handed to its `build`.
    """

    def __init__(self, module: str, variant: str) -> None:
        self._peer = importlib.import_module(f"peers.{module}")
        self._variant = variant
        self._ops: dict[str, Any] = {}
        self._chosen: dict[str, Any] = {}

    def build(self, work: dict[str, Any], folder: str) -> dict[str, Any]:
        """Build a work; each op is compiled when it is first used."""
        self._ops, self._chosen = {}, {}
        gc.collect()
        # JSON has no tuples.
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in work.items()
        }
        item = works.Work(**fields)
        start = time.perf_counter()
        model = self._model(item, Path(folder))
        if devices.on_gpu() and not devices.has_gpu():
            raise works.Skip("it uses no GPU")
        self._ops = dict(model.ops)
        if devices.on_gpu():
            self._ops = {op: wait(ways) for op, ways in self._ops.items()}
        wanted = model.wanted
        if wanted is None:
            wanted = works.parameters(item) if item.layers else 0
        return {
            "ops": sorted(self._ops),
            "parameters": model.parameters,
            "wanted": wanted,
            "skipped": model.skipped,
            "note": model.note,
            "outputs": {k: v.tolist() for k, v in model.outputs.items()},
            "seconds": time.perf_counter() - start,
        }

    def _model(self, item: works.Work, folder: Path) -> works.Model:
        if item.kind in works.FAMILIES:
            if not hasattr(self._peer, "family"):
                raise works.Skip("it is timed without it")
            return self._peer.family(item, self._variant)
        if item.kind != "glow":
            return self._peer.build(item, self._variant, folder)
        if not hasattr(self._peer, "glow"):
            raise works.Skip("it has no Glow")
        return self._peer.glow(item, self._variant)

    def origin(self) -> dict[str, Any]:
        """Return the file of the package that the peer imported."""
        return {"origin": sys.modules["tfp_flows"].__file__}

    def ways(self, op: str) -> dict[str, Any]:
        """Return the names of the ways to do an op."""
        return {"ways": list(self._ways(op))}

    def _ways(self, op: str) -> dict[str, Any]:
        found = self._ops[op]
        return found if isinstance(found, dict) else {"": found}

    def prepare(self, op: str, block: float, way: str | None = None) -> dict[str, Any]:
        """Compile an op, choose its fastest way, and how many calls make a block.

        Args:
            op: Its name.
            block: Seconds that a block is to take.
            way: The only way to try.
        """
        ways = self._ways(op) if way is None else {way: self._ways(op)[way]}
        start = time.perf_counter()
        for call in ways.values():
            call()
        seconds = time.perf_counter() - start
        best = {
            name: min(measure(call, 1)[devices.clock()] for _ in range(3))
            for name, call in ways.items()
        }
        way = min(best, key=lambda name: best[name])
        self._chosen[op] = ways[way]
        repeats = max(1, min(1000, round(block / max(best[way], 1e-6))))
        return {"way": way, "repeats": repeats, "seconds": seconds}

    def time(self, op: str, repeats: int) -> dict[str, float]:
        """Time one block."""
        return measure(self._chosen[op], repeats)

    def program(self, op: str) -> dict[str, Any]:
        """Return the operations that XLA makes of an op, with shapes and layouts.

        Sorted, and without the numbers that tell names apart. None if the way that was
        chosen is not one function that XLA compiles.
        """
        compiler = getattr(self._chosen[op], "experimental_get_compiler_ir", None)
        if compiler is None:
            return {"program": None}
        text = compiler()(stage="optimized_hlo")
        return {"program": sorted(re.findall(r"= (.+? [a-z][a-z-]*)\(", text))}

    def memory(self, op: str) -> dict[str, float]:
        """Return the median peak of three calls."""
        peak = devices.peak_memory if devices.on_gpu() else peak_memory
        return {"peak": sorted(peak(self._chosen[op]) for _ in range(3))[1]}

    def highest(self) -> dict[str, float]:
        """Return the highest resident memory of the process so far."""
        return {"highest": status("VmHWM")}


def pin(threads: int) -> None:
    """Keep this process on so many cores: every library counts its threads by them."""
    if hasattr(os, "sched_setaffinity") and not devices.on_gpu():
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    pin(int(sys.argv[3]))
    worker = Worker(*sys.argv[1:3])
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        try:
            answer = getattr(worker, name)(**command)
        except works.Skip as reason:
            answer = {"skip": str(reason)}
        except Exception as error:
            traceback.print_exc()
            text = str(error).strip().splitlines() or [""]
            answer = {"failed": f"{type(error).__name__}: {text[0][:100]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
