"""Kills writers while they write: the old file stays, the next clears up.

    python benchmarks/hardening/kills.py [--count 25] [--writers NAME ...] [--smoke]

Writers: flows, their weights, checkpoints, SavedModels and graphs of ONNX, the state of
a fit and of a simulation, scores, samples, pictures, animations, pages, and tables of
each format; `--help` names them. Each is started anew for each kill, announces by a
hook that it is about to write and that all is written but not yet in place, and is
killed by the kernel (an alarm without a handler, which like SIGKILL lets nothing run)
at a random moment from the first to a little after the second. Then the file must be
the old one or the new one, whole; and the next write must leave nothing else beside it.
Prints how often which was found, and how often the kill hit between the two
announcements. Ends with exit code 1 if one file was neither.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _report
import _writers

# How long a process may take to begin or to end.
PATIENCE = 300.0
WRITERS = _writers.WRITERS
# What a server imports before its forks write; none of it computes.
IMPORTED = (
    *("tensorflow", "keras", "pandas", "pyarrow.parquet", "openpyxl", "PIL.Image"),
    *("matplotlib.figure", "tf2onnx", "tfp_flows.flows", "tfp_flows.training"),
    *("tfp_flows.inference", "tfp_flows.cli.main", "tfp_flows.plots"),
)
WORDS = ("old", "new", "broken", "left behind", "inside")


def victim(name: str, folder: Path, wait: float | None, pipe: Any) -> None:
    """Write once, and send what is about to happen to the file under test, and when.

    After `wait` seconds of writing the process ends where it stands.
    """
    from tfp_flows import _files

    writer = WRITERS[name]
    target = folder / "out" / writer.target
    is_set = False

    def announce(event: str, path: Path) -> None:
        nonlocal is_set
        if path != target:
            return
        pipe.send((event, time.monotonic()))
        if event == "begin" and wait is not None and not is_set:
            is_set = True
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, max(wait, 1e-6))

    _files.when_written(announce)
    with open(os.devnull, "w") as silent, contextlib.redirect_stderr(silent):
        writer.write(folder, target)


def content(target: Path) -> Any:
    """Return the bytes under a name, of all files if it is a folder."""
    if target.is_dir():
        files = sorted(file for file in target.rglob("*") if file.is_file())
        return {str(file.relative_to(target)): file.read_bytes() for file in files}
    return target.read_bytes() if target.exists() else None


def _put_old(folder: Path, name: str) -> Path:
    """Put the old file where it is written to; what else is there stays."""
    out, target = folder / "out", WRITERS[name].target
    old = folder / "old" / name / target
    out.mkdir(exist_ok=True)
    if (out / target).is_dir():
        shutil.rmtree(out / target)
    (shutil.copytree if old.is_dir() else shutil.copy)(old, out / target)
    return out / target


def _temporary(folder: Path) -> int:
    """Return how many files lie beside under a name that begins with a dot."""
    return len([file for file in folder.iterdir() if file.name.startswith(".")])


def _run(
    context: Any, name: str, folder: Path, wait: float | None
) -> tuple[int | None, dict[str, float]]:
    """Run a writer to its end; return its exit code, and when it announced what."""
    ours, theirs = context.Pipe(duplex=False)
    arguments = (name, folder, wait, theirs)
    process = context.Process(target=victim, args=arguments, daemon=True)
    process.start()
    theirs.close()
    found: dict[str, float] = {}
    with contextlib.suppress(EOFError):
        while ours.poll(PATIENCE):
            event, moment = ours.recv()
            found.setdefault(event, moment)
    process.join(PATIENCE)
    if "begin" not in found:
        raise RuntimeError(f"{name} did not begin to write")
    return process.exitcode, found


def kill(
    context: Any, name: str, folder: Path, wait: float, old: Any
) -> tuple[str, int, bool]:
    """Kill a writer so many seconds after it began to write.

    Returns:
        What is there afterwards, `old`, `new` or `broken`; how many other files; and
        whether the kill came before all was written.
    """
    target = _put_old(folder, name)
    inside = "written" not in _run(context, name, folder, wait)[1]
    found = content(target)
    beside = _temporary(target.parent)
    if found == old:
        return "old", beside, inside
    whole = found is not None
    try:
        WRITERS[name].look(target)
    except Exception as error:
        print(f"{name}: {error}", flush=True)
        whole = False
    return ("new" if whole else "broken"), beside, inside


def clears_up(context: Any, name: str, folder: Path) -> tuple[float, int]:
    """Write once to the end; return how long that took and what else is left."""
    code, found = _run(context, name, folder, None)
    if code != 0 or "written" not in found:
        raise RuntimeError(f"{name} did not end, but with code {code}")
    return found["written"] - found["begin"], _temporary(folder / "out")


def run(
    writers: Sequence[str], count: int, seed: int
) -> Iterator[tuple[str, Counter[str]]]:
    """Kill each writer so often; yield its name, and how often what was found."""
    rng = random.Random(seed)
    # A server that has imported TensorFlow, and not computed: its forks can.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _writers.prepare(folder, writers)
        for name in writers:
            seen: Counter[str] = Counter(dict.fromkeys(WORDS, 0))
            old = content(_put_old(folder, name))
            length, _ = clears_up(context, name, folder)
            for _ in range(count):
                wait = rng.uniform(0.0, 1.1 * length)
                word, beside, inside = kill(context, name, folder, wait, old)
                seen[word] += 1
                seen["inside"] += inside
                seen["remains"] = max(seen["remains"], beside)
            seen["left behind"] += clears_up(context, name, folder)[1]
            yield name, seen


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--count", type=int, default=25, help="kills of each writer")
    parser.add_argument("--writers", nargs="+", default=list(WRITERS), choices=WRITERS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    _report.header("Writers killed while they write")
    wrong = 0
    count = 2 if given.smoke else given.count
    for name, seen in run(given.writers, count, given.seed):
        print(
            f"{name:<14} old file {seen['old']:3}  new file {seen['new']:3}  half a "
            f"file {seen['broken']:3}; killed before all was written {seen['inside']}; "
            f"temporary files after a kill at most {seen['remains']}, after the next "
            f"write {seen['left behind']}",
            flush=True,
        )
        wrong += seen["broken"] + seen["left behind"]
    print(f"half-written files: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
