"""Which tests marked `full` belong to a run, by the option `--contracts`."""

from __future__ import annotations

import re
import zlib

import pytest

__all__ = ["is_taken"]

# Programs of XLA stay in memory for the life of a process, up to 100 MB for a check: a
# part of the others has a third of its share of them, and three rounds make the whole.
RARER = 3


def is_taken(contracts, label):
    """Return whether a test that is marked `full` belongs to a run.

    Args:
        contracts: `"default"`, `"full"`, or `"N/M"` for the part `N % M` of `M`.
        label: The test's id, which says to which part it belongs.
    """
    if contracts in ("default", "full"):
        return contracts == "full"
    found = re.fullmatch(r"(\d+)/([1-9]\d*)", contracts)
    if found is None:
        msg = f"`--contracts` must be 'default', 'full' or 'N/M', got {contracts!r}."
        raise pytest.UsageError(msg)
    number, parts = map(int, found.groups())
    if "xla" in label:
        parts *= RARER
    return zlib.crc32(label.encode()) % parts == number % parts
