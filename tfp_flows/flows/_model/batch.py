"""The batch of one training step, from the forms in which Keras hands it over."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows import _checks
from tfp_flows._types import Condition, TensorLike
from tfp_flows.flows._model import keras_arguments

__all__ = ["Batch", "no_data", "read", "unpack"]

# Keras wants some data for each step. These stand for none.
NOTHING = "nothing"


@dataclasses.dataclass(frozen=True)
class Batch:
    """Events of one step, with their conditions and weights.

    Args:
        x: Events, `[N, *event_shape]`; `None` if there are conditions only.
        condition: Conditions, `[N, *condition_shape]`, or `None`.
        sample_weight: Weights, `[N]`, or `None`.
        extra: What else a flow wants in its inputs, by name.
    """

    x: TensorLike | None
    condition: Condition = None
    sample_weight: TensorLike | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def inputs(self) -> Any:
        """What `flow(...)` takes: events, or a dict with `x` and `condition`."""
        if self.condition is None and not self.extra:
            return self.x
        condition = {} if self.condition is None else {"condition": self.condition}
        return {"x": self.x, **condition, **self.extra}

    @property
    def size(self) -> tf.Tensor:
        """Number of events, or of conditions if there are no events."""
        return tf.shape(self.condition if self.x is None else self.x)[0]

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Return the mean of one value for each event, `[N]`, to `[]`.

        As everywhere in Keras, weights multiply the terms of the mean.
        """
        if self.sample_weight is not None:
            weight = tf.cast(self.sample_weight, values.dtype)
            values = values * tf.reshape(weight, tf.shape(values))
        return tf.reduce_mean(values)


def no_data() -> tf.data.Dataset:
    """Return a dataset without end of what `read` takes for no data."""
    return tf.data.Dataset.from_tensors({NOTHING: np.zeros([1], np.int32)}).repeat()


def unpack(
    inputs: TensorLike | dict[str, TensorLike],
) -> tuple[TensorLike, Condition]:
    """Return data and condition of what Keras hands to a model."""
    inputs = keras_arguments.array_of(inputs, "x")
    if not isinstance(inputs, dict):
        return inputs, None
    unknown = set(inputs) - {"x", "condition"}
    if unknown or "x" not in inputs:
        msg = (
            "`inputs` must be data, or a dict with 'x' and 'condition', got keys "
            f"{sorted(inputs)}. Rename them; `training.image_batches` makes batches of "
            "dictionaries of images and labels."
        )
        raise ValueError(msg)
    return inputs["x"], inputs.get("condition")


def read(data: Any, condition_shape: tuple[int, ...] | None) -> Batch | None:
    """Return the batch of a step.

    Args:
        data: `x`, or `{"x": ..., "condition": ...}`, or `(inputs, y, sample_weight)`
            as in Keras, whose targets `y` are the condition if there is no other.
        condition_shape: Of the flow.

    Returns:
        The batch; `None` for what `no_data` yields.

    Raises:
        ValueError: If there are targets for a flow without a condition, or two.
    """
    inputs, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(inputs, dict) and NOTHING in inputs:
        return None
    if isinstance(inputs, dict) and set(inputs) == {"condition"}:
        x, condition = None, inputs["condition"]
    else:
        x, condition = unpack(inputs)
    if y is not None and y.shape[-1:] != (0,):
        if condition_shape is None or condition is not None:
            have = "none" if condition_shape is None else "it in 'condition' already"
            msg = (
                "`y` must be the condition of a flow that wants one, got targets of "
                f"shape {tuple(y.shape)} where it has {have}. Leave them out."
            )
            raise ValueError(msg)
        condition = y
    condition = _checks.lifted_condition(condition, condition_shape)
    return Batch(x, condition, sample_weight)
