"""Checks of shapes that are not known while tracing, and of batches without events."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_empty_batch", "check_unknown_batch_xla", "check_unknown_shapes"]

_NAMES = ("forward", "forward log-det", "inverse", "inverse log-det")


def _inputs(case: BijectorCase, leading: tuple[int, ...]) -> tuple:
    x, given = case.points(leading), case.condition(leading)
    return x, case.images(x, **given), given


def _spec(tensors: Any, rank: str) -> Any:
    """Return the signature of inputs: unknown `"rank"`, `"size"` or `"batch"`."""

    def spec(tensor: tf.Tensor) -> tf.TensorSpec:
        shapes = {
            "rank": None,
            "size": [None] * tensor.shape.rank,
            "batch": [None, *tensor.shape[1:]],
        }
        return tf.TensorSpec(shapes[rank], tensor.dtype)

    return tf.nest.map_structure(spec, tensors)


@registry.bijector_check
def check_unknown_shapes(case: BijectorCase) -> None:
    """A function traced for inputs of unknown rank or size gives what eager code does.

    The condition is as unknown as the inputs.
    """
    bijector, tolerance = case.bijector(), 10 * case.tolerances.value(case.dtype)
    for unknown, leadings in (("rank", ((2, 3), ())), ("size", ((3,),))):
        signature = _spec(_inputs(case, leadings[0]), unknown)

        @tf.function(autograph=False, input_signature=signature)
        def traced(x: tf.Tensor, y: tf.Tensor, given: dict) -> list[tf.Tensor]:
            return registry.all_outputs(case, bijector, x, y, given)

        for leading in leadings:
            inputs = _inputs(case, leading)
            wanted = registry.all_outputs(case, bijector, *inputs)
            for name, new, old in zip(_NAMES, traced(*inputs), wanted, strict=True):
                what = f"{name} of unknown {unknown}, leading shape {leading}"
                registry.compare(case, "unknown_shapes", what, new, old, tolerance)


def _empty_outputs(
    case: BijectorCase, bijector: tfb.Bijector, x: tf.Tensor, y: tf.Tensor, given: dict
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the four outputs, and the gradients of their sum."""
    variables = list(bijector.trainable_variables)
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        outputs = registry.all_outputs(case, bijector, x, y, given)
        total = tf.add_n([tf.reduce_sum(output) for output in outputs])
    zero = tf.UnconnectedGradients.ZERO
    return outputs, tape.gradient(total, [x, y, *variables], unconnected_gradients=zero)


def _require_empty(
    case: BijectorCase, check: str, mode: str, inputs: tuple, found: tuple
) -> None:
    x, y, _ = inputs
    outputs, gradients = found
    batch = x.shape[: x.shape.rank - case.event_ndims]
    for name, new, wanted in zip(
        _NAMES, outputs, (y.shape, batch, x.shape, batch), strict=True
    ):
        if name.endswith("log-det") and new.shape.rank < batch.rank:
            continue  # one number for all events, as TFP's maps give it
        if new.shape != wanted:
            what = f"{mode} {name} of no event: wrong shape"
            case.fail(check, what, tuple(new.shape), tuple(wanted))
    for gradient in gradients:
        gradient = tf.convert_to_tensor(gradient)
        bad = int(np.sum(~np.isfinite(gradient.numpy())))
        if bad:
            what = f"{mode} gradient of no event is not finite"
            case.fail(check, what, f"{bad} numbers", 0)


def _none(case: BijectorCase, leading: tuple[int, ...]) -> tuple:
    """Return inputs without an event, of the shapes of those with events."""
    x, y, given = _inputs(case, (1,))
    return tf.nest.map_structure(
        lambda t: tf.zeros([*leading, *t.shape[1:]], t.dtype), (x, y, given)
    )


@registry.bijector_check
def check_empty_batch(case: BijectorCase) -> None:
    """A batch without events gives empty outputs, and gradients that are finite."""
    bijector = case.bijector()
    for leading in ((0,), (2, 0)):
        inputs = _none(case, leading)
        found = _empty_outputs(case, bijector, *inputs)
        _require_empty(case, "empty_batch", "eager", inputs, found)
    inputs = _none(case, (0,))

    @tf.function(autograph=False, input_signature=_spec(inputs, "batch"))
    def traced(x: tf.Tensor, y: tf.Tensor, given: dict) -> tuple:
        return _empty_outputs(case, bijector, x, y, given)

    _require_empty(case, "empty_batch", "traced", inputs, traced(*inputs))


@registry.bijector_check
def check_unknown_batch_xla(case: BijectorCase) -> None:
    """XLA compiles a map for a batch of unknown size, none included."""
    bijector, tolerance = case.bijector(), 10 * case.tolerances.value(case.dtype)
    check, inputs = "unknown_batch_xla", _inputs(case, (3,))

    @tf.function(
        autograph=False, jit_compile=True, input_signature=_spec(inputs, "batch")
    )
    def compiled(x: tf.Tensor, y: tf.Tensor, given: dict) -> tuple:
        return _empty_outputs(case, bijector, x, y, given)

    wanted = registry.all_outputs(case, bijector, *inputs)
    for name, new, old in zip(_NAMES, compiled(*inputs)[0], wanted, strict=True):
        registry.compare(case, check, f"compiled {name}", new, old, tolerance)
    inputs = _none(case, (0,))
    _require_empty(case, check, "compiled", inputs, compiled(*inputs))
