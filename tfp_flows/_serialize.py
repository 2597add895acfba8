"""The one Keras registration decorator, and plain forms of configuration values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import keras

__all__ = [
    "FORMAT_VERSION",
    "PACKAGE",
    "listed",
    "plain",
    "register",
    "require_readable",
]

PACKAGE = "tfp_flows"
# Raised when a file written before can no longer be read as it was meant.
FORMAT_VERSION = 1

_T = TypeVar("_T", bound=type[Any])


def register(package: str = PACKAGE) -> Callable[[_T], _T]:
    """Return the decorator under which Keras finds a class when it loads a file."""
    return keras.saving.register_keras_serializable(package=package)


def require_readable(version: int) -> None:
    """Raise if a file was written in a newer format than this version reads.

    Args:
        version: Its `format_version`.

    Raises:
        ValueError: If it is newer.
    """
    if version > FORMAT_VERSION:
        msg = (
            f"`format_version` {version} of this file is newer than {FORMAT_VERSION}, "
            "which this version of tfp_flows reads. Upgrade tfp_flows."
        )
        raise ValueError(msg)


def listed(values: Iterable[Any] | None) -> list[Any] | None:
    """Return values in the form that a configuration keeps, `None` for none."""
    return None if values is None else list(values)


def plain(value: Any) -> Any:
    """Return a value as a type of Python: NumPy's have no JSON."""
    return value.item() if hasattr(value, "item") else value
