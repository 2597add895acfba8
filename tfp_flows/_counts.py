"""Counts in sentences: 1 row, 2 rows."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, `1 row` or `1,200 rows`.

    Args:
        count: How many.
        noun: Of one of them; its last word takes the plural by an s.
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
