"""Checks of ways to run a map: traced, compiled, vectorized, copied, as an argument."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = [
    "check_composite_tensor",
    "check_copy",
    "check_pickle",
    "check_tf_function",
    "check_vectorized_map",
    "check_xla",
]

_NAMES = (
    "forward",
    "forward log-det",
    "inverse",
    "inverse log-det",
    "gradient for y",
)


def _outputs(
    case: BijectorCase, bijector: tfb.Bijector, x: tf.Tensor, y: tf.Tensor, given: dict
) -> list[tf.Tensor]:
    """Return all four outputs, and the gradient of a log-density."""
    with tf.GradientTape() as tape:
        tape.watch(y)
        z = bijector.inverse(y, **given)
        ildj = registry.inverse_log_det(case, bijector, y, **given)
        log_prob = tf.reduce_sum(ildj) - tf.reduce_sum(z**2) / 2
    gradient = tape.gradient(log_prob, y)
    y_again = bijector.forward(x, **given)
    fldj = registry.forward_log_det(case, bijector, x, **given)
    return [y_again, fldj, z, ildj, gradient]


def _same_as_eager(case: BijectorCase, check: str, *, jit_compile: bool) -> None:
    """Compare all outputs in each dtype, traced in one go."""
    inputs, expected = [], []
    for dtype in case.dtypes:
        x, given = case.points((5,), dtype), case.condition((5,), dtype)
        y = case.images(x, **given)
        inputs.append((x, y, given))
        expected.append(_outputs(case, case.bijector(dtype), x, y, given))

    @tf.function(jit_compile=jit_compile, autograph=False)
    def traced(inputs: Sequence) -> list[list[tf.Tensor]]:
        return [
            _outputs(case, case.bijector(dtype), *given)
            for dtype, given in zip(case.dtypes, inputs, strict=True)
        ]

    for dtype, new, old in zip(case.dtypes, traced(inputs), expected, strict=True):
        # Log-dets and gradients may be sums of many terms in another order.
        tolerance = 10 * case.tolerances.value(dtype)
        for name, found, wanted in zip(_NAMES, new, old, strict=True):
            what = f"{name} against eager in {dtype}"
            registry.compare(case, check, what, found, wanted, tolerance)


@registry.bijector_check
def check_tf_function(case: BijectorCase) -> None:
    """A traced map gives what the eager one gives, gradients included."""
    _same_as_eager(case, "tf_function", jit_compile=False)


@registry.bijector_check
def check_xla(case: BijectorCase) -> None:
    """A map compiled by XLA gives what the eager one gives, gradients included."""
    _same_as_eager(case, "xla", jit_compile=True)


@registry.bijector_check
def check_vectorized_map(case: BijectorCase) -> None:
    """`tf.vectorized_map` over single events equals one batch."""
    bijector = case.bijector()
    x, condition = case.points((4,)), case.condition((4,))
    y = case.images(x, **condition)

    def single(inputs: tuple) -> list[tf.Tensor]:
        x, y, given = inputs
        return [
            bijector.forward(x, **given),
            registry.forward_log_det(case, bijector, x, **given),
            bijector.inverse(y, **given),
            registry.inverse_log_det(case, bijector, y, **given),
        ]

    expected = single((x, y, condition))
    found = tf.vectorized_map(
        single, (x, y, condition), fallback_to_while_loop=False, warn=False
    )
    tolerance = 10 * case.tolerances.value(case.dtype)
    for name, new, old in zip(_NAMES, found, expected, strict=False):
        what = f"{name} against one batch"
        old = tf.broadcast_to(old, new.shape)
        registry.compare(case, "vectorized_map", what, new, old, tolerance)


@registry.bijector_check
def check_copy(case: BijectorCase) -> None:
    """`copy()` gives an equal map, `copy.deepcopy` one with variables of its own."""
    bijector = case.bijector()
    x, condition = case.points((4,)), case.condition((4,))
    y = bijector.forward(x, **condition)
    log_det = registry.forward_log_det(case, bijector, x, **condition)
    deep = copy.deepcopy(bijector)
    for name, twin in (("copy()", bijector.copy()), ("deepcopy", deep)):
        if type(twin) is not type(bijector):
            case.fail("copy", f"{name} has a type of its own", type(twin), "the same")
        found = twin.forward(tf.identity(x), **condition)
        registry.compare(case, "copy", f"forward of {name}", found, y, 0.0)
        found = registry.forward_log_det(case, twin, tf.identity(x), **condition)
        registry.compare(case, "copy", f"log-det of {name}", found, log_det, 0.0)
    registry.compare_variables(case, "copy", "deepcopy", bijector, deep)


@registry.bijector_check
def check_pickle(case: BijectorCase) -> None:
    """A map that was used pickles, to an equal one with variables of its own."""
    bijector = case.bijector()
    x, condition = case.points((4,)), case.condition((4,))
    y = bijector.forward(x, **condition)
    log_det = registry.forward_log_det(case, bijector, x, **condition)
    twin = pickle.loads(pickle.dumps(bijector))
    found = twin.forward(tf.identity(x), **condition)
    registry.compare(case, "pickle", "forward of a pickled map", found, y, 0.0)
    found = registry.forward_log_det(case, twin, tf.identity(x), **condition)
    registry.compare(case, "pickle", "log-det of a pickled map", found, log_det, 0.0)
    what = "a pickled map"
    registry.compare_variables(case, "pickle", what, bijector, twin)

    def both(owner: tfb.Bijector) -> list[tf.Tensor]:
        x_again = tf.identity(x)
        log_det = registry.forward_log_det(case, owner, x_again, **condition)
        return [owner.forward(x_again, **condition), log_det]

    registry.compare_gradients(case, "pickle", what, bijector, twin, both)


@registry.bijector_check
def check_composite_tensor(case: BijectorCase) -> None:
    """The map can be an argument of a `tf.function`."""
    if not case.composite:
        return
    check, bijector = "composite_tensor", case.bijector()
    if not isinstance(bijector, tfb.AutoCompositeTensorBijector):
        bijector = tfp.experimental.as_composite(bijector)
    x, condition = case.points((4,)), case.condition((4,))
    traces = []

    @tf.function(autograph=False)
    def log_det(bijector: tfb.Bijector, x: tf.Tensor, given: dict) -> tf.Tensor:
        traces.append(bijector)
        return registry.forward_log_det(case, bijector, x, **given)

    expected = registry.forward_log_det(case, bijector, x, **condition)
    tolerance = 10 * case.tolerances.value(case.dtype)
    for _ in range(2):
        found = log_det(bijector, x, condition)
        what = "log-det of an argument"
        registry.compare(case, check, what, found, expected, tolerance)
    if len(traces) > 1:
        case.fail(check, "the same argument is traced again", len(traces), 1)
