"""Checks of maps and flows of one coordinate: direction, CDF, quantiles."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.bijectors._core import monotone
from tfp_flows.testing import registry
from tfp_flows.testing.case import BijectorCase, perturb
from tfp_flows.testing.flow_case import FlowCase

__all__ = ["check_flow_one_dimension", "check_is_increasing"]

LEVELS = (0.02, 0.3, 0.5, 0.9, 0.99)


@registry.bijector_check
def check_is_increasing(case: BijectorCase) -> None:
    """A map of one coordinate says whether it increases; others may, if each does."""
    check, bijector = "is_increasing", case.bijector()
    x, condition = case.points((4,)), case.condition((4,))
    try:
        found = monotone.of(bijector, **condition)
    except NotImplementedError as error:
        if case.size == 1:
            case.fail(check, f"a map of one coordinate does not say: {error}")
        return

    def function(x: tf.Tensor) -> tf.Tensor:
        return bijector.forward(x, **condition)

    jacobian = registry.jacobian(function, x, case.size)
    slopes = np.diagonal(jacobian, axis1=-2, axis2=-1)
    others = np.abs(jacobian) * (1 - np.eye(case.size))
    if np.any(others > 1e-6 * np.abs(slopes).max()):
        case.fail(check, "it says so, though coordinates depend on each other")
    said = np.broadcast_to(np.reshape(found, [-1, 1]), slopes.shape)
    if not np.array_equal(slopes > 0, said):
        case.fail(check, "what it says", bool(np.all(found)), (slopes > 0).tolist())


@registry.flow_check
def check_flow_one_dimension(case: FlowCase) -> None:
    """`cdf`, `quantile`, `survival_function` of a flow of one number agree.

    The CDF rises as the density says, and `tfd.QuantizedDistribution` takes the flow.
    """
    check, flow = "one_dimension", case.flow()
    if len(flow.event_shape) > 1 or flow.is_discrete:
        return  # images, or steps where the CDF jumps
    config = {**flow.get_config(), "event_shape": [], "columns": None}
    try:
        flow = type(flow).from_config(config)
    except ValueError:
        return  # it is for several coordinates, and says so
    flow.adapt(*case.data(flow, 200))
    perturb(flow, case.noise, case.seed)
    (condition,) = case.condition(flow, 1) or (None,)
    density = flow.distribution(None if condition is None else condition[0])
    levels = tf.constant(LEVELS, flow.variable_dtype)
    x = tf.identity(density.quantile(levels))
    tolerance = 1e-3
    below, above = density.cdf(x), density.survival_function(x)
    registry.compare(case, check, "cdf(quantile(p))", below, levels, tolerance)
    what = "survival_function(quantile(p))"
    registry.compare(case, check, what, above, 1.0 - levels, tolerance)
    what = "log_cdf(quantile(p))"
    logs = density.log_cdf(x)
    registry.compare(case, check, what, logs, tf.math.log(levels), tolerance)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(density.cdf(x))
    slope = tape.gradient(total, x)
    what = "the derivative of the cdf against the density"
    registry.compare(case, check, what, slope, density.prob(x), tolerance)
    cells = tfd.QuantizedDistribution(density)
    edges = np.floor(x.numpy())
    mass = density.cdf(edges) - density.cdf(edges - 1.0)
    what = "a mass of QuantizedDistribution"
    registry.compare(case, check, what, cells.prob(edges), mass, tolerance)
