"""The parent's side: the peers' processes, and blocks that take turns."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import devices
import works

__all__ = ["PEERS", "Peer", "Process", "first_call"]

HERE = Path(__file__).resolve().parent
# Some machines choose an old kernel here, which is slower than what NumPy would take.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclasses.dataclass(frozen=True)
class Peer:
    """How a library is run.

    Args:
        name: What `--peers` and the tables call it.
        module: Its file in `peers`.
        variant: Handed to its `build`.
        environment: Folder of its virtual environment; none for this process' Python.
        packages: What to name with versions.
        root: Checkout whose `tfp_flows` it imports; none for the installed one.
    """

    name: str
    module: str
    variant: str = ""
    environment: str = ""
    packages: tuple[str, ...] = ()
    root: str = ""

    def python(self, environments: Path | None) -> str | None:
        """Return the Python that runs it, `None` if it is not installed."""
        if not self.environment:
            return sys.executable
        if environments is None:
            return None
        path = environments / self.environment / "bin" / "python"
        return str(path) if path.exists() else None


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ours", "ours", "xla"),
        Peer("ours-graph", "ours", "graph"),
        Peer("ours-checkpoint", "ours", "checkpoint"),
        Peer("bare", "bare", "numpy"),
        Peer("bare-tf", "bare", "tensorflow"),
        Peer("tfp-xla", "tfp", "xla"),
        Peer("tfp-graph", "tfp", "graph"),
        Peer("flowjax", "flowjax", "", "flowjax", ("flowjax", "jax")),
        Peer("distrax", "distrax", "", "distrax", ("distrax", "jax")),
        Peer("zuko", "zuko", "eager", "zuko", ("zuko", "torch")),
        Peer("zuko-compile", "zuko", "compile", "zuko", ("zuko", "torch")),
        Peer("nflows", "nflows", "", "nflows", ("nflows", "torch")),
        Peer("normflows", "normflows", "", "normflows", ("normflows", "torch")),
    )
}


class Process:
    """A peer's process, which waits on its input between commands.

    Args:
        peer: The peer.
        python: The Python of its environment.
        folder: Where logs and the reference splines lie.
        threads: On how many cores it runs.
        patience: Seconds after which a process that does not answer is ended.
    """

    def __init__(
        self,
        peer: Peer,
        python: str,
        folder: Path,
        threads: int,
        patience: float | None = None,
    ) -> None:
        self.peer = peer
        self._patience = patience
        self._folder = folder
        self._log = (folder / f"{peer.name}.log").open("a")
        environment = {k: v for k, v in os.environ.items() if k not in UNSET}
        for name in ("OMP", "OPENBLAS", "MKL"):
            environment[f"{name}_NUM_THREADS"] = str(threads)
        environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
        environment.update(devices.environment())
        if peer.root:
            environment["PYTHONPATH"] = peer.root
        self._process = subprocess.Popen(
            [python, str(HERE / "worker.py"), peer.module, peer.variant, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            text=True,
        )

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(self._patience or 0.0, self._process.kill)
        if self._patience is not None:
            watch.start()
        try:
            print(
                json.dumps({"do": name, **arguments}),
                file=self._process.stdin,
                flush=True,
            )
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            lines = Path(self._log.name).read_text().strip().splitlines() or [""]
            return {"failed": f"its process ended or was ended: {lines[-1][:100]}"}
        return json.loads(line)

    def build(self, work: works.Work) -> dict[str, Any]:
        """Build a work."""
        return self.ask(
            "build", work=dataclasses.asdict(work), folder=str(self._folder)
        )

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        # What a process that ended by itself did not read is lost.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


def first_call(process: Process, work: works.Work, op: str) -> dict[str, Any]:
    """Return the answer to the first call of an op in a fresh process, and end it."""
    answer = process.build(work)
    if op in answer.get("ops", ()):
        answer = process.ask("time", op=op, repeats=1)
    process.close()
    return answer
