"""Writes where it cannot be done: full disks, read-only folders, two at one file.

    python benchmarks/hardening/denied.py [--smoke]

Each writer writes where there is a file already. On a full disk (a file system of 1 MB
in memory where this user may mount one, else a limit on the size of files) and in a
folder that is read-only it must end in an `OSError` of one sentence that names the
file, leave the old one as it is, and leave nothing beside it. Then threads write one
file while another reads it: it must be whole at each reading. Ends with exit code 1 if
something else came.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _report
import numpy as np

import tfp_flows as tfpf

TABLES = ("csv", "csv.gz", "xlsx", "parquet", "npz", "npy")
ROWS, FEW = 30_000, 1_000
LIMIT = 2_000  # bytes, of a file where the disk is not really full


def writers(rows: int) -> dict[str, Callable[[Path], Any]]:
    """Return what writes, by the name of the file it writes."""
    flow = tfpf.flows.build("maf", 8, num_layers=2, hidden_units=(128, 128), seed=0)
    x = np.random.default_rng(0).normal(size=(rows, 8))
    found: dict[str, Callable[[Path], Any]] = {
        "flow.keras": flow.save,
        "served": lambda path: flow.export(path, verbose=False),
    }
    for ending in TABLES:
        found[f"table.{ending}"] = lambda path: tfpf.datasets.write_table(
            path, x, force=True
        )
    return found


def content(path: Path) -> Any:
    """Return what is in a file, or in all files of a folder."""
    if path.is_dir():
        return {file.name: content(file) for file in path.iterdir()}
    return path.read_bytes()


def verdict(write: Callable[[Path], Any], path: Path) -> str:
    """Write where it is not possible; return `refused`, or what was wrong."""
    before = content(path)
    try:
        write(path)
    except OSError as error:
        text = str(error)
        if str(path) not in text or "\n" in text:
            return f"no sentence about the file: {text!r}"
    except Exception as error:  # what is looked for
        return f"{type(error).__name__}: {error}"
    else:
        return "written"
    if content(path) != before:
        return "the old file is changed"
    left = [file.name for file in path.parent.iterdir() if file.name.startswith(".")]
    return f"left {left}" if left else "refused"


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[bool]:
    """Mount a file system of a size in memory; give whether that could be done."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", str(folder)], check=False)


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """Refuse files of more bytes, of this process."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def _put_old(path: Path) -> None:
    """Put a small file or folder there, which the writer may replace."""
    if path.suffix:
        path.write_bytes(b"old")
    else:
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"old")


def full_disk(folder: Path, *, mount: bool = True) -> Iterator[tuple[str, str]]:
    """Yield for each writer what came of a full disk."""
    for name, write in writers(ROWS if mount else FEW).items():
        place = folder / name.replace(".", "-")
        place.mkdir()
        with contextlib.ExitStack() as stack:
            real = mount and stack.enter_context(mounted(place, "1m"))
            _put_old(place / name)
            if real:
                filler = place / "filler"
                with contextlib.suppress(OSError), filler.open("wb", 0) as stream:
                    while True:
                        stream.write(bytes(4096))
            else:
                stack.enter_context(limited(LIMIT))
            yield (
                f"{name}, {'full disk' if real else 'limit'}",
                verdict(write, place / name),
            )


def read_only(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield for each writer what came of a folder that cannot be written to."""
    place = folder / "read-only"
    place.mkdir()
    with contextlib.ExitStack() as stack:
        root = os.geteuid() == 0  # whom no mode of a folder stops
        if root and not stack.enter_context(mounted(place, "10m")):
            return
        found = writers(FEW)
        for name in found:
            _put_old(place / name)
        if root:
            command = ["mount", "-o", "remount,ro", str(place)]
            subprocess.run(command, check=True, capture_output=True)
        else:
            place.chmod(0o500)
            stack.callback(place.chmod, 0o700)
        for name, write in found.items():
            yield f"{name}, read-only folder", verdict(write, place / name)


def two_writers(folder: Path, rounds: int) -> Iterator[tuple[str, str]]:
    """Yield what came of threads that write one file while another reads it."""
    x = np.random.default_rng(0).normal(size=(500, 3))
    path = tfpf.datasets.write_table(folder / "shared.npz", x)
    wrong: list[str] = []

    def write(add: float) -> None:
        for _ in range(rounds):
            try:
                tfpf.datasets.write_table(path, x + add, force=True)
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    readings = 0
    while any(thread.is_alive() for thread in threads) or not readings:
        try:
            found = tfpf.datasets.read_table(path).x
        except ValueError as error:
            wrong.append(str(error))
        else:
            if not any(np.array_equal(found, x + i) for i in range(3)):
                wrong.append("a mixture of two files was read")
        readings += 1
    left = [file.name for file in folder.iterdir() if file.name.startswith(".")]
    found = [*wrong, *(f"left {name}" for name in left)]
    yield (
        f"three writers of one file, {readings} readings",
        found[0] if found else "whole",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, and print the table."""
    given = _report.parser(__doc__).parse_args(arguments)
    _report.header("Full disks, read-only folders, two writers of one file")
    wrong = 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        checks = [full_disk(folder, mount=not given.smoke)]
        if not given.smoke:
            checks.append(read_only(folder))
        checks.append(two_writers(folder, 5 if given.smoke else 100))
        for check in checks:
            for what, found in check:
                print(f"{what:<44} {found}", flush=True)
                wrong += found not in ("refused", "whole")
    print(f"wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
