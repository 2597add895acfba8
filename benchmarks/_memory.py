"""How much memory a process holds, and how much of it is in use."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

__all__ = ["highest", "in_use", "resident"]

# What `mallinfo2` of the C library returns, in its order.
COUNTS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


class _Counts(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in COUNTS)


def resident() -> float:
    """Return the resident memory of this process in MB, where the system tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    lines = status.read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:"))


def highest() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def in_use() -> float:
    """Return the memory in use in MB: allocated and not freed."""
    # What refers to a graph until a flow is found to be gone is found after it.
    for _ in range(3):
        gc.collect()
    try:
        counts = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return resident()
    counts.restype = _Counts
    found = counts()
    return (found.uordblks + found.hblkhd) / 2**20
