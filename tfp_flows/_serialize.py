"""The one Keras registration decorator, and plain forms of configuration values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras

__all__ = ["FORMAT_VERSION", "PACKAGE", "register"]

PACKAGE = "tfp_flows"
# Raised when a file written before can no longer be read as it was meant.
FORMAT_VERSION = 1

_T = TypeVar("_T", bound=type[Any])


def register(package: str = PACKAGE) -> Callable[[_T], _T]:
    """Return the decorator under which Keras finds a class when it loads a file."""
    return keras.saving.register_keras_serializable(package=package)
