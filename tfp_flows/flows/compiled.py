"""Compiled evaluation and export of flows."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _checks
from tfp_flows._types import Condition, Seed, Shape, TensorLike

__all__ = ["CompiledFlow", "export"]


class CompiledFlow:
    """Compiled functions of one flow: traced once, for every batch size.

    Inputs are flattened to one batch dimension of unknown size, so that changing batch
    sizes do not trace again. Weights are read in each call.

    Args:
        flow: The flow.
    """

    def __init__(self, flow: Any) -> None:  # noqa: ANN401
        self._flow = flow
        self._log_prob: Any = None
        self._sample: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFlow:
        """Return functions for the copy of the flow, traced when first used."""
        return CompiledFlow(memo.get(id(self._flow), self._flow))

    def _owner(self) -> str:
        return f"this flow (`{type(self._flow).__name__}`)"

    def _spec(self, shape: tuple[int, ...]) -> tf.TensorSpec:
        return tf.TensorSpec([None, *shape], self._flow.variable_dtype)

    def _condition(self, condition: Condition) -> tf.Tensor | None:
        shape = self._flow.condition_shape
        _checks.require_condition(condition, shape, self._owner())
        if condition is None:
            return None
        condition = _floating(condition, self._flow.variable_dtype)
        _checks.require_trailing(condition.shape, shape, "condition", self._owner())
        return condition

    def log_prob(self, x: TensorLike, condition: Condition) -> tf.Tensor:
        """See `Flow.log_prob`."""
        flow = self._flow
        x = _floating(x, flow.variable_dtype)
        _checks.require_trailing(x.shape, flow.event_shape, "x", self._owner())
        condition = self._condition(condition)
        batch = tf.shape(x)[: x.shape.rank - len(flow.event_shape)]
        if condition is not None:
            cut = condition.shape.rank - len(flow.condition_shape)
            batch = tf.broadcast_dynamic_shape(batch, tf.shape(condition)[:cut])
            condition = _flatten(condition, batch, flow.condition_shape)
        flat = _flatten(x, batch, flow.event_shape)
        if self._log_prob is None:
            self._log_prob = self._trace_log_prob()
        arguments = (flat,) if condition is None else (flat, condition)
        return tf.reshape(self._log_prob(*arguments), batch)

    def _trace_log_prob(self) -> Any:  # noqa: ANN401
        flow = self._flow
        if flow.condition_shape is None:

            @tf.function(input_signature=[self._spec(flow.event_shape)])
            def log_prob(x: tf.Tensor) -> tf.Tensor:
                return flow.call(x)

        else:

            @tf.function(
                input_signature=[
                    self._spec(flow.event_shape),
                    self._spec(flow.condition_shape),
                ]
            )
            def log_prob(x: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
                return flow.call({"x": x, "condition": condition})

        # A concrete function: TensorFlow would warn of retracing when many flows exist.
        return log_prob.get_concrete_function()

    def sample(
        self, sample_shape: Shape | tuple[()], condition: Condition, seed: Seed
    ) -> tf.Tensor:
        """See `Flow.sample`."""
        flow = self._flow
        condition = self._condition(condition)
        seed = tfp.random.sanitize_seed(seed, salt="flow_sample")
        shape = () if sample_shape == () else sample_shape
        if not tf.is_tensor(shape):
            shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
        shape = tf.cast(tf.reshape(tf.convert_to_tensor(shape, tf.int32), [-1]), "int32")
        count = tf.reduce_prod(shape)
        if self._sample is None:
            self._sample = self._trace_sample()
        if condition is None:
            out = self._sample(count, seed)
            return tf.reshape(out, tf.concat([shape, flow.event_shape], axis=0))
        cut = condition.shape.rank - len(flow.condition_shape)
        batch = tf.shape(condition)[:cut]
        out = self._sample(count, seed, _flatten(condition, batch, flow.condition_shape))
        return tf.reshape(out, tf.concat([shape, batch, flow.event_shape], axis=0))

    def _trace_sample(self) -> Any:  # noqa: ANN401
        flow = self._flow
        count = tf.TensorSpec([], tf.int32)
        seed = tf.TensorSpec([2], tf.int32)
        if flow.condition_shape is None:

            @tf.function(input_signature=[count, seed])
            def sample(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
                return flow.distribution().sample(count, seed=seed)

        else:
            condition = self._spec(flow.condition_shape)

            @tf.function(input_signature=[count, seed, condition])
            def sample(
                count: tf.Tensor, seed: tf.Tensor, condition: tf.Tensor
            ) -> tf.Tensor:
                return flow.distribution(condition).sample(count, seed=seed)

        return sample.get_concrete_function()


def _floating(value: TensorLike, dtype: str) -> tf.Tensor:
    value = tf.convert_to_tensor(value)
    return value if value.dtype == dtype else tf.cast(value, dtype)


def _flatten(
    value: tf.Tensor, batch: tf.Tensor, event_shape: tuple[int, ...]
) -> tf.Tensor:
    rank = value.shape.rank - len(event_shape)
    full = tf.concat([batch, event_shape], axis=0)
    if rank != 1 or value.shape[0] is None:
        value = tf.broadcast_to(value, full)
    elif batch.shape[0] != 1 or not tf.executing_eagerly():
        value = tf.broadcast_to(value, full)
    elif int(batch[0]) != value.shape[0]:
        value = tf.broadcast_to(value, full)
    return tf.reshape(value, [-1, *event_shape])


def export(flow: Any, filepath: str, *, verbose: bool | None = None) -> None:  # noqa: ANN401
    """Write a flow as a SavedModel with the signatures `log_prob` and `sample`.

    `sample` takes `count` (int32) and `seed` (int32, `[2]`), and `condition` if the
    flow is conditional; `log_prob` takes `x` and `condition`.

    Args:
        flow: The flow.
        filepath: Folder to write.
        verbose: Whether to print what was written, as in Keras.
    """
    archive = keras.export.ExportArchive()
    archive.track(flow)
    dtype = flow.variable_dtype
    x = tf.TensorSpec([None, *flow.event_shape], dtype, name="x")
    count = tf.TensorSpec([], tf.int32, name="count")
    seed = tf.TensorSpec([2], tf.int32, name="seed")
    if flow.condition_shape is None:

        def log_prob(x: tf.Tensor) -> tf.Tensor:
            return flow.call(x)

        def sample(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            return flow.distribution().sample(count, seed=seed)

        extra = []
    else:

        def log_prob(x: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
            return flow.call({"x": x, "condition": condition})

        def sample(
            count: tf.Tensor, seed: tf.Tensor, condition: tf.Tensor
        ) -> tf.Tensor:
            return flow.distribution(condition).sample(count, seed=seed)

        extra = [
            tf.TensorSpec([None, *flow.condition_shape], dtype, name="condition")
        ]
    archive.add_endpoint("log_prob", log_prob, input_signature=[x, *extra])
    archive.add_endpoint("sample", sample, input_signature=[count, seed, *extra])
    arguments = {} if verbose is None else {"verbose": verbose}
    archive.write_out(filepath, **arguments)
