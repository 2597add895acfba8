"""Numbers as they are written elsewhere: decimal commas, separators of thousands.

A file has one notation. It is taken from cells that can be read in one way only: 12,5
and 0,125 have decimal commas, 1,234.5 and 1,234,567 have commas between thousands, and
12,345 may be either. Nothing is guessed.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = [
    "DECIMALS",
    "Notation",
    "canonical",
    "given",
    "is_number",
    "numbers",
    "of_cells",
    "using",
]

DECIMALS = (".", ",")
# What some write between thousands beside points and commas: blanks and apostrophes.
_MARKS = " \u00a0\u202f\u2009'\u2019"
_GROUPED = re.compile(rf"\d{{1,3}}([{_MARKS}]\d{{3}})+(?!\d)")
_SHAPE = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)


class Notation:
    """How the text files of a command are to be read.

    Args:
        decimal: `"."` or `","`; `None` to take it from the cells.
        encoding: Such as `"latin-1"`; `None` for UTF-8, or UTF-16 with its mark.

    Raises:
        ValueError: If one is unknown.
    """

    def __init__(self, decimal: str | None = None, encoding: str | None = None) -> None:
        if decimal not in (None, *DECIMALS):
            msg = f"`decimal` must be '.' or ',', got {decimal!r}."
            raise ValueError(msg)
        try:
            "".encode(encoding or "utf-8")
        except (LookupError, TypeError):
            msg = (
                "`encoding` must be the name of an encoding of text, got "
                f"{encoding!r}. Common ones are 'utf-8', 'utf-16', 'latin-1', 'cp1252'."
            )
            raise ValueError(msg) from None
        self.decimal = decimal
        self.encoding = encoding


_given: contextvars.ContextVar[Notation | None] = contextvars.ContextVar(
    "tfp_flows_notation", default=None
)


def given() -> Notation:
    """Return how text files are read here."""
    return _given.get() or Notation()


@contextlib.contextmanager
def using(decimal: str | None, encoding: str | None) -> Iterator[None]:
    """Read text files so inside the `with` block; `None` leaves what is."""
    held = given()
    found = Notation(
        held.decimal if decimal is None else decimal,
        held.encoding if encoding is None else encoding,
    )
    token = _given.set(found)
    try:
        yield
    finally:
        _given.reset(token)


def _plain(cell: str) -> str:
    """Return a cell without blanks around, or marks between thousands."""
    cell = cell.strip().replace("\u2212", "-")
    if not any(mark in cell for mark in _MARKS):
        return cell
    return _GROUPED.sub(lambda m: re.sub(f"[{_MARKS}]", "", m[0]), cell, count=1)


def is_number(cell: str) -> bool:
    """Return whether a cell is a number in some notation."""
    cell = _plain(cell)
    return _SHAPE.fullmatch(cell) is not None and bool(_readings(cell))


def _readings(cell: str) -> set[str]:
    """Return the decimal signs with which a plain cell is a number."""
    mantissa = re.split("[eE]", cell.lstrip("+-"))[0]
    found = set()
    for decimal, other in (DECIMALS, DECIMALS[::-1]):
        whole, _, part = mantissa.partition(decimal)
        groups = whole.split(other)
        is_whole = whole.isdigit() or (not whole and part.isdigit())
        if len(groups) > 1:
            is_whole = groups[0].isdigit() and len(groups[0]) <= 3
            is_whole &= groups[0] != "0"
            is_whole &= all(len(g) == 3 and g.isdigit() for g in groups[1:])
        if is_whole and (not part or part.isdigit()):
            found.add(decimal)
    return found


def of_cells(columns: Iterable[Sequence[str]]) -> str | None:
    """Return the decimal sign of a file, `None` where no cell decides.

    Args:
        columns: Cells of the columns that hold nothing but numbers in some notation.

    Raises:
        ValueError: If two cells contradict each other.
    """
    seen: dict[str, str] = {}
    for cells in columns:
        for cell in cells:
            found = _readings(_plain(cell))
            if len(found) == 1:
                seen.setdefault(found.pop(), cell)
        if len(seen) > 1:
            point, comma = seen["."], seen[","]
            msg = (
                f"numbers must be in one notation, got {point!r} with a decimal point "
                f"and {comma!r} with a decimal comma. Write all of them in one."
            )
            raise ValueError(msg)
    return next(iter(seen), None)


def numbers(cells: Sequence[str | None], decimal: str) -> np.ndarray | None:
    """Return cells as numbers, `None` if one is none with this decimal sign.

    Args:
        cells: Text; `None` for missing ones.
        decimal: The decimal sign; the other one stands between thousands.
    """
    texts = [None if cell is None else canonical(cell, decimal) for cell in cells]
    if any(t is None and c is not None for t, c in zip(texts, cells, strict=True)):
        return None
    whole = all(text and text.lstrip("+-").isdigit() for text in texts)
    kind: Any = int if whole else float
    return np.array([np.nan if text is None else kind(text) for text in texts])


def canonical(cell: str, decimal: str) -> str | None:
    """Return a number with a decimal point and nothing between thousands.

    Args:
        cell: Text.
        decimal: Its decimal sign.

    Returns:
        `None` if it is no number with this sign.
    """
    text, other = _plain(cell), DECIMALS[decimal == "."]
    if _SHAPE.fullmatch(text) is None or decimal not in _readings(text):
        return None
    return text.replace(other, "").replace(decimal, ".")
