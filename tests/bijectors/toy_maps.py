"""Small maps with all the traits of real ones, for tests of what is made of maps."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors._core import base


def noise(shape, dtype, seed):
    """Draw in float64, so that maps of both dtypes are twins."""
    values = tf.random.stateless_normal(shape, [seed, 0], dtype=tf.float64)
    return tf.cast(values, dtype)


class PlainNet(tf.Module):
    """One hidden layer; what a user may write, and no composite tensor."""

    def __init__(self, w1, b1, w2, name="net"):
        tf.Module.__init__(self, name=name)
        self.w1, self.b1, self.w2 = w1, b1, w2
        self.calls = 0

    @classmethod
    def build(cls, inputs, outputs, dtype="float32", seed=0):
        return cls(
            tf.Variable(noise([inputs, 5], dtype, seed), name="w1"),
            tf.Variable(noise([5], dtype, seed + 1), name="b1"),
            tf.Variable(noise([5, outputs], dtype, seed + 2), name="w2"),
        )

    def __call__(self, x):
        self.calls += 1
        # Bounded: it may be asked far outside its training range, and at infinity.
        x = x / (1 + tf.abs(tf.clip_by_value(x, -1e6, 1e6)))
        x = tf.clip_by_value(x, -1.0, 1.0)
        hidden = tf.tanh(tf.linalg.matvec(self.w1, x, transpose_a=True) + self.b1)
        return tf.tanh(tf.linalg.matvec(self.w2, hidden, transpose_a=True))


@tfp.experimental.auto_composite_tensor(omit_kwargs=("name",), module_name="tests")
class Net(tfp.experimental.AutoCompositeTensor, PlainNet):
    """The same network as a composite tensor."""


class Affine(base.Bijector):
    """`y = x * exp(log_scale) + shift`, one of each per coordinate."""

    def __init__(self, log_scale, shift, *, validate_args=False, name="affine"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._log_scale = log_scale
            self._shift = shift
            super().__init__(
                event_shape=tuple(shift.shape[-1:]),
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                dtype=shift.dtype,
                name=name,
            )

    @classmethod
    def variable(cls, size, dtype="float32", seed=0):
        return cls(
            tf.Variable(noise([size], dtype, seed), name="log_scale"),
            tf.Variable(noise([size], dtype, seed + 1), name="shift"),
        )

    def _forward_and_log_det(self, x):
        log_det = tf.reduce_sum(self._log_scale + tf.zeros_like(x), -1)
        return x * tf.exp(self._log_scale) + self._shift, log_det

    def _inverse_and_log_det(self, y):
        log_det = -tf.reduce_sum(self._log_scale + tf.zeros_like(y), -1)
        return (y - self._shift) * tf.exp(-self._log_scale), log_det


class Shear(base.Bijector):
    """Coupling of the second coordinate to the first one, and to a condition."""

    def __init__(
        self,
        net,
        *,
        condition_shape=None,
        flip=False,
        validate_args=False,
        name="shear",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._net = net
            self._flip = flip
            super().__init__(
                event_shape=(2,),
                condition_shape=condition_shape,
                validate_args=validate_args,
                parameters=parameters,
                dtype=net.w1.dtype,
                name=name,
            )

    @classmethod
    def build(
        cls, dtype="float32", condition_shape=None, seed=0, *, flip=False, net=Net
    ):
        inputs = 1 + (condition_shape[0] if condition_shape else 0)
        net = net.build(inputs, 2, dtype, seed)
        return cls(net, condition_shape=condition_shape, flip=flip)

    def _split(self, x, condition):
        first, second = x[..., :1], x[..., 1:]
        if self._flip:
            first, second = second, first
        given = first
        if condition is not None:
            leading = tf.broadcast_dynamic_shape(
                tf.shape(first)[:-1], tf.shape(condition)[:-1]
            )
            first = tf.broadcast_to(first, tf.concat([leading, [1]], 0))
            second = tf.broadcast_to(second, tf.concat([leading, [1]], 0))
            size = condition.shape[-1]
            condition = tf.broadcast_to(condition, tf.concat([leading, [size]], 0))
            given = tf.concat([first, condition], -1)
        log_scale, shift = tf.split(self._net(given), 2, axis=-1)
        return first, second, log_scale, shift

    def _join(self, first, second):
        return tf.concat([second, first] if self._flip else [first, second], -1)

    def _forward_and_log_det(self, x, condition=None):
        first, second, log_scale, shift = self._split(x, condition)
        second = second * tf.exp(log_scale) + shift
        return self._join(first, second), log_scale[..., 0]

    def _inverse_and_log_det(self, y, condition=None):
        first, second, log_scale, shift = self._split(y, condition)
        second = (second - shift) * tf.exp(-log_scale)
        return self._join(first, second), -log_scale[..., 0]


class Scale(base.Bijector):
    """`y = x * exp(log_scale)` with one variable; counts its evaluations."""

    def __init__(self, log_scale, *, validate_args=False, name="scale"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._log_scale = log_scale
            self.calls = 0
            super().__init__(
                forward_min_event_ndims=0,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    def _forward_and_log_det(self, x):
        self.calls += 1
        return x * tf.exp(self._log_scale), self._log_scale + tf.zeros_like(x)

    def _inverse_and_log_det(self, y):
        self.calls += 1
        return y * tf.exp(-self._log_scale), tf.zeros_like(y) - self._log_scale


def scale(value=0.5):
    return Scale(tf.Variable(value, name="log_scale"))
