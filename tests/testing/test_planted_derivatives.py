"""The checks of derivatives catch what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.testing import test_planted, test_planted_flows
from tfp_flows import testing


@tf.custom_gradient
def stopped(x):
    """Return `exp(x)`, whose gradient cannot be differentiated again."""
    y = tf.exp(x)
    return y, lambda upstream: upstream * tf.stop_gradient(y)


@tf.custom_gradient
def deaf(x):
    """Return `exp(x)`, whose gradient is half as steep in what it is given."""
    y = tf.stop_gradient(tf.exp(x))
    return y, lambda given: 0.5 * (given + tf.stop_gradient(given)) * tf.exp(x)


@tf.custom_gradient
def unknown(x):
    """Return `exp(x)`, with an operation in its gradient that XLA cannot compile."""

    def gradient(upstream):
        slope = tf.numpy_function(np.exp, [x], x.dtype)
        return upstream * tf.reshape(slope, tf.shape(x))

    return tf.exp(x), gradient


@tf.custom_gradient
def steep(x):
    """Return `exp(x)`, whose second derivative is right, and the third is not."""
    y = tf.exp(x)

    @tf.custom_gradient
    def slope(x):
        return tf.exp(x), lambda upstream: upstream * tf.stop_gradient(y)

    return y, lambda upstream: upstream * slope(x)


def map_with(exponential):
    class Map(test_planted.Planted):
        def _forward_and_log_det(self, x):
            y, log_det = super()._forward_and_log_det(x)
            factor = exponential(self._log_scale) / tf.exp(self._log_scale)
            return (y - self._shift) * factor + self._shift, log_det

        def _inverse_and_log_det(self, y):
            x, log_det = super()._inverse_and_log_det(y)
            return x * tf.exp(self._log_scale) / exponential(self._log_scale), log_det

    return Map


FAULTS = {
    "second_derivatives": (stopped, "second derivative of forward"),
    "forward_mode": (deaf, "forward mode of forward"),
    "xla_gradients": (unknown, None),
}


def test_faults_of_maps():
    for check, (exponential, match) in FAULTS.items():
        kind = map_with(exponential)
        testing.check_finite_gradients(testing.BijectorCase(kind.build, (2,)))
        test_planted.must_catch(check, kind.build, match=match)


def test_faults_of_third_order():
    def build(exponential):
        return lambda _: tfb.Inline(
            forward_fn=exponential,
            inverse_fn=tf.math.log,
            inverse_log_det_jacobian_fn=lambda y: -tf.math.log(y),
            forward_min_event_ndims=0,
        )

    testing.check_high_derivatives(testing.BijectorCase(build(tf.exp)))
    case = testing.BijectorCase(build(steep))
    testing.check_second_derivatives(case)
    with pytest.raises(testing.ContractError, match="order 3 of forward along a line"):
        testing.check_high_derivatives(case)


@pytest.mark.slow
def test_faults_of_flows():
    for check, (exponential, _) in FAULTS.items():

        class Flow(test_planted_flows.Planted):
            layer = map_with(exponential)

        test_planted_flows.must_catch(check, Flow)
