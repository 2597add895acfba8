"""What a file may unfold to, and one sentence for each file that cannot be read."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tfp_flows import _optional

__all__ = [
    "LONGEST_MARK",
    "MAX_RATIO",
    "MAX_UNPACKED",
    "UTF16",
    "Checked",
    "FileError",
    "called",
    "check_unpacked",
    "foreign",
    "naming",
    "reading",
    "unpacked",
    "unpacked_bytes",
    "unreadable",
]

# A compressed file may unfold to so many bytes, or to so many times its own size where
# that is more: real tables shrink to a tenth, files made to fill the memory to a
# thousandth.
MAX_UNPACKED = 2**30
MAX_RATIO = 100
# How text in UTF-16 begins.
UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
# How files that are no text begin, and what to say of them.
_MARKS = {
    b"PK\x03\x04": "a ZIP archive: unpack it, or let its name end in .xlsx if it is a "
    "workbook, in .npz if it holds arrays",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ": "compressed by xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"Rar!\x1a": "a RAR archive: unpack it",
    b"PAR1": "in the Parquet format: let its name end in .parquet",
    b"\x93NUMP": "an array of NumPy: let its name end in .npy",
    b"\xd0\xcf\x11\xe0": "a workbook in the old format of Excel: save it as .xlsx",
    b"\x89HDF": "in the HDF5 format: save its table as .csv or .parquet",
    b"%PDF-": "a PDF: save its table as .csv",
    b"SQLit": "a database of SQLite: save its table as .csv",
}
LONGEST_MARK = 5
_CHUNK = 2**20
_MAX_REASON = 200


class FileError(ValueError):
    """A sentence of ours about a file, which goes to the caller as it is."""


def unreadable(
    path: str | os.PathLike[str], reason: object, kind: str | None = None
) -> ValueError:
    """Return the error of a file that is damaged, or of another format.

    Args:
        path: The file.
        reason: An error, or what is wrong in words.
        kind: What the file should be; by default by its ending.
    """
    text = " ".join(str(reason).split())
    if isinstance(reason, Exception) and len(text) < 2:
        text = type(reason).__name__
    if isinstance(reason, UnicodeDecodeError):
        text = (
            "it is no text in UTF-8: name its encoding, such as encoding='latin-1' or "
            "'cp1252', or save it as UTF-8"
        )
    if isinstance(reason, MemoryError):
        text = "it takes more memory than there is"
    if len(text) > _MAX_REASON:
        text = f"{text[:_MAX_REASON]}..."
    kind = kind or f"{Path(path).suffix.lower()} file"
    return FileError(
        f"{called(path)} must be a readable {kind}, got: {text.rstrip('.')}. Check "
        "that the extension states the format and that the file is complete."
    )


def foreign(start: bytes) -> str | None:
    """Return in words what a file is that is no text, `None` if its start says nothing.

    Args:
        start: Its first bytes.
    """
    found = (what for mark, what in _MARKS.items() if start.startswith(mark))
    what = next(found, None)
    return None if what is None else f"it is no text in UTF-8 but {what}"


def called(path: str | os.PathLike[str]) -> str:
    """Return what errors call a file: its name in quotes, or standard input."""
    return "standard input" if os.fspath(path) == "-" else f"'{path}'"


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], kind: str | None = None) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into one `ValueError`.

    Damaged files make libraries raise errors of any class. Errors of ours, missing
    packages and files that the system does not open keep their own.
    """
    try:
        yield
    except (
        FileError,
        FileNotFoundError,
        PermissionError,
        _optional.MissingExtraError,
    ):
        raise
    except Exception as error:
        raise unreadable(path, error, kind) from error


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the file's name before the errors of its values."""
    try:
        yield
    except ValueError as error:
        name = called(path).strip("'")
        if name in str(error):
            raise
        raise FileError(f"{name}: {error}") from error


def check_unpacked(path: str | os.PathLike[str], size: float) -> None:
    """Raise if a file unfolds to more than it may.

    Raises:
        ValueError: With the limit.
    """
    _check_size(path, size, Path(path).stat().st_size)


def _check_size(path: str | os.PathLike[str], size: float, packed_size: int) -> None:
    if size > max(MAX_UNPACKED, MAX_RATIO * packed_size):
        raise FileError(
            f"{called(path)} must unfold to at most {MAX_UNPACKED / 2**30:g} GiB or "
            f"{MAX_RATIO} times its size, got {size / 2**30:,.1f} GiB or more. Unpack "
            "it first if it is what you mean."
        )


def unpacked(path: Path) -> bytes:
    """Return the content of a file, unpacked if it is compressed by gzip.

    Raises:
        ValueError: If it is damaged, or unfolds to more than it may.
    """
    with path.open("rb") as stream:
        if stream.read(2) != _GZIP:
            stream.seek(0)
            return stream.read()
    with reading(path, "gzip file"), path.open("rb") as stream:
        return _gunzipped(path, stream, path.stat().st_size)


def unpacked_bytes(name: str, data: bytes) -> bytes:
    """Return bytes, unpacked if they are compressed by gzip.

    Args:
        name: What errors call them.
        data: The bytes.

    Raises:
        ValueError: If they are damaged, or unfold to more than they may.
    """
    if data[:2] != _GZIP:
        return data
    with reading(name, "gzip stream"):
        return _gunzipped(name, io.BytesIO(data), len(data))


def _gunzipped(
    name: str | os.PathLike[str], stream: BinaryIO, packed_size: int
) -> bytes:
    parts, size = [], 0
    with gzip.open(stream) as packed:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            _check_size(name, size, packed_size)
            parts.append(chunk)
    return b"".join(parts)


class Checked(io.RawIOBase):
    """A stream of text that has no NUL bytes, at which readers of CSV end a cell.

    Args:
        path: Name for the error.
        stream: The stream to read from.
        kind: What the file should be, for the error.
    """

    def __init__(
        self, path: str | os.PathLike[str], stream: BinaryIO, kind: str | None = None
    ) -> None:
        super().__init__()
        self._path = path
        self._kind = kind
        self._stream = stream

    def readable(self) -> bool:
        """Return `True`."""
        return True

    def seekable(self) -> bool:
        """Return `True`."""
        return True

    def close(self) -> None:
        """Close the stream below, too."""
        self._stream.close()
        super().close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:
        """Read bytes, and raise if there is a NUL among them."""
        data = self._stream.read(len(buffer))
        if b"\0" in data:
            what = "it has NUL bytes, so it is no text in UTF-8: name its encoding"
            if data[:2] == _GZIP:
                what = "it is compressed by gzip: let its name end in .gz"
            raise unreadable(self._path, what, self._kind)
        buffer[: len(data)] = data
        return len(data)
