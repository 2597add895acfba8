"""Checks of the files that a command reads and writes, before it starts to work."""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfp_flows import _files
from tfp_flows.cli.errors import UsageError, explained

__all__ = [
    "MODEL_SUFFIX",
    "STANDARD_INPUT",
    "TABLES",
    "TABLE_SUFFIXES",
    "are_several",
    "check_input",
    "check_output",
    "check_table_output",
    "is_table",
    "named",
    "replacing",
]

# What `datasets.read_table` reads, without importing it.
TABLE_SUFFIXES = (
    ".csv",
    ".tsv",
    ".csv.gz",
    ".tsv.gz",
    ".xlsx",
    ".parquet",
    ".npz",
    ".npy",
)
TABLES = ".csv, .tsv (also .gz), .xlsx, .parquet, .npz, .npy"
STANDARD_INPUT = "-"
MODEL_SUFFIX = ".keras"


def check_input(path: str, suffixes: Sequence[str]) -> Path:
    """Return the path of an existing file.

    Args:
        path: What the user gave.
        suffixes: Endings that are allowed.

    Raises:
        UsageError: If there is no such file, or its ending is another one.
    """
    if path == STANDARD_INPUT and ".csv" in suffixes:
        return Path(path)
    with named(path) as file:
        if file.is_dir():
            raise UsageError(f"'{path}' is a folder: name a file.")
        if not file.exists():
            raise UsageError(f"there is no file '{path}'.")
    _check_suffix(file, suffixes)
    return file


@contextlib.contextmanager
def named(path: str) -> Iterator[Path]:
    """Give the path of a name, and explain names that the system does not take."""
    if not path.strip():
        raise UsageError(f"the name of a file is missing, got {path!r}.")
    with explained(f"'{path}'", also=(RuntimeError,)):  # no home folder of this user
        yield Path(path).expanduser()


def check_output(
    path: str, suffixes: Sequence[str], *, force: bool, inputs: Sequence[Path] = ()
) -> Path:
    """Return the path of a file that can be written.

    Args:
        path: What the user gave.
        suffixes: Endings that are allowed.
        force: Whether the file may exist already.
        inputs: Files that must not be overwritten even so.

    Raises:
        UsageError: If the ending is another one, the file exists, or its folder does
            not or is not writable.
    """
    with named(path) as file:
        if file.is_dir():
            raise UsageError(f"cannot write to '{path}': it is a folder.")
    _check_suffix(file, suffixes)
    folder = file.parent
    if not folder.is_dir():
        raise UsageError(f"cannot write to '{path}': there is no folder '{folder}'.")
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"cannot write to '{path}': the folder '{folder}' is read-only."
        )
    with named(path):
        exists = file.exists()
    if exists and any(used.exists() and file.samefile(used) for used in inputs):
        raise UsageError(f"'{path}' is read by this command: write to another file.")
    if exists and not force:
        raise UsageError(f"'{path}' exists: choose another name or add --force.")
    return file


def are_several(data: str) -> bool:
    """Return whether a name is that of a folder, or a pattern of files."""
    with named(data) as path:
        return path.is_dir() or (glob.has_magic(data) and not path.exists())


def check_table_output(
    arguments: argparse.Namespace, inputs: Sequence[Path] = ()
) -> Path | None:
    """Return the path of the table to write, `None` where `--out` names none.

    Args:
        arguments: Of the command, with `out` and `force`.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: As of `check_output`.
    """
    if arguments.out is None:
        return None
    return check_output(
        arguments.out, TABLE_SUFFIXES, force=arguments.force, inputs=inputs
    )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to, which takes the place of `path` at the end.

    So a run that is cut short leaves the old file as it was.

    Raises:
        UsageError: If the file cannot be written.
    """
    with explained(f"cannot write to '{path}'"), _files.replacing(path) as temporary:
        yield temporary


def is_table(path: str) -> bool:
    """Return whether a name is one of a table."""
    return path == STANDARD_INPUT or _ends_in(Path(path), TABLE_SUFFIXES)


def _ends_in(file: Path, suffixes: Sequence[str]) -> bool:
    endings = {"".join(file.suffixes[-2:]).lower(), file.suffix.lower()}
    return bool(endings & set(suffixes))


def _check_suffix(file: Path, suffixes: Sequence[str]) -> None:
    if not _ends_in(file, suffixes):
        allowed = " or ".join(suffixes)
        raise UsageError(f"the name of '{file}' must end in {allowed}.")
