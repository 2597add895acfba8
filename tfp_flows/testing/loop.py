"""The check that a loop of equal maps is what the maps are one after the other."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _context
from tfp_flows.bijectors import composition
from tfp_flows.bijectors._core import base, scan
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase, perturb

__all__ = ["check_loop"]

TIMES = 3
# Noise that tells the maps of a loop apart; their parameters need not stay valid ones.
NOISE = 0.02


def _turns(case: BijectorCase, dtype: str) -> list[tfb.Bijector]:
    """Return maps that differ in their numbers only."""
    maps = [case.fresh(dtype) for _ in range(TIMES)]
    for number, one in enumerate(maps):
        perturb(one, NOISE, seed=number)
    return maps


def _outputs(
    function: Any,
    value: tf.Tensor,
    variables: list[tf.Variable],
    *,
    gradients: bool,
) -> list[tf.Tensor]:
    """Return value, log-det, and the gradients of a function of both, if asked for."""
    if not gradients:
        return list(function(value))
    with tf.GradientTape() as tape:
        tape.watch(value)
        out, log_det = function(value)
        loss = tf.reduce_sum(tf.sin(out)) + tf.reduce_sum(log_det)
    zero = tf.UnconnectedGradients.ZERO
    return [out, log_det, *tape.gradient(loss, [value, *variables], None, zero)]


@registry.bijector_check
def check_loop(case: BijectorCase) -> None:
    """A chain of three maps in a loop equals the three one after the other.

    This holds for every map that says it is `repeatable`: values and log-dets in both
    directions, and gradients of the inverse by its input and by all variables.
    """
    bijector = case.bijector()
    if not (getattr(bijector, "repeatable", False) and bijector.variables):
        return
    dtype = case.dtypes[-1]
    parts = _turns(case, dtype)
    if scan.runs(parts) != [scan.Run(0, 1, TIMES)]:
        case.fail("loop", "the same map of other numbers is not taken for its equal")
    rank, condition = case.event_ndims, case.condition(dtype=dtype).get("condition")
    variables = [v for part in parts for v in part.trainable_variables]
    chain = composition.Chain(parts)

    def apart(value: tf.Tensor, *, inverse: bool) -> tuple[tf.Tensor, tf.Tensor]:
        one = base.inverse_and_log_det if inverse else base.forward_and_log_det
        total = tf.zeros(tf.shape(value)[: value.shape.rank - rank], value.dtype)
        for part in parts if inverse else parts[::-1]:
            value, log_det = one(part, value, condition, event_ndims=rank)
            total += log_det
        return value, total

    def looped(value: tf.Tensor, *, inverse: bool) -> tuple[tf.Tensor, tf.Tensor]:
        one = base.inverse_and_log_det if inverse else base.forward_and_log_det
        with _context.values_scope():
            return one(chain, value, condition, event_ndims=rank)

    x = case.points(dtype=dtype)
    y = case.images(x, **case.condition(dtype=dtype))
    for inverse, start in ((True, y), (False, x)):

        @tf.function(autograph=False)
        def both(value: tf.Tensor, *, inverse: bool = inverse) -> list[list[tf.Tensor]]:
            return [
                _outputs(
                    functools.partial(way, inverse=inverse),
                    value,
                    variables,
                    gradients=inverse,
                )
                for way in (looped, apart)
            ]

        found, expected = both(start)
        what = "inverse" if inverse else "forward"
        names = [what, f"{what} log-det", f"gradient of {what} by its input"]
        names += [f"gradient of {what} by {variable.name}" for variable in variables]
        for name, one, other in zip(names, found, expected, strict=False):
            tolerance = case.tolerances.log_det(dtype)
            registry.compare(case, "loop", name, one, other, tolerance)
