"""Remembers the last value and log-det of a map, and never serves a stale one.

TFP asks a bijector for a value and for its log-det in two calls. A map of this
package computes both at once, so the pair of one call has to reach the next. TFP's
own cache does that, but it cannot see that a variable has changed or that a gradient
tape was opened since, and then returns an old density with a wrong gradient.

A pair lives as an attribute of the tensor that the map returned, and dies with it.
The input tensor only points to it weakly. Before a pair is served it is proved to be
current: same map, same condition, same training mode, no variable written since, and,
while a gradient tape or a forward accumulator is recording, a pair that it has seen
being computed. To differentiate a log-det in the very tensor that a map returned, pass
`tf.identity` of it.

Threads may share maps and tensors. A pair is complete before it is attached, and
whoever asks holds its two tensors before asking whether it is current.
"""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows import _context, _graphs, _tapes

__all__ = ["Memo", "caching"]

_ATTRIBUTE = "_tfp_flows_pairs"
# Everything else that is given the handle of a variable may write to it.
_READS = (
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "VariableShape",
    "VarIsInitializedOp",
)
# These may write to variables that they do not name.
_OPAQUE = ("EagerPyFunc", "PyFunc", "PyFuncStateless")
# Conditions that are compared by value.
_PLAIN = (np.ndarray, np.generic, list, tuple, float, int)
_enabled = contextvars.ContextVar("tfp_flows_caching", default=True)


@contextlib.contextmanager
def caching(enabled: bool) -> Iterator[None]:  # noqa: FBT001
    """Switch the memory of all maps on or off inside a `with` block.

    Example:
        >>> import tfp_flows as tfpf
        >>> with tfpf.bijectors.caching(False):
        ...     pass  # every call computes anew
    """
    token = _enabled.set(enabled)
    try:
        yield
    finally:
        _enabled.reset(token)


def _is_eager(tensor: tf.Tensor) -> bool:
    return hasattr(tensor, "numpy")


def _size(graph: Any) -> int:
    return len(graph.get_operations())


def _writes_since(graph: Any, start: int, variables: Sequence[tf.Variable]) -> bool:
    """Whether `graph` got operations that may write one of the variables."""
    handles = {id(v.handle) for v in variables}
    for outer, inner in getattr(graph, "captures", ()):
        if id(outer) in handles:
            handles.add(id(inner))
    return any(
        op.type in _OPAQUE
        or (
            op.type not in _READS and any(id(tensor) in handles for tensor in op.inputs)
        )
        for op in graph.get_operations()[start:]
    )


def _witness(*tensors: Any) -> tf.Tensor:
    """Return an empty tensor that is on all tapes on which one of `tensors` is."""
    parts = [
        tf.cast(tf.reshape(tensor, [-1])[:0], tensors[0].dtype)
        for tensor in tensors
        if tf.is_tensor(tensor) and tf.as_dtype(tensor.dtype).is_floating
    ]
    return tf.concat(parts, axis=0)


def _variables(bijector: Any, condition: Any) -> tuple[tf.Variable, ...]:
    """Return what an evaluation reads and others may write."""
    given = (condition,) if isinstance(condition, tf.Variable) else ()
    return (*bijector.memo_variables(), *given)


def _same_condition(old: Any, new: Any) -> bool:
    if old is new:  # but an array, or what computes at each use, may have changed
        return new is None or isinstance(new, (tf.Tensor, tf.Variable))
    if not (isinstance(old, np.ndarray) and isinstance(new, _PLAIN)):
        return False
    return np.array_equal(old, np.asarray(new))


class _Pair:
    """One evaluation: input, the log-det of the inverse map, and its circumstances."""

    __slots__ = (
        "__weakref__",
        "bijector",
        "condition",
        "ildj",
        "is_forward",
        "operations",
        "output",
        "source",
        "values",
        "witness",
    )

    def __init__(
        self,
        bijector: Any,
        source: tf.Tensor,
        output: tf.Tensor,
        ildj: tf.Tensor,
        condition: Any,
        values: list[tf.Tensor],
        *,
        is_forward: bool,
    ) -> None:
        self.bijector = weakref.ref(bijector)
        self.source = source
        self.output = weakref.ref(output)
        self.ildj = ildj
        plain = isinstance(condition, _PLAIN)
        self.condition = np.array(condition) if plain else condition
        self.is_forward = is_forward
        self.values = values
        self.operations = None if _is_eager(output) else _size(output.graph)
        # Nobody watches this one by hand, as they may watch the output.
        self.witness = _witness(output) if _tapes.is_recording() else None

    def is_current(self, bijector: Any, condition: Any, output: tf.Tensor) -> bool:
        """Whether the pair with this output is what a fresh evaluation would give."""
        known = self.bijector()
        if known is None or known is not bijector:
            return False
        if not _same_condition(self.condition, condition):
            return False
        if tf.executing_eagerly() != (self.operations is None):
            return False
        variables = _variables(bijector, condition)
        if not self._is_recorded(bijector, condition, variables):
            return False
        if self.operations is not None:
            graph = output.graph
            return graph is _graphs.current() and not _writes_since(
                graph, self.operations, variables
            )
        pairs = zip(variables, self.values, strict=True)
        return all(bool(tf.reduce_all(tf.equal(v, old))) for v, old in pairs)

    def _is_recorded(
        self,
        bijector: Any,
        condition: Any,
        variables: Sequence[tf.Variable],
    ) -> bool:
        """Whether every live tape that a fresh evaluation would be on knows the pair.

        A fresh operation on all that the output depends on shows on how many tapes
        the evaluation would be recorded.
        """
        if not _tapes.is_recording():
            return True
        if self.witness is None:
            return False
        reads = [v.value() for v in variables if v.trainable]
        given = tf.nest.flatten(bijector.parameters)
        fresh = _witness(self.source, condition, *reads, *given)
        count = _tapes.count(fresh)
        return count is not None and _tapes.count(self.witness) == count


class _Bound:
    """The cache of one bijector, in the form that `tfb.Bijector` calls it."""

    def __init__(self, bijector: Any) -> None:
        self._bijector: Any = bijector

    def forward(self, x: tf.Tensor, condition: Any = None) -> tf.Tensor:
        return self._evaluate(x, condition, is_forward=True)[0]

    def inverse(self, y: tf.Tensor, condition: Any = None) -> tf.Tensor:
        return self._evaluate(y, condition, is_forward=False)[0]

    def forward_attributes(
        self,
        x: tf.Tensor,
        condition: Any = None,
    ) -> dict[str, tf.Tensor]:
        ildj = self._evaluate(x, condition, is_forward=True)[1]
        return {"ildj": ildj}

    def inverse_attributes(
        self,
        y: tf.Tensor,
        condition: Any = None,
    ) -> dict[str, tf.Tensor]:
        ildj = self._evaluate(y, condition, is_forward=False)[1]
        return {"ildj": ildj}

    def clear(self) -> None:
        """Do nothing: pairs live on tensors and die with them."""

    def _key(self, *, is_forward: bool, at_output: bool) -> tuple:
        mode = _context.is_training()
        return id(self._bijector), is_forward, at_output, mode

    def _lookup(
        self,
        tensor: tf.Tensor,
        condition: Any,
        *,
        is_forward: bool,
    ) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Return the other end of the map at `tensor`, and the inverse log-det."""
        pairs = vars(tensor).get(_ATTRIBUTE, {})
        # What came out of the opposite direction, else what went into this one.
        pair = pairs.get(self._key(is_forward=not is_forward, at_output=True))
        if pair is not None and pair.is_current(self._bijector, condition, tensor):
            return pair.source, pair.ildj
        key = self._key(is_forward=is_forward, at_output=False)
        pair = pairs.get(key, _nothing)()
        # Another thread may let go of the output at any time: hold it, then ask.
        output = None if pair is None else pair.output()
        if output is not None and pair.is_current(self._bijector, condition, output):
            return output, pair.ildj
        return None

    def _evaluate(
        self,
        tensor: tf.Tensor,
        condition: Any,
        *,
        is_forward: bool,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        is_off = not _enabled.get() or _context.wants_points()
        if is_off or not self._bijector.cache:
            return self._compute(tensor, condition, is_forward=is_forward)
        found = self._lookup(tensor, condition, is_forward=is_forward)
        if found is not None:
            return found
        # What another thread writes meanwhile makes the pair old. Only a training pass
        # may write to variables of the map itself.
        values = self._values(condition)
        output, ildj = self._compute(tensor, condition, is_forward=is_forward)
        if output is tensor:  # a pair must not keep itself alive
            output = tf.identity(output)
        if _context.is_training():
            values = self._values(condition)
        pair = _Pair(
            self._bijector,
            tensor,
            output,
            ildj,
            condition,
            values,
            is_forward=is_forward,
        )
        at_output = self._key(is_forward=is_forward, at_output=True)
        _pairs_of(output)[at_output] = pair
        at_input = self._key(is_forward=is_forward, at_output=False)
        _pairs_of(tensor)[at_input] = weakref.ref(pair)
        return output, ildj

    def _values(self, condition: Any) -> list[tf.Tensor]:
        """Return what the variables hold now; in a graph its operations tell."""
        if not tf.executing_eagerly():
            return []
        return [v.value() for v in _variables(self._bijector, condition)]

    def _compute(
        self, tensor: tf.Tensor, condition: Any, *, is_forward: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if is_forward:
            output, fldj = self._bijector.forward_and_log_det(tensor, condition)
            return output, -fldj
        return self._bijector.inverse_and_log_det(tensor, condition)


def _nothing() -> None:
    return None


def _pairs_of(tensor: tf.Tensor) -> dict[tuple, Any]:
    # Not by `getattr`, which may give None while another thread sets the attribute.
    return vars(tensor).setdefault(_ATTRIBUTE, {})


class Memo:
    """Descriptor that gives each bijector its memory, in place of TFP's cache."""

    def __get__(self, bijector: Any, owner: type | None = None) -> Any:
        return self if bijector is None else _Bound(bijector)
