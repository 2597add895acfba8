"""Values of a condition as people type them: `a=1,b=2`, or `1,2` in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfp_flows.cli import columns, tables
from tfp_flows.cli.errors import UsageError

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
    values = [_number(value) for _, value in pairs]
    keys = [key for key, _ in pairs]
    if not any(keys):
        if len(values) != size:
            raise UsageError(
                f"--condition must give {wanted}, got {len(values)} values."
            )
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
    return np.array([values[keys.index(name)] for name in names])


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
