"""What records just now: gradient tapes and forward accumulators.

TensorFlow has no public form of these questions. Where its private ones are missing,
the answers are those that keep derivatives right and cost time.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf

__all__ = [
    "count",
    "explained",
    "forget",
    "in_forward_mode",
    "is_recording",
    "seen",
    "wants_higher_orders",
]

# Where TensorFlow keeps custom gradients by name.
REGISTRY = "_registry"

try:
    from tensorflow.python import pywrap_tfe as _tfe

    _is_idle = _tfe.TFE_Py_TapeSetIsEmpty
    _gradient_types = _tfe.TFE_Py_TapeSetPossibleGradientTypes
    _record = _tfe.TFE_Py_TapeSetRecordOperation
    _tangents = _tfe.TFE_Py_PackJVPs
except (ImportError, AttributeError):  # pragma: no cover - other TensorFlow builds
    _is_idle = _gradient_types = _record = _tangents = None


try:
    from tensorflow.python.framework import ops as _ops

    _custom_gradients = getattr(_ops.gradient_registry, REGISTRY)
except (ImportError, AttributeError):  # pragma: no cover - other TensorFlow builds
    _custom_gradients = {}


def forget(names: Iterable[str]) -> None:
    """Let go of custom gradients of graphs that nobody will differentiate.

    TensorFlow keeps each for ever, and with it the graph that it was traced in.

    Args:
        names: What `_gradient_op_type` of operations names.
    """
    for name in names:
        if name.startswith("CustomGradient-"):
            _custom_gradients.pop(name, None)


def is_recording() -> bool:
    """Return whether a tape or an accumulator is open."""
    return _is_idle is None or not _is_idle()


def count(tensor: tf.Tensor) -> int | None:
    """Return on how many open tapes and accumulators a tensor is.

    Two tensors, one of which depends on the other, are on the same ones if the numbers
    are equal. `None` if nobody knows.
    """
    if _gradient_types is None:
        _warn_once()
        return None
    kind = _gradient_types([tensor])  # 2: several, or a persistent tape
    return kind if kind < 2 else _count_all(tensor)


@functools.cache
def _warn_once() -> None:
    """Say that each call computes anew, since no release may go slow unseen."""
    msg = (
        f"TensorFlow {tf.__version__} does not tell whether a gradient tape is "
        "recording: maps and densities of tfp_flows are right, but slower, as value "
        "and log-det are computed apart. Please report this version to tfp_flows."
    )
    # Users stand at no fixed distance from here.
    warnings.warn(msg, RuntimeWarning, stacklevel=2)


def _count_all(tensor: tf.Tensor) -> int:
    """Count the tapes by the references that they keep to what they are given."""

    def gradient(*upstream: Any) -> Any:
        return upstream

    before = sys.getrefcount(gradient)
    copy = tf.identity(tensor)
    _record("count", [copy], [tensor], gradient, None)
    return sys.getrefcount(gradient) - before + len(_tangents([tensor])[1])


def wants_higher_orders(tensors: Sequence[Any]) -> bool:
    """Return whether more may be asked of results than one gradient by one tape.

    That is a second derivative, the gradients of a persistent tape, or a derivative in
    forward mode.
    """
    if not is_recording():
        return False
    if _gradient_types is None:
        return True
    return _gradient_types(list(tensors)) > 1 or in_forward_mode(tensors)


def in_forward_mode(tensors: Sequence[Any]) -> bool:
    """Return whether an accumulator follows any of the tensors.

    Inside a custom gradient, tapes see nothing then: code that opens some takes the
    direct way instead.
    """
    if _tangents is None or not is_recording():
        return False
    return bool(_tangents(list(tensors))[1])


def seen(gradient: tf.Tensor | None) -> tf.Tensor:
    """Return the gradient of a tape inside a custom gradient.

    Raises:
        NotImplementedError: If there is none, since an accumulator keeps it.
    """
    if gradient is None:
        msg = (
            "Forward mode cannot pass a traced function of this map. Open the "
            "`ForwardAccumulator` inside the `tf.function`, or call the map eagerly."
        )
        raise NotImplementedError(msg)
    return gradient


@contextlib.contextmanager
def explained(owner: str, tensors: Sequence[Any]) -> Iterator[None]:
    """Say in a sentence that an accumulator cannot pass a loop of a graph.

    Nor can accumulators within each other pass a comparison there.

    Args:
        owner: What is evaluated.
        tensors: What it is given.

    Raises:
        NotImplementedError: In place of TensorFlow's error about its own tensors.
    """
    try:
        yield
    except (IndexError, TypeError, ValueError, tf.errors.InternalError) as error:
        if tf.executing_eagerly() or not in_forward_mode(tensors):
            raise
        more = ""
        if isinstance(error, IndexError):
            more = ", nor accumulators within each other a comparison"
        msg = (
            f"Forward mode cannot pass a loop of {owner} inside a `tf.function`{more}. "
            f"Call it in eager mode, or take a tape. TensorFlow says: {error}"
        )
        raise NotImplementedError(msg) from error
