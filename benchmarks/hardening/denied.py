"""Writes where it cannot be done: full disks, read-only folders, two at one file.

    python benchmarks/hardening/denied.py [--smoke]

Each writer writes where there is a file already. On a disk with no room left, with room
for half of the file and for nine tenths (a file system in memory where this user may
mount one, else a limit on the size of files) and in a folder that is read-only it must
end in an `OSError` of one sentence that names the file, leave the old one as it is, and
leave nothing beside it. Then threads write one file while another reads it: it must be
whole at each reading. Ends with exit code 1 if something else came.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _report
import _writers
import numpy as np

import tfp_flows as tfpf

WRITERS = _writers.WRITERS
# Shares of a new file that there is room for.
ROOM = (0.0, 0.5, 0.9)
PAGE = 4096  # bytes in which a file system in memory counts
# Whose files a test has time for.
FEW = (
    "save",
    "weights",
    "export",
    *(name for name in WRITERS if name.startswith("table")),
)


def content(path: Path) -> Any:
    """Return what is in a file, or in all files of a folder."""
    if path.is_dir():
        return {file.name: content(file) for file in path.iterdir()}
    return path.read_bytes()


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    if path.is_dir():
        return sum(map(size, path.iterdir()))
    return path.stat().st_size


def verdict(name: str, folder: Path, path: Path) -> str:
    """Write where it is not possible; return `refused`, or what was wrong."""
    before = content(path)
    try:
        WRITERS[name].write(folder, path)
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


def fill(place: Path, room: int) -> None:
    """Fill a file system but for some bytes."""
    filler = place / "filler"
    with filler.open("wb", 0) as stream:
        with contextlib.suppress(OSError):
            while True:
                stream.write(bytes(PAGE))
        stream.truncate(max(stream.tell() - room // PAGE * PAGE, 0))


def copy(old: Path, place: Path) -> Path:
    """Put an old file or folder there."""
    path = place / old.name
    (shutil.copytree if old.is_dir() else shutil.copy)(old, path)
    return path


def full_disk(
    folder: Path, names: Sequence[str], *, mount: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield for each writer what came of a full disk."""
    for name in names:
        old = folder / "old" / name / WRITERS[name].target
        largest = max(size(file) for file in (old, *old.rglob("*")) if file.is_file())
        for room in ROOM if mount else ROOM[1:2]:
            place = folder / f"{name}-{room}"
            place.mkdir()
            with contextlib.ExitStack() as stack:
                bytes_in_all = 2 * size(old) + 2**20
                real = mount and stack.enter_context(mounted(place, str(bytes_in_all)))
                path = copy(old, place)
                if real:
                    fill(place, int(room * size(old)))
                else:
                    stack.enter_context(limited(int(room * largest)))
                what = f"room for {room:g} of it" if room else "full disk"
                yield f"{name}, {what}", verdict(name, folder, path)


def read_only(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield for each writer what came of a folder that cannot be written to."""
    place = folder / "read-only"
    place.mkdir()
    with contextlib.ExitStack() as stack:
        root = os.geteuid() == 0  # whom no mode of a folder stops
        if root and not stack.enter_context(mounted(place, "100m")):
            return
        paths = {}
        for name in names:
            (place / name).mkdir()
            old = folder / "old" / name / WRITERS[name].target
            paths[name] = copy(old, place / name)
        if root:
            command = ["mount", "-o", "remount,ro", str(place)]
            subprocess.run(command, check=True, capture_output=True)
        else:
            for path in paths.values():
                path.parent.chmod(0o500)
                stack.callback(path.parent.chmod, 0o700)
        for name, path in paths.items():
            yield f"{name}, read-only folder", verdict(name, folder, path)


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
    parser = _report.parser(__doc__)
    parser.add_argument("--writers", nargs="+", default=list(WRITERS), choices=WRITERS)
    given = parser.parse_args(arguments)
    _report.header("Full disks, read-only folders, two writers of one file")
    wrong = 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        names = FEW if given.smoke else given.writers
        _writers.prepare(folder, names)
        checks = [full_disk(folder, names, mount=not given.smoke)]
        if not given.smoke:
            checks.append(read_only(folder, names))
        checks.append(two_writers(folder, 5 if given.smoke else 100))
        for check in checks:
            for what, found in check:
                print(f"{what:<44} {found}", flush=True)
                wrong += found not in ("refused", "whole")
    print(f"wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
