"""A temporary file of the rows of a stream, behind the layers that there are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfp_flows.training.greedy import layers

__all__ = ["Scratch", "opened"]

# What a file may take of the room that there is.
SHARE = 0.5


def opened(rows: int, width: int) -> Scratch | None:
    """Return a file for so many rows, `None` where there is little room for it.

    Args:
        rows: Their number, of all workers.
        width: Features of each.
    """
    try:
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if rows * (4 * width + 1) > SHARE * free:
            return None
        return Scratch(width)
    except OSError:
        return None


class Scratch:
    """Rows as float32 and their folds, in chunks that are read and replaced in order.

    The file has no name, so that nothing is left of it, however the process ends. Each
    chunk knows behind how many layers it is: a pass that is cut short between two does
    no harm, and one within a chunk makes the file one that is not whole.

    Args:
        width: Features of each row.

    Attributes:
        is_whole: Whether all rows are in it.
        is_usable: Whether it could be written so far.
    """

    def __init__(self, width: int) -> None:
        self._file = tempfile.TemporaryFile(  # noqa: SIM115 - it lives as this does
            prefix=".tfp-flows-", buffering=0
        )
        self._width = width
        # Of each chunk: rows, and layers.
        self._chunks: list[list[int]] = []
        self.is_whole, self.is_usable = False, True

    def fill(
        self, shards: Iterable[tuple[np.ndarray, np.ndarray]], behind: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go through rows and folds, and keep them.

        Args:
            shards: Rows and folds.
            behind: Number of the layers that they are behind.
        """
        self._chunks = []
        self._file.seek(0)
        for x, folds in shards:
            if self.is_usable:
                self._append(x, folds, behind)
            yield x, folds
        self.is_whole = self.is_usable

    def _append(self, x: np.ndarray, folds: np.ndarray, behind: int) -> None:
        try:
            self._write(x)
            self._write(folds.astype(np.uint8))
        except OSError:  # others have filled the disk
            self.is_usable = False
            self._file.close()
        self._chunks.append([len(x), behind])

    def _replace(self, place: int, x: np.ndarray) -> None:
        self._file.seek(place)
        self.is_whole = False  # until all of the chunk is written
        try:
            self._write(x)
        except OSError as error:
            self.is_usable = False
            msg = (
                f"A temporary file in {tempfile.gettempdir()} cannot be written: "
                f"{error.strerror}. Let TMPDIR name another folder."
            )
            raise OSError(error.errno, msg) from error
        self.is_whole = True

    def _write(self, values: np.ndarray) -> None:
        left = memoryview(np.ascontiguousarray(values).data).cast("B")
        while left:
            left = left[self._file.write(left) :]

    def _read(self, out: np.ndarray) -> np.ndarray:
        left = memoryview(out.data).cast("B")
        while left:
            count = self._file.readinto(left)
            if not count:
                msg = "The temporary file of a stream is shorter than it was written."
                raise OSError(msg)
            left = left[count:]
        return out

    def go_through(
        self, found: Sequence[layers.Layer]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go through rows and folds, behind all layers.

        Args:
            found: All layers; those that a chunk is not yet behind are applied to it.
        """
        place = 0
        for chunk in self._chunks:
            count, behind = chunk
            self._file.seek(place)
            x = self._read(np.empty([count, self._width], np.float32))
            folds = self._read(np.empty(count, np.uint8))
            if behind < len(found):
                for layer in found[behind:]:
                    x = layer.apply(x)[0].astype(np.float32)
                self._replace(place, x)
                chunk[1] = len(found)
            place += count * (4 * self._width + 1)
            yield x, folds.astype(np.intp)
