"""Scores without end and looks at the memory: it must stay flat.

    python benchmarks/hardening/soak.py [--minutes 60] [--smoke]

One flow scores batches of changing sizes, with and without XLA, samples, and is loaded
anew from its file now and then, in four threads that share it. Prints the calls, the
memory in use and the resident memory after each tenth of the time. The memory in use
after the last tenth may be 20 MB above that after the second; what is compiled once is
compiled before. Ends with exit code 1 if it is more, or if an answer differs from the
first one. (Resident memory goes up and down with what is freed and kept for later.)
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np
from _memory import in_use, resident

import tfp_flows as tfpf

THREADS, PARTS = 4, 10
SIZES = (1, 7, 64, 500, 1000)
MOST_GROWTH = 20.0  # MB
# Calls of a thread between two loads of the file.
LOAD_EVERY = 500


class Soak:
    """Threads that call one flow until they are told to stop.

    Args:
        folder: Where the flow's file is.

    Attributes:
        calls: How many calls were made.
        wrong: What differed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "flow.keras"
        self._flow = tfpf.flows.build(
            "nsf", 4, num_layers=2, hidden_units=(32,), seed=0
        )
        self._flow.save(self._path)
        rng = np.random.default_rng(0)
        self._x = rng.normal(size=(max(SIZES), 4)).astype(np.float32)
        self._right = self._flow.log_prob(self._x).numpy()
        self._samples = self._flow.sample(100, seed=1).numpy()
        self.calls, self.wrong = 0, []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._call, args=(i,)) for i in range(THREADS)
        ]

    def start(self) -> None:
        """Compile all that will be called, and start all threads."""
        for size in SIZES:
            for compiled in (False, True):
                self._flow.log_prob(self._x[:size], jit_compile=compiled)
        self._flow.sample(100, seed=1)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them, and wait for them."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        flow, i = self._flow, 0
        while not self._stop.is_set():
            size = SIZES[(i + number) % len(SIZES)]
            compiled = i % 10 == 0
            found = flow.log_prob(self._x[:size], jit_compile=compiled).numpy()
            if np.abs(found - self._right[:size]).max() > 1e-4:
                self._note(f"log_prob of {size} rows differs")
            if i % 20 == 0:
                samples = flow.sample(100, seed=1).numpy()
                if np.abs(samples - self._samples).max() > 1e-4:
                    self._note("sample differs")
            i += 1
            with self._lock:
                self.calls += 1
            if number == 0 and i % LOAD_EVERY == 0:
                flow = tfpf.load(self._path)

    def _note(self, text: str) -> None:
        with self._lock:
            self.wrong.append(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, and print the memory."""
    parser = _report.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args(arguments)
    _report.header("Scoring without end")
    seconds = 3.0 if given.smoke else 60.0 * given.minutes
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder))
        soak.start()
        begin, memory = time.monotonic(), []
        try:
            for part in range(1, PARTS + 1):
                end = begin + seconds * part / PARTS
                time.sleep(max(0.0, end - time.monotonic()))
                memory.append(in_use())
                print(
                    f"{time.monotonic() - begin:7.0f} s  {soak.calls:9d} calls  "
                    f"{memory[-1]:7.1f} MB in use  {resident():7.1f} MB resident",
                    flush=True,
                )
        finally:
            soak.stop()
    growth = memory[-1] - memory[1]
    print(f"growth: {growth:.1f} MB; answers that differ: {len(soak.wrong)}")
    return int(growth > MOST_GROWTH or bool(soak.wrong))


if __name__ == "__main__":
    sys.exit(main())
