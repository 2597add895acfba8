"""The bridge between `tf.Variable`s of maps and the tracking of Keras."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["adopt", "refuse_class_weight", "require_tracked", "targets"]


def adopt(
    variables: Iterable[tf.Variable], known: Iterable[keras.Variable] = ()
) -> list[keras.Variable]:
    """Return handles by which Keras tracks variables, without a copy.

    Keras sees no `tf.Variable` by itself. `keras.Variable(v)` is another handle to the
    same memory, which optimizers, files, and strategies know.

    Args:
        variables: Variables of maps, in a stable order; repeated ones count once.
        known: Variables that Keras tracks already, such as those of its own layers.

    Returns:
        One handle for each variable that Keras does not know yet.
    """
    seen = {id(v.value) for v in known}
    found = {id(v): v for v in variables}
    return [
        keras.Variable(
            v,
            name=f"v{i:03d}_{v.name.split(':')[0].replace('/', '_')}",
            trainable=v.trainable,
            dtype=v.dtype.name,
        )
        for i, v in enumerate(found.values())
        if id(v) not in seen
    ]


def require_tracked(
    variables: Iterable[tf.Variable], tracked: Sequence[keras.Variable]
) -> None:
    """Raise if a trainable variable of a flow would not be trained.

    Args:
        variables: Trainable variables of the maps and the base density.
        tracked: What Keras knows, frozen layers of its own networks included.

    Raises:
        ValueError: Naming the variables that Keras does not know.
    """
    known = {id(v.value) for v in tracked}
    hidden = [v.name.split(":")[0] for v in variables if id(v) not in known]
    if hidden:
        msg = (
            "All trainable variables of a flow must be tracked by Keras, but "
            f"{', '.join(repr(name) for name in hidden)} would not be trained. Give "
            "the flow its maps when it is built, and do not replace them later."
        )
        raise ValueError(msg)


def refuse_class_weight(class_weight: Any) -> None:
    """Raise if there are weights of classes, of which targets of a flow are none.

    Args:
        class_weight: The argument of `fit`.

    Raises:
        ValueError: If it is given.
    """
    if class_weight is not None:
        msg = (
            "`class_weight` must be left out: targets are conditions, and no classes. "
            "Give sample_weight, a number for each event."
        )
        raise ValueError(msg)


def targets(y: Any, sample_weight: Any) -> Any:
    """Return `y`, or empty targets: without any, Keras drops the weights.

    Args:
        y: Targets, which a flow has no use for, or `None`.
        sample_weight: Weights of the events, `[N]`, or `None`.

    Returns:
        `y`, or an array `[N, 0]`.
    """
    if y is None and sample_weight is not None:
        return np.zeros([np.shape(sample_weight)[0], 0], np.float32)
    return y
