"""The check of batches without events, and of samples of none."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfp_flows.testing import registry
from tfp_flows.testing.flow_case import FlowCase, one_condition

__all__ = ["check_flow_empty"]


@registry.flow_check
def check_flow_empty(case: FlowCase) -> None:
    """No row has no density, and samples of none have a shape; gradients are zero."""
    check, flow = "empty", case.flow()
    x = np.zeros([0, *flow.event_shape], flow.variable_dtype)
    one: tuple[np.ndarray, ...] = ()
    none: tuple[np.ndarray, ...] = ()
    if flow.condition_shape is not None:
        zeros = np.zeros([1, *flow.condition_shape], flow.variable_dtype)
        one, none = (zeros[0],), (zeros[:0],)
    with tf.GradientTape() as tape:
        log_prob = flow.log_prob(x, *none)
        total = tf.reduce_sum(log_prob)
    for gradient in tape.gradient(total, [v.value for v in flow.trainable_variables]):
        if gradient is not None:
            registry.require_finite(case, check, "gradient of no row", gradient)
    found = {
        "log_prob": (log_prob, (0,)),
        "distribution().log_prob": (flow.distribution(*none).log_prob(x), (0,)),
        "sample(0)": (flow.sample(0, one_condition(one), 1), (0, *flow.event_shape)),
        "sample((0, 3))": (
            flow.distribution(*one).sample((0, 3), seed=1),
            (0, 3, *flow.event_shape),
        ),
    }
    if none:
        sample = flow.sample((), one_condition(none), 1)
        found["sample of no condition"] = (sample, (0, *flow.event_shape))
    for what, (value, shape) in found.items():
        if tuple(value.shape) != shape:
            case.fail(check, f"shape of {what}", tuple(value.shape), shape)
