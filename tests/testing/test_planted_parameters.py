"""Planted defects of parameters, slices and pickles, each caught by its check."""

from __future__ import annotations

import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tests.bijectors.toy_maps import noise
from tests.testing.test_planted import must_catch
from tests.testing.test_planted_flows import Planted
from tests.testing.test_planted_flows import must_catch as must_catch_flow
from tfp_flows import testing
from tfp_flows.bijectors import Bijector

NEW = ("trained_parameters", "parameter_properties", "slicing", "pickle")


class Scale(Bijector):
    """`y = x * scale`, one positive scale for each coordinate."""

    event_ndims = 1
    constraint = tfb.Softplus

    def __init__(self, scale, *, validate_args=False, name="scale"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._scale = self.keep(scale)
            super().__init__(
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    def keep(self, scale):
        return scale.value if hasattr(scale, "regularizer") else scale

    @property
    def scale(self):
        return self._scale

    @classmethod
    def build(cls, dtype):
        return cls(tf.Variable(tf.exp(noise([2], dtype, 3)), name="scale"))

    @classmethod
    def _parameter_properties(cls, dtype):
        return {
            "scale": tfp.util.ParameterProperties(
                event_ndims=cls.event_ndims,
                default_constraining_bijector_fn=cls.constraint,
            )
        }

    def _log_det(self, value):
        log_scale = tf.math.log(tf.convert_to_tensor(self._scale))
        return tf.reduce_sum(log_scale + tf.zeros_like(value), -1)

    def _forward_and_log_det(self, x):
        return x * self._scale, self._log_det(x)

    def _inverse_and_log_det(self, y):
        return y / self._scale, -self._log_det(y)


@pytest.mark.parametrize("check", NEW)
def test_map_without_a_defect_passes(check):
    testing.checks()[check](testing.BijectorCase(Scale.build, (2,)))


class Frozen(Scale):
    def keep(self, scale):
        return tf.convert_to_tensor(scale)


def test_parameter_that_is_frozen():
    must_catch("trained_parameters", Frozen.build, match="gets no gradient")


class ReadOnce(Scale):
    def keep(self, scale):
        self._read = tf.convert_to_tensor(scale)
        return super().keep(scale)

    def _forward_and_log_det(self, x):
        return x * self._read, self._log_det(x)


def test_parameter_that_is_read_once():
    must_catch("trained_parameters", ReadOnce.build, match="after an update")


class Free(Scale):
    constraint = tfb.Identity


def test_positive_parameter_that_is_stated_to_be_free():
    must_catch("parameter_properties", Free.build, match="log-det with any scale")


class WrongRank(Scale):
    event_ndims = 0


def test_wrong_rank_of_a_parameter():
    must_catch("slicing", WrongRank.build, match="a batch of")


class Unpicklable(Scale):
    def __init__(self, scale, name="unpicklable"):
        super().__init__(scale, name=name)
        self._function = lambda x: x


def test_map_that_does_not_pickle():
    must_catch("pickle", Unpicklable.build, match="pickle")


class Detached(Scale):
    def __reduce__(self):
        return _detached, (self.scale.numpy(),)


def _detached(scale):
    twin = Detached(tf.Variable(scale))
    twin._scale = tf.constant(scale)
    twin.kept = tf.Variable(scale)
    return twin


def test_pickle_that_no_longer_trains():
    must_catch("pickle", Detached.build, match="does not depend on all|another number")


def test_distribution_that_takes_any_index():
    class Flow(Planted):
        def distribution(self, condition=None):
            return tfd.TransformedDistribution(self.base.distribution(), self._stack)

    must_catch_flow("slicing", Flow, "IndexError|InvalidArgumentError")


def test_flow_that_does_not_pickle():
    class Layer(Planted.layer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._function = lambda x: x

    class Flow(Planted):
        layer = Layer

    must_catch_flow("pickle", Flow, "pickle")
