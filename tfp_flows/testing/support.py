"""Checks outside the support: the density is 0, not NaN."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase

__all__ = ["check_support"]


@registry.bijector_check
def check_support(case: BijectorCase) -> None:
    """Outside its codomain a map gives density 0, inside and at its ends a number.

    Gradients are finite everywhere, and NaN gives NaN.
    """
    check, (low, high) = "support", case.support or case.codomain
    if not (math.isfinite(low) and math.isfinite(high)):
        return
    for dtype in case.dtypes:
        bijector = case.bijector(dtype)
        base = tfd.Normal(tf.zeros([], dtype), 1.0)
        density = tfd.TransformedDistribution(
            tfd.Sample(base, case.event_shape) if case.event_shape else base, bijector
        )
        middle = np.full(case.event_shape, 0.5 * (low + high), dtype)
        width = high - low
        for what, number, wanted in (
            ("below", low - 0.1 * width, -np.inf),
            ("far below", low - 100.0 * width, -np.inf),
            ("above", high + 0.1 * width, -np.inf),
            ("far above", high + 100.0 * width, -np.inf),
            ("inside", low + 0.3 * width, None),
            ("at the lower end", low, None),
            ("at the upper end", high, None),
            ("for NaN", np.nan, np.nan),
        ):
            y = np.array([middle])
            y.reshape(-1)[-1] = number  # one coordinate is enough
            value, gradient = _log_prob(density, tf.constant(y))
            label = f"log_prob {what} in {dtype}"
            if wanted is None:
                registry.require_finite(case, check, label, value)
            elif not np.array_equal(value, [wanted], equal_nan=True):
                case.fail(check, label, value.tolist(), wanted)
            if not np.isnan(number):
                label = f"gradient of {label}"
                registry.require_finite(case, check, label, gradient)


def _log_prob(density: tfd.Distribution, y: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(y)
        value = density.log_prob(y)
    return value.numpy(), tape.gradient(value, y).numpy()
