"""Kills writers while they write: the old file stays, the next clears up.

    python benchmarks/hardening/kills.py [--count 25] [--writers NAME ...] [--smoke]

Writers: `save` (a flow), `fit` (the checkpoints of `tfp-flows fit --checkpoint`),
`export` (a SavedModel), and `score` (`tfp-flows score --out`). Each is started anew for
each kill, announces by a hook that it is about to write and that all is written but not
yet in place, and is killed by the kernel (an alarm without a handler, which like
SIGKILL lets nothing run) at a random moment from the first to a little after the
second. Then the file must be the old one or the new one, whole; and the next write must
leave nothing else beside it. Prints how often which was found, and how often the kill
hit between the two announcements. Ends with exit code 1 if one file was neither.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _report
import numpy as np

ROWS, MANY = 200, 20_000
# How long a process may take to begin or to end.
PATIENCE = 300.0
WORDS = ("old", "new", "broken", "left behind", "inside")


def save(folder: Path) -> None:
    """Write a flow in place of one."""
    import tfp_flows as tfpf

    flow = tfpf.load(folder / "flow.keras")
    flow.trainable_variables[0].assign(flow.trainable_variables[0] + 1.0)
    flow.save(folder / "out" / "target.keras")


def fit(folder: Path) -> None:
    """Fit on the shell, and write a checkpoint in place of a flow."""
    _shell(
        *("fit", folder / "rows.csv", "--out", folder / "out" / "target.keras"),
        *("--flow", "linear", "--epochs", "1", "--checkpoint", "1", "--force"),
    )


def export(folder: Path) -> None:
    """Write a SavedModel in place of one."""
    import tfp_flows as tfpf

    tfpf.load(folder / "flow.keras").export(folder / "out" / "target", verbose=False)


def score(folder: Path) -> None:
    """Score a table on the shell, in place of scores."""
    _shell(
        *("score", folder / "flow.keras", folder / "many.csv"),
        *("--out", folder / "out" / "target.csv", "--force"),
    )


WRITERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "save": (save, "target.keras"),
    "fit": (fit, "target.keras"),
    "export": (export, "target"),
    "score": (score, "target.csv"),
}


def _shell(*words: Any) -> None:
    from tfp_flows.cli import main

    with contextlib.redirect_stdout(io.StringIO()):
        main.main([*map(str, words), "--quiet"])


def victim(name: str, folder: Path, wait: float | None, pipe: Any) -> None:
    """Write once, and send what is about to happen to the file under test, and when.

    After `wait` seconds of writing the process ends where it stands.
    """
    from tfp_flows import _files

    writer, target = WRITERS[name]

    def announce(event: str, path: Path) -> None:
        if path != folder / "out" / target:
            return
        pipe.send((event, time.monotonic()))
        if event == "begin" and wait is not None:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, max(wait, 1e-6))

    _files.when_written(announce)
    with open(os.devnull, "w") as silent, contextlib.redirect_stderr(silent):
        writer(folder)


def is_whole(target: Path) -> bool:
    """Return whether a file or folder can be read to its end."""
    import tensorflow as tf

    import tfp_flows as tfpf

    if target.suffix == ".csv":
        return len(tfpf.datasets.read_table(target).x) == MANY
    if target.suffix == ".keras":
        return bool(np.isfinite(tfpf.load(target).log_prob(np.zeros((3, 2)))).all())
    served = tf.saved_model.load(str(target))
    return bool(np.isfinite(served.log_prob(np.zeros((3, 2), np.float32))).all())


def content(target: Path) -> Any:
    """Return the bytes under a name, of all files if it is a folder."""
    if target.is_dir():
        files = sorted(file for file in target.rglob("*") if file.is_file())
        return {str(file.relative_to(target)): file.read_bytes() for file in files}
    return target.read_bytes() if target.exists() else None


def prepare(folder: Path) -> None:
    """Write a flow and tables, and what is there before each writer."""
    import tfp_flows as tfpf

    x = np.random.default_rng(0).normal(size=(MANY, 2))
    tfpf.datasets.write_table(folder / "rows.csv", x[:ROWS], ["a", "b"])
    tfpf.datasets.write_table(folder / "many.csv", x, ["a", "b"])
    flow = tfpf.flows.build("linear", 2, seed=0, columns=["a", "b"])
    flow.adapt(x)
    flow.save(folder / "flow.keras")
    (folder / "old").mkdir()
    flow.save(folder / "old" / "target.keras")
    flow.export(folder / "old" / "target", verbose=False)
    shutil.copy(folder / "rows.csv", folder / "old" / "target.csv")


def _put_old(folder: Path, target: str) -> Path:
    """Put the old file where it is written to; what else is there stays."""
    out, old = folder / "out", folder / "old" / target
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
    target = _put_old(folder, WRITERS[name][1])
    inside = "written" not in _run(context, name, folder, wait)[1]
    found = content(target)
    beside = _temporary(target.parent)
    if found == old:
        return "old", beside, inside
    whole = found is not None
    try:
        whole = whole and is_whole(target)
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


def run(writers: Sequence[str], count: int, seed: int) -> dict[str, Counter[str]]:
    """Kill each writer so often.

    Returns:
        For each writer, how often what was found.
    """
    rng = random.Random(seed)
    # A server that has imported TensorFlow, and not computed: its forks can.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "tfp_flows.flows"])
    results: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        prepare(folder)
        for name in writers:
            seen: Counter[str] = Counter(dict.fromkeys(WORDS, 0))
            old = content(_put_old(folder, WRITERS[name][1]))
            length, _ = clears_up(context, name, folder)
            for _ in range(count):
                wait = rng.uniform(0.0, 1.1 * length)
                word, beside, inside = kill(context, name, folder, wait, old)
                seen[word] += 1
                seen["inside"] += inside
                seen["remains"] = max(seen["remains"], beside)
            seen["left behind"] += clears_up(context, name, folder)[1]
            results[name] = seen
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and print the table."""
    parser = _report.parser(__doc__)
    parser.add_argument("--count", type=int, default=25, help="kills of each writer")
    parser.add_argument("--writers", nargs="+", default=list(WRITERS), choices=WRITERS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    _report.header("Writers killed while they write")
    results = run(given.writers, 2 if given.smoke else given.count, given.seed)
    for name, seen in results.items():
        print(
            f"{name:<8} old file {seen['old']:3}  new file {seen['new']:3}  half a "
            f"file {seen['broken']:3}; killed before all was written {seen['inside']}; "
            f"temporary files after a kill at most {seen['remains']}, after the next "
            f"write {seen['left behind']}",
            flush=True,
        )
    wrong = sum(seen["broken"] + seen["left behind"] for seen in results.values())
    print(f"half-written files: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
