"""NumPy's files, read without trust in what their headers promise."""

from __future__ import annotations

import dataclasses
import math
import weakref
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfp_flows.datasets import limits

__all__ = ["Archive", "Member", "npy_shape", "read_npy"]

_MAGIC = b"\x93NUMPY"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclasses.dataclass(frozen=True)
class Member:
    """What is known of one array of an archive before it is read.

    Attributes:
        name: Name of the array.
        shape: Its shape.
        dtype: Its type.
        info: Where it is.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    info: zipfile.ZipInfo


def read_npy(path: Path) -> np.ndarray:
    """Read a `.npy` file.

    Raises:
        ValueError: If it is damaged, cut, or holds Python objects.
    """
    with limits.reading(path), path.open("rb") as stream:
        _, dtype = _header(path, stream, path.stat().st_size)
        if dtype.hasobject:
            raise limits.FileError(
                f"'{path}' must hold numbers, got Python objects, which can run code "
                "when loaded. Save it again after astype(float)."
            )
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def npy_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the array in a `.npy` file.

    Raises:
        ValueError: If the file is damaged.
    """
    with limits.reading(path), path.open("rb") as stream:
        return _header(path, stream, path.stat().st_size)[0]


class Archive:
    """What a `.npz` file holds.

    Args:
        path: The file.

    Attributes:
        members: Its arrays by name; what is no array is `None`.

    Raises:
        ValueError: If the file is damaged, or if headers promise other sizes than
            there are.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.members: dict[str, Member | None] = {}
        # Open until the archive is forgotten: another file may take its name meanwhile.
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        if self._file.read(len(_MAGIC)) == _MAGIC:
            raise limits.unreadable(path, "it is a single array")
        with limits.reading(path), zipfile.ZipFile(self._file) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as stream:
                    self.members[name] = self._member(name, info, stream)

    def _member(
        self, name: str, info: zipfile.ZipInfo, stream: IO[bytes]
    ) -> Member | None:
        if stream.read(len(_MAGIC)) != _MAGIC:
            return None
        stream.seek(0)
        shape, dtype = _header(self._path, stream, info.file_size, name)
        return Member(name, shape, dtype, info)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        member = self.members[name]
        return () if member is None else member.shape

    def read(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Read arrays by name.

        Raises:
            ValueError: If one is damaged, or holds Python objects.
        """
        members = [self.members[name] for name in names]
        found = [member for member in members if member is not None]
        limits.check_unpacked(self._path, sum(m.info.file_size for m in found))
        arrays = {}
        with limits.reading(self._path), zipfile.ZipFile(self._file) as archive:
            for member in found:
                with archive.open(member.info) as stream:
                    arrays[member.name] = np.lib.format.read_array(
                        stream, allow_pickle=False
                    )
                    stream.read()  # to the end, where the checksum is compared
        return arrays


def _header(
    path: Path, stream: IO[bytes], size: int, name: str = ""
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and type, and compare them with the bytes that there are."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the .npy format is unknown")
    shape, _, dtype = _HEADERS[version](stream)
    if any(length < 0 for length in shape):
        raise ValueError(f"its header promises the shape {shape}")
    count: int = math.prod(shape)
    if dtype.itemsize == 0 and count:
        raise ValueError(f"its header promises {count:,} empty cells")
    wanted, there = count * dtype.itemsize, size - stream.tell()
    if wanted != there and not dtype.hasobject:
        whose = f"array {name!r}" if name else "its header"
        raise limits.unreadable(
            path,
            f"{whose} promises {count:,} numbers in {wanted:,} bytes, and "
            f"{there:,} are there",
        )
    return shape, dtype
