"""Values of a condition as people type them: `a=1,b=2`, or `1,2` in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfp_flows.cli import columns, tables
from tfp_flows.cli.errors import UsageError, explained

if TYPE_CHECKING:
    import numpy as np

    from tfp_flows.flows import Flow

__all__ = ["read"]

_LARGEST = 3.4e38


def read(flow: Flow, text: str | None) -> np.ndarray | None:
    """Read the values of the condition, `[C]`.

    Raises:
        UsageError: If values are missing, too many, unknown, or no numbers.
    """
    import numpy as np

    if flow.condition_shape is None:
        if text is not None:
            raise UsageError("--condition was given, but this flow takes none.")
        return None
    size = int(np.prod(flow.condition_shape))
    names = tables.names_of(flow)[1]
    wanted = ", ".join(names) if names else f"{size} values"
    if text is None:
        raise UsageError(f"--condition is missing: this flow is given {wanted}.")
    pairs = columns.pairs(text)
    keys, texts = [key for key, _ in pairs], [value for _, value in pairs]
    if not any(keys):
        if len(texts) != size:
            raise UsageError(
                f"--condition must give {wanted}, got {len(texts)} values."
            )
        named = zip(names or [""] * size, texts, strict=True)
        values = [_value(flow, name, value) for name, value in named]
        return np.array(values).reshape(flow.condition_shape)
    if not names:
        raise UsageError(
            "--condition must give values only, such as 1.5,2: this flow does not know "
            "the names of its condition."
        )
    unknown = [key for key in keys if key not in names]
    if unknown or sorted(keys) != sorted(names):
        what = f"got {unknown[0]!r}" if unknown else "each of them once"
        raise UsageError(f"--condition must name {wanted}, {what}.")
    return np.array([_value(flow, name, texts[keys.index(name)]) for name in names])


def _value(flow: Flow, name: str, text: str) -> float:
    """Return a number, the number of a label, or that of a date."""
    labels = flow.condition_labels().get(name)
    if labels is not None:
        word = columns.unquoted(text)
        known = {str(label): i for i, label in enumerate(labels)}
        if word not in known:
            there = ", ".join(map(repr, known))
            raise UsageError(
                f"--condition must give {name} one of the labels {there}, got "
                f"{word!r}{columns.hint(word, known) or '.'}"
            )
        return float(known[word])
    units = tables.units_of(flow) or {}
    if name in units and not _is_number(text):
        from tfp_flows.datasets import dates

        with explained():
            return dates.read_one(columns.unquoted(text), units[name], name)
    return _number(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    import math

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise UsageError(
            f"--condition must give finite numbers, got {text.strip()!r}"
            f"{', which float32 does not hold' if math.isfinite(value) else ''}."
        )
    return value
