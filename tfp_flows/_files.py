"""Files and folders that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["check_absent", "replacing", "replacing_folder", "when_written"]

_MARK = ".tfp-flows"
_counter = itertools.count()
# Called with what happens to which file; tests kill the process there.
_listeners: list[Callable[[str, Path], None]] = []
# What the system says where it cannot write: at all, and more than so much.
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
# Of Linux' `renameat2`: swap two names in one act.
_EXCHANGE, _HERE = 2, -100


def when_written(listener: Callable[[str, Path], None]) -> None:
    """Have a function called when a file is about to be written, and when it is.

    Args:
        listener: Takes `"begin"`, before anything is written, or `"written"`, when all
            is but the old file is still in its place; and the path that is replaced.
    """
    _listeners.append(listener)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which takes the place of `path` at the end.

    It lies beside `path` and has its ending. A run that is cut short leaves the old
    file as it was; what it had begun is removed by the next one that writes there. Of
    several that write the same file, the last to end wins, with a whole file.

    Args:
        path: The file to write.

    Raises:
        OSError: If the file cannot be written.
    """
    with _temporary(Path(path)) as temporary:
        temporary.touch()  # where it cannot be written, this is the first to say so
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        _tell("written", Path(path))
        temporary.replace(path)


@contextlib.contextmanager
def replacing_folder(
    path: str | os.PathLike[str], known: tuple[str, ...]
) -> Iterator[Path]:
    """Give a temporary folder to fill, which takes the place of `path` at the end.

    As `replacing`, for a folder. On Linux the old and the new one are swapped in one
    act; elsewhere a run killed between two acts leaves the old folder beside, under a
    name that begins with a dot.

    Args:
        path: The folder to write.
        known: What a folder that is replaced may hold: with anything else in it, it
            stays.

    Raises:
        OSError: If the folder cannot be written, or is not one of this kind.
    """
    path = Path(path)
    if path.is_dir():
        others = sorted(file.name for file in path.iterdir() if file.name not in known)
        if others:
            msg = (
                f"{path} cannot be written: it holds {others[0]!r}, which would be "
                "lost. Choose another folder."
            )
            raise FileExistsError(msg)
    elif path.exists():
        msg = f"{path} cannot be written: it is a file. Choose another name."
        raise FileExistsError(msg)
    with _temporary(path) as temporary:
        yield temporary
        _tell("written", path)
        _swap(temporary, path)


def check_absent(path: Path, *, force: bool) -> None:
    """Check that a file does not exist yet, unless it may be overwritten.

    Raises:
        FileExistsError: If it does.
    """
    if path.exists() and not force:
        raise FileExistsError(
            f"`path` must not exist yet, got '{path}'. Choose another name, or pass "
            "force=True to overwrite it."
        )


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Give a name beside a path, and clear up what is under it in the end."""
    if not path.parent.is_dir():
        msg = f"{path} cannot be written: there is no folder {path.parent}. Make it."
        raise FileNotFoundError(msg)
    _remove_left_behind(path.parent)
    owner = f"{socket.gethostname()}-{os.getpid()}-{next(_counter)}"
    temporary = path.with_name(f"{_MARK}-{owner}-{path.name}")
    try:
        _tell("begin", path)
        yield temporary
    except OSError as error:
        if not _is_denial(error, temporary) or str(path) in str(
            error.strerror or error
        ):
            raise
        # Libraries tell a story with names of our own, the system one sentence.
        why = error if error.errno is None else os.strerror(error.errno)
        msg = f"{path} cannot be written, and is as it was: {why}"
        if error.errno is None:
            raise OSError(msg) from error
        raise type(error)(error.errno, msg) from error
    finally:
        _remove(temporary)


def _is_denial(error: OSError, temporary: Path) -> bool:
    """Return whether the system refuses to write a file, for want of space or right."""
    if error.errno is None:  # NumPy says how much was written
        return type(error) is OSError
    ours = error.filename in (None, str(temporary))
    return error.errno in _FULL or (ours and error.errno in _DENIED)


def _swap(new: Path, path: Path) -> None:
    """Put a folder in the place of another; what was there is then under its name."""
    if not path.exists():
        new.rename(path)
        return
    if not _exchange(new, path):
        old = new.with_name(f"{new.name}-old")
        path.rename(old)
        try:
            new.rename(path)
        except OSError:
            old.rename(path)
            raise
        old.rename(new)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one act; return whether the system can."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # another C library
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return bool(rename(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)


def _tell(event: str, path: Path) -> None:
    for listener in _listeners:
        listener(event, path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_left_behind(folder: Path) -> None:
    """Remove temporary files of processes of this machine that are gone."""
    pattern = re.compile(rf"{re.escape(f'{_MARK}-{socket.gethostname()}')}-(\d+)-")
    for file in folder.glob(f"{_MARK}-*"):
        found = pattern.match(file.name)
        # An old folder that was moved away and not yet replaced is not thrown away.
        moved = file.name.endswith("-old")
        if found and not moved and not _is_alive(int(found[1])):
            _remove(file)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is not harmless
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists, and belongs to somebody else
        return True
    return True
