"""Lists of names such as `a,b`, whose names may have commas themselves."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "hint",
    "kinds",
    "missing",
    "pairs",
    "resolve",
    "split",
    "unquoted",
    "without_conditions",
]


def split(text: str, separator: str = ",") -> list[str]:
    """Divide a text at separators outside double quotes; quotes stay."""
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def unquoted(text: str) -> str:
    """Return a name without spaces around it, or what stands in its quotes."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def resolve(text: str | None, known: Sequence[str]) -> list[str] | None:
    """Return the names in a list such as `a,b` or `"price, EUR",b`.

    A known name that has commas is found without quotes, too.

    Args:
        text: The list; `None` for `None`.
        known: Names that there are. Others are returned as they stand.
    """
    if text is None:
        return None
    parts, names, start = split(text), [], 0
    while start < len(parts):
        for end in range(len(parts), start, -1):
            name = unquoted(",".join(parts[start:end]))
            if name in known:
                break
        if name:
            names.append(name)
        start = end
    return names


def pairs(text: str) -> list[tuple[str, str]]:
    """Return keys and values of a list such as `a=1,b=2`; the keys may be empty.

    What stands before a comma without a value is the beginning of the next name, where
    there are names at all.
    """
    parts = split(text)
    if not any("=" in part for part in parts):
        return [("", part) for part in parts if part.strip()]
    found, begun = [], ""
    for part in parts:
        key, equals, value = part.rpartition("=")
        if equals:
            found.append((unquoted(begun + key), value))
            begun = ""
        elif part.strip():
            begun += f"{part},"
    return [*found, ("", begun.rstrip(","))] if begun else found


def kinds(text: str | None, known: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """Return the names and the kinds in a list such as `a,age=integer`.

    Args:
        text: The list; `None` for `None`.
        known: Names that there are.

    Returns:
        The list of names, `None` if there are kinds only; and the kind of each name
        that has one, as `preprocessing.Column.read` takes it.
    """
    if text is None or text in known:
        return text, {}
    plain, told = [], {}
    parts = split(text)
    for part in parts:
        name, equals, kind = part.rpartition("=")
        if equals and unquoted(part) not in known:
            told[unquoted(name)] = _kind(kind.strip())
            plain.append(name)
        else:
            plain.append(part)
    is_choice = len(told) < len(parts)
    return (",".join(plain) if is_choice else None), told


def without_conditions(
    chosen: str | None,
    told: dict[str, Any],
    condition: str | None,
    known: Sequence[str],
) -> str | None:
    """Return the events' columns without conditions of which only the kind is said.

    Args:
        chosen: List of the columns that are named.
        told: Kinds by name.
        condition: List of the conditions.
        known: Names that there are.
    """
    given = resolve(condition, known) or []
    names = resolve(chosen, known)
    if names is None or not set(given) & set(told):
        return chosen
    rest = [name for name in names if name not in given or name not in told]
    return ",".join(f'"{name}"' for name in rest) or None


def _kind(text: str) -> Any:
    """Return words such as `positive+atom:0` as `Column.read` takes them."""
    words = []
    for part in text.split("+"):
        word, *values = part.split(":")
        words.append((word, *map(_value, values)) if values else word)
    return words[0] if len(words) == 1 else words


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def hint(word: str, known: Iterable[str]) -> str:
    """Return `: did you mean ...?`, or nothing if no name is near."""
    names = list(known)
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    if not near:
        letters = sorted(word.lower())
        near = [name for name in lower if sorted(name) == letters][:1]
    return f": did you mean {lower[near[0]]!r}?" if near else ""


def missing(name: str, known: Sequence[str]) -> str:
    """Return the sentence about a column that there is not."""
    there = ", ".join(map(repr, known))
    return f"there is no column {name!r}, only {there}{hint(name, known) or '.'}"
