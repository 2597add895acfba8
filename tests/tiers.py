"""Which tests marked `full` or `slow` belong to a run, by the option `--contracts`."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

__all__ = ["TURNS", "belongs", "is_taken", "is_turn"]

# Programs of XLA stay in memory for the life of a process, up to 100 MB for a check: a
# part of the others has a third of its share of them, and three rounds make the whole.
RARER = 3

# Tests marked `slow` take turns, by name, in runs over folders; those marked
# `slow(rare=True)`, of more than ten seconds, have a third of these turns, and none by
# default.
TURNS = 8


def belongs(item, config):
    """Return whether a collected test belongs to a run.

    Args:
        item: The test.
        config: Settings of the run.
    """
    contracts = config.getoption("--contracts")
    if item.get_closest_marker("full") is not None:
        return is_taken(contracts, item.name)
    if item.get_closest_marker("slow") is None or "slow" in config.option.markexpr:
        return True
    # Who names a file wants all of it.
    named = any(Path(str(arg).split("::")[0]).is_file() for arg in config.args)
    rare = any(mark.kwargs.get("rare") for mark in item.iter_markers("slow"))
    return named or is_turn(contracts, item.nodeid, rare=rare)


def is_turn(contracts, label, *, rare=False):
    """Return whether it is the turn of a test that is marked `slow`.

    Args:
        contracts: As of `is_taken`; "default" is turn 0.
        label: The test's id.
        rare: Whether the test has a third of the turns only.
    """
    if rare and contracts == "default":
        return False
    number = _number(contracts)
    if number is None:
        return True
    turns = TURNS * RARER if rare else TURNS
    return zlib.crc32(label.encode()) % turns == number[0] % turns


def is_taken(contracts, label):
    """Return whether a test that is marked `full` belongs to a run.

    Args:
        contracts: `"default"`, `"full"`, or `"N/M"` for the part `N % M` of `M`.
        label: The test's id, which says to which part it belongs.
    """
    if contracts == "default":
        return False
    number = _number(contracts)
    if number is None:
        return True
    run, parts = number
    if "xla" in label:
        parts *= RARER
    return zlib.crc32(label.encode()) % parts == run % parts


def _number(contracts):
    """Return the number of a run and its parts, `None` where nothing is left out."""
    if contracts == "full":
        return None
    if contracts == "default":
        return 0, 1
    found = re.fullmatch(r"(\d+)/([1-9]\d*)", contracts)
    if found is None:
        msg = f"`--contracts` must be 'default', 'full' or 'N/M', got {contracts!r}."
        raise pytest.UsageError(msg)
    return int(found[1]), int(found[2])
