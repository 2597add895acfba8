"""What former fits have left behind: graphs in cycles, which Python is slow to find.

A model, its training step and the graph of that refer to each other. Python frees such
cycles once there are a quarter as many new objects as old ones; TensorFlow has so many
old ones that hundreds of megabytes of graphs, which are few objects, gather before.
"""

from __future__ import annotations

import gc
import threading
import time

__all__ = ["Collector", "collect"]

# Looking through all objects takes about a third of a second.
LARGEST_SHARE = 0.1


class Collector:
    """Frees cycles, for at most so large a share of the time.

    Args:
        share: Of the time since the last collection that one may take.
    """

    def __init__(self, share: float = LARGEST_SHARE) -> None:
        self._share = share
        self._due = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> bool:
        """Free what is in cycles if it is due; return whether it was."""
        # Who switched the collector off wants no pauses.
        if not gc.isenabled() or not self._lock.acquire(blocking=False):
            return False
        try:
            start = time.monotonic()
            if start < self._due:
                return False
            gc.collect()
            end = time.monotonic()
            self._due = end + (end - start) / self._share
            return True
        finally:
            self._lock.release()


collect = Collector()
