"""What results are: numbers with more to tell, and rows."""

from __future__ import annotations

from typing import Any

__all__ = ["Number", "Rows"]


class Number:
    """A result whose `float()` is its `value`."""

    value: float

    def __float__(self) -> float:
        return self.value


class Rows:
    """What has as many rows as `x`."""

    x: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.x)
