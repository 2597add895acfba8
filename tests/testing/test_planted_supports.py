"""Faults of directions and supports of maps that the suite has to find."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tests.bijectors.toy_maps import Affine
from tests.testing.test_planted import must_catch
from tfp_flows.bijectors import Bijector, Chain


class SaysItIncreases(Affine):
    """A map of one coordinate that flips it."""

    @classmethod
    def build(cls, dtype):
        return Chain([cls.variable(1, dtype), tfb.Scale(tf.constant(-1.0, dtype))])

    def _is_increasing(self):
        return False


def test_wrong_direction():
    must_catch("is_increasing", SaysItIncreases.build, (1,), "what it says")


def test_direction_that_is_not_said():
    def build(dtype):
        return Affine.variable(1, dtype)

    must_catch("is_increasing", build, (1,), "does not say")


class Half(Bijector):
    """The line to (0, 1), without a word about what lies beyond."""

    def __init__(self, name="half"):
        parameters = dict(locals())
        super().__init__(forward_min_event_ndims=0, parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        return tf.sigmoid(x), -tf.nn.softplus(x) - tf.nn.softplus(-x)

    def _inverse_and_log_det(self, y):
        y = tf.clip_by_value(y, 1e-6, 1 - 1e-6)
        return tf.math.log(y) - tf.math.log1p(-y), -tf.math.log(y) - tf.math.log1p(-y)


def test_density_beyond_the_support():
    must_catch("support", lambda _: Half(), (), "below", codomain=(0.0, 1.0))


def test_infinite_intermediate_number():
    class Clipped(Affine):
        def _inverse_and_log_det(self, y):
            x, log_det = super()._inverse_and_log_det(y)
            return x, log_det + tf.exp(-tf.exp(1e3 * tf.ones_like(log_det)))

    def build(dtype):
        return Clipped.variable(2, dtype)

    must_catch("numerics", build, match="number of inverse")
