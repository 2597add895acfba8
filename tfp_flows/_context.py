"""Whether code runs for training: one switch for maps and networks.

A few maps and networks act differently while a model is fitted: batch normalisation
uses the statistics of the batch, dropout drops. They ask `is_training()`. Nothing is in
training mode unless someone says so, hence evaluation is what one gets by default.

A `tf.function` reads the mode while it is traced, and keeps it: trace one function for
training and another one for evaluation.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

__all__ = ["is_training", "training_scope"]

_training = contextvars.ContextVar("tfp_flows_training", default=False)


@contextlib.contextmanager
def training_scope(enabled: bool) -> Iterator[None]:  # noqa: FBT001
    """Switch training mode on or off inside a `with` block; blocks may nest.

    Args:
        enabled: Whether the block runs for training.

    Example:
        >>> from tfp_flows._context import is_training, training_scope
        >>> with training_scope(True):
        ...     is_training()
        True
        >>> is_training()
        False
    """
    token = _training.set(bool(enabled))
    try:
        yield
    finally:
        _training.reset(token)


def is_training() -> bool:
    """Return whether the innermost `training_scope` is on; `False` outside of any."""
    return _training.get()
