"""Check that no intermediate number is infinite or NaN."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.flows import Ensemble
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase
from tfp_flows.testing.flow_case import FlowCase

__all__ = ["check_flow_numerics", "check_numerics"]


@contextlib.contextmanager
def _checked() -> Iterator[None]:
    tf.debugging.enable_check_numerics()
    try:
        yield
    finally:
        tf.debugging.disable_check_numerics()


def _require_numbers(
    case: Any, function: Callable[[], tf.Tensor], sources: Sequence[Any], name: str
) -> None:
    """Require that a number and its gradient are computed from finite numbers."""
    try:
        with _checked():
            with tf.GradientTape() as tape:
                tape.watch(sources)
                total = function()
            tape.gradient(total, sources)
    except tf.errors.InvalidArgumentError as error:
        found = " ".join(str(error).split())[:300]
        case.fail("numerics", f"an intermediate number of {name}: {found}")


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
        total = functools.partial(
            lambda method, log_det, value: (
                tf.reduce_sum(method(value, **condition))
                + tf.reduce_sum(log_det(case, bijector, value, **condition))
            ),
            *(method, log_det, value),
        )
        sources = [value, *bijector.trainable_variables]
        _require_numbers(case, total, sources, name)


@registry.flow_check
def check_flow_numerics(case: FlowCase) -> None:
    """`tf.debugging.enable_check_numerics()` finds nothing in a flow at its data.

    Neither in densities and samples nor in their gradients.
    """
    flow = case.flow(case.dtypes[0])
    x, *condition = (tf.constant(value) for value in case.data(flow, 4))
    base = flow.partial(0, *[value[0] for value in condition])
    z = base.sample(4, seed=[case.seed, 5])
    variables = [variable.value for variable in flow.trainable_variables]
    checked = [("log_prob", flow.distribution(*condition).log_prob, x)]
    if not isinstance(flow, Ensemble):  # each member has a map of its own
        checked.append(("samples", flow.bijector(*condition).forward, z))
    for name, function, value in checked:
        total = functools.partial(lambda f, v: tf.reduce_sum(f(v)), function, value)
        _require_numbers(case, total, [value, *variables], name)
