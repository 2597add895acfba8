"""Check that no intermediate number is infinite or NaN."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_numerics"]


@contextlib.contextmanager
def _checked() -> Iterator[None]:
    tf.debugging.enable_check_numerics()
    try:
        yield
    finally:
        tf.debugging.disable_check_numerics()


@registry.bijector_check
def check_numerics(case: BijectorCase) -> None:
    """`tf.debugging.enable_check_numerics()` finds nothing at ordinary inputs.

    Neither in values and log-dets nor in their gradients, in both directions.
    """
    bijector, x, condition = case.bijector(), case.points((4,)), case.condition((4,))
    y = case.images(x, **condition)
    for name, method, log_det, value in (
        ("forward", bijector.forward, registry.forward_log_det, x),
        ("inverse", bijector.inverse, registry.inverse_log_det, y),
    ):
        try:
            with _checked():
                with tf.GradientTape() as tape:
                    tape.watch(value)
                    total = tf.reduce_sum(method(value, **condition))
                    total += tf.reduce_sum(log_det(case, bijector, value, **condition))
                tape.gradient(total, [value, *bijector.trainable_variables])
        except tf.errors.InvalidArgumentError as error:
            found = " ".join(str(error).split())[:300]
            case.fail("numerics", f"an intermediate number of {name}: {found}")
