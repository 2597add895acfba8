"""Statistics of rows that pass by once: moments and samples."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["Kept", "Moments"]


class Kept:
    """A uniform sample of bounded size, filled by one pass.

    Attributes:
        limit: Most rows.

    Args:
        limit: Most rows.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._held = 0
        self._bar = np.inf

    def add(self, rows: np.ndarray, keys: np.ndarray) -> None:
        """Keep the rows of the smallest keys.

        Args:
            rows: Rows, `[n, ...]`.
            keys: Random numbers, `[n]`.
        """
        few = keys < self._bar
        if not few.all():
            rows, keys = rows[few], keys[few]
        if not len(rows) and self._parts:
            return
        self._parts.append((rows, keys))
        self._held += len(rows)
        if self._held > 2 * self.limit:
            self._settle()

    def _settle(self) -> None:
        rows, keys = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        if len(rows) > self.limit:
            kept = np.argpartition(keys, self.limit)[: self.limit]
            rows, keys = rows[kept], keys[kept]
            self._bar = keys.max()
        self._parts, self._held = [(rows, keys)], len(rows)

    def sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and their keys, in the order of these."""
        if not self._parts:
            return np.empty([0, 0]), np.empty(0)
        self._settle()
        rows, keys = self._parts[0]
        order = np.argsort(keys, kind="stable")
        return rows[order], keys[order]


@dataclasses.dataclass
class Moments:
    """Number of rows, their means, sums of squares about them, largest sizes, `[D]`."""

    count: int
    mean: np.ndarray
    square: np.ndarray
    largest: np.ndarray

    @classmethod
    def empty(cls) -> Moments:
        """Return those of no rows."""
        return cls(0, np.zeros(1), np.zeros(1), np.zeros(1))

    def add(self, x: np.ndarray) -> None:
        """Count rows in, by Chan's update, which loses no digits.

        Args:
            x: Rows, `[n, D]`.
        """
        if not len(x):
            return
        x = x.astype(np.float64, copy=False)
        centre = x.mean(axis=0)
        step = centre - self.mean
        total = self.count + len(x)
        self.square = self.square + np.sum(np.square(x - centre), axis=0)
        self.square += np.square(step) * (self.count * len(x) / total)
        self.mean = self.mean + step * (len(x) / total)
        self.largest = np.maximum(self.largest, np.abs(x).max(axis=0))
        self.count = total
