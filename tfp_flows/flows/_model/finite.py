"""Rows that Keras trains on are finite: one NaN in a batch ends up in every weight."""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _arrays, _findings

__all__ = ["explained", "require", "trusted", "watched"]

_REMEDY = "Drop such rows, or fill their gaps before."
_SENTENCE = re.compile(rf"`\w+` must be finite, got [^`]*?{re.escape(_REMEDY)}")
_looks = contextvars.ContextVar("looks", default=True)


@contextlib.contextmanager
def trusted() -> Iterator[None]:
    """Do not look at batches in here: their rows were looked at."""
    token = _looks.set(False)
    try:
        yield
    finally:
        _looks.reset(token)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what stops a dataset into the error about its row.

    Raises:
        ValueError: In place of what TensorFlow makes of it.
    """
    try:
        yield
    except tf.errors.OpError as error:
        found = _SENTENCE.search(str(error))
        if found is None:
            raise
        raise ValueError(found[0].replace("\\'", "'")) from None


def require(flow: Any, element: Any, argument: str = "x", where: str = "") -> None:
    """Raise unless events and conditions at hand are finite.

    Args:
        flow: Which may take missing values.
        element: `x`, or a dict with `x` and `condition`, or a tuple as Keras has it.
        argument: What `x` is called.
        where: Where rows are, such as `"batch 2, "`.

    Raises:
        ValueError: Naming row and column.
    """
    for name, value, names in _parts(flow, element, argument):
        values = _findings.at_hand(value)
        if values is None or values.dtype.kind != "f":
            continue
        bad = ~np.isfinite(values)
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            column = _arrays.column_of(names, place)
            msg = (
                f"`{name}` must be finite, got {values[place]} in {where}row "
                f"{(*place, 0)[0] + 1}{column}. {_REMEDY}"
            )
            raise ValueError(msg)


def watched(flow: Any, x: Any, argument: str = "x") -> Any:
    """Return data whose batches are looked at as they come, arrays unchanged.

    Args:
        flow: Which is trained.
        x: What `fit` is given.
        argument: What it is called.

    Raises:
        ValueError: If arrays are not finite.
    """
    if not _looks.get():
        return x
    if isinstance(x, tf.data.Dataset):
        return x.enumerate().map(
            lambda number, *element: _looked_at(
                flow, number, element if len(element) > 1 else element[0], argument
            )
        )
    if isinstance(x, keras.utils.PyDataset):
        return _Watched(flow, x, argument)
    if isinstance(x, Generator):
        return _yielded(flow, x, argument)
    require(flow, x, argument)
    return x


def _parts(flow: Any, element: Any, argument: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield events and conditions of a batch, with their names."""
    parts = element if isinstance(element, (tuple, list)) else (element,)
    x: Any = parts[0] if parts else None
    condition: Any = parts[1] if len(parts) > 1 else None
    if isinstance(x, dict):
        x, condition = x.get("x"), x.get("condition", condition)
    if not flow.answers_any:
        yield argument, x, flow.columns
    # A network of one's own may know what to do with conditions that are missing.
    if flow.condition_shape is not None and flow._embedding_network is None:  # noqa: SLF001
        yield "condition", condition, flow.condition_columns


def _looked_at(flow: Any, number: tf.Tensor, element: Any, argument: str) -> Any:
    """Return a batch of a dataset, which stops at the first value that is not finite.

    Args:
        flow: Which is trained.
        number: Of the batch, from 0.
        element: The batch.
        argument: What `x` is called.
    """
    checks = []
    for name, value, names in _parts(flow, element, argument):
        if not (tf.is_tensor(value) and getattr(value.dtype, "is_floating", False)):
            continue
        bad = ~tf.math.is_finite(value)

        def stop(
            bad: tf.Tensor = bad,
            value: tf.Tensor = value,
            name: str = name,
            names: Any = names,
        ) -> tf.Operation:
            place = tf.where(bad)[0]
            column: Any = ""
            if value.shape.rank == 2:
                known = list(map(repr, names)) if names else None
                at = place[1] + 1 if known is None else tf.constant(known)[place[1]]
                column = tf.strings.join([", column ", tf.strings.as_string(at)])
            text = tf.strings.format(
                f"`{name}` must be finite, got {{}} in batch {{}}, row {{}} of it",
                (tf.gather_nd(value, place), number + 1, place[0] + 1),
            )
            text = tf.strings.join([text, column, f". {_REMEDY}"])
            with tf.control_dependencies([tf.debugging.Assert(False, [text])]):  # noqa: FBT003
                return tf.constant(False)  # noqa: FBT003

        fine = tf.cond(tf.reduce_any(bad), stop, lambda: tf.constant(True))  # noqa: FBT003
        checks.append(fine)
    with tf.control_dependencies(checks):
        return tf.nest.map_structure(tf.identity, element)


def _yielded(flow: Any, batches: Any, argument: str) -> Iterator[Any]:
    """Yield the batches of a generator, arrays alone as tuples, as Keras wants them."""
    for number, element in enumerate(batches, 1):
        require(flow, element, argument, f"batch {number}, ")
        yield element if isinstance(element, tuple) else (element,)


class _Watched(keras.utils.PyDataset):
    """Batches of another dataset of Python, looked at."""

    def __init__(self, flow: Any, batches: Any, argument: str) -> None:
        super().__init__(
            workers=batches.workers,
            use_multiprocessing=batches.use_multiprocessing,
            max_queue_size=batches.max_queue_size,
        )
        self._flow, self._batches, self._argument = flow, batches, argument

    @property
    def num_batches(self) -> int | None:
        return self._batches.num_batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        element = self._batches[index]
        require(self._flow, element, self._argument, f"batch {index + 1}, ")
        return element

    def on_epoch_begin(self) -> None:
        self._batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._batches.on_epoch_end()
