"""Files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["replacing"]

_MARK = ".tfp-flows"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which takes the place of `path` at the end.

    It lies beside `path` and has its ending. A run that is cut short leaves the old
    file as it was; what it had begun is removed by the next one that writes there.

    Args:
        path: The file to write.

    Raises:
        OSError: If the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        msg = f"{path} cannot be written: there is no folder {path.parent}. Make it."
        raise FileNotFoundError(msg)
    _remove_left_behind(path.parent)
    owner = f"{socket.gethostname()}-{os.getpid()}"
    temporary = path.with_name(f"{_MARK}-{owner}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_left_behind(folder: Path) -> None:
    """Remove temporary files of processes of this machine that are gone."""
    pattern = re.compile(rf"{re.escape(f'{_MARK}-{socket.gethostname()}')}-(\d+)-")
    for file in folder.glob(f"{_MARK}-*"):
        found = pattern.match(file.name)
        if found and not _is_alive(int(found[1])):
            with contextlib.suppress(OSError):
                file.unlink()


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
