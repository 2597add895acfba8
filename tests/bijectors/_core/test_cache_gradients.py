"""The memory of maps and gradients: a served pair is on every tape it should be on."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.bijectors.toy_maps import Affine, Scale, Shear, scale

X = tf.constant([[0.3, -1.2], [2.0, 0.7]])


def test_pair_from_before_the_tape_has_its_gradients():
    bijector = scale(0.5)
    y = bijector.forward(X)
    with tf.GradientTape() as tape:
        log_det = tf.reduce_sum(bijector.forward_log_det_jacobian(X, 1))
    assert float(tape.gradient(log_det, bijector._log_scale)) == 4.0
    del y


def test_second_tape_on_a_reused_batch_has_its_gradients():
    bijector = scale(0.5)
    kept = []
    for _ in range(3):
        with tf.GradientTape() as tape:
            x = bijector.inverse(X)
            kept.append(x)
            loss = tf.reduce_sum(x**2) / 2 - tf.reduce_sum(
                bijector.inverse_log_det_jacobian(X, 1)
            )
        found = tape.gradient(loss, bijector._log_scale)
        np.testing.assert_allclose(found, 4 - tf.reduce_sum(kept[-1] ** 2), rtol=1e-5)


def test_tape_that_watches_only_another_variable_has_its_gradients():
    bijector = Affine(tf.Variable([0.5, 0.5]), tf.Variable([0.0, 0.0]))
    y = bijector.forward(X)
    for variable in bijector.trainable_variables:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variable)
            x = bijector.inverse(y)
            loss = tf.reduce_sum(x)
        assert tape.gradient(loss, variable) is not None


def test_tape_that_watches_a_parameter_tensor_has_its_gradients():
    log_scale = tf.constant(0.5)
    bijector = Scale(log_scale)
    y = bijector.forward(X)
    with tf.GradientTape() as tape:
        tape.watch(log_scale)
        log_det = tf.reduce_sum(bijector.inverse_log_det_jacobian(y, 1))
    assert tape.gradient(log_det, log_scale) is not None


def test_tape_that_watches_the_condition_has_its_gradients():
    bijector = Shear.build(condition_shape=(3,))
    for variable in bijector.variables:
        variable._trainable = False
    condition = tf.zeros([3])
    y = bijector.forward(X, condition=condition)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(condition)
        log_det = bijector.inverse_log_det_jacobian(y, 1, condition=condition)
    assert tape.gradient(log_det, condition) is not None


def test_score_of_a_sample_that_a_later_tape_watches():
    bijector = scale(0.5)
    flow = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), bijector)
    y = flow.sample([4], seed=[1, 2])
    with tf.GradientTape() as tape:
        tape.watch(y)
        log_prob = flow.log_prob(y)
    score, slope = tape.gradient(log_prob, [y, bijector._log_scale])
    assert score is not None
    np.testing.assert_allclose(score, -y * np.exp(-1.0), rtol=1e-5)
    np.testing.assert_allclose(slope, tf.reduce_sum(y**2) * np.exp(-1.0) - 4, rtol=1e-5)


def test_forward_accumulator_sees_a_pair_from_before():
    bijector = scale(0.5)
    y = bijector.forward(X)
    ones = tf.ones_like(X)
    with tf.autodiff.ForwardAccumulator(X, ones) as accumulator:
        again = bijector.forward(X)
    tangent = accumulator.jvp(again)
    assert tangent is not None
    np.testing.assert_allclose(tangent, ones * np.exp(0.5), rtol=1e-6)
    del y


def test_stopped_recording_does_not_spoil_a_later_gradient():
    bijector = scale(0.5)
    with tf.GradientTape() as tape:
        with tape.stop_recording():
            y = bijector.forward(X)
        log_det = tf.reduce_sum(bijector.forward_log_det_jacobian(X, 1))
    assert float(tape.gradient(log_det, bijector._log_scale)) == 4.0
    del y


@pytest.mark.slow
def test_full_batch_adam_on_one_eager_batch_ends_at_the_deviation():
    data = tf.random.stateless_normal([500], [0, 3]) * 3.5
    wanted = float(tf.sqrt(tf.reduce_mean(data**2)))
    bijector = scale(0.0)
    flow = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), bijector)
    optimizer = keras.optimizers.Adam(0.1)
    variable = keras.Variable(bijector._log_scale)
    outputs = []
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(data))
        outputs.append(bijector.inverse(data))  # keeps the last pair alive
        gradient = tape.gradient(loss, bijector._log_scale)
        optimizer.apply([gradient], [variable])
    assert abs(float(tf.exp(bijector._log_scale)) - wanted) < 1e-2


@pytest.mark.parametrize("outer", ["persistent", "two"])
@pytest.mark.parametrize("inner", ["tape", "accumulator"])
def test_recorder_opened_inside_tapes_that_cannot_be_counted(outer, inner):
    bijector = scale(0.5)
    with contextlib.ExitStack() as stack:
        for _ in range(1 if outer == "persistent" else 2):
            tape = tf.GradientTape(persistent=outer == "persistent")
            stack.enter_context(tape).watch(X)
        kept = bijector.forward(X)
        if inner == "tape":
            with tf.GradientTape() as later:
                later.watch(X)
                y = bijector.forward(X)
            slope = later.gradient(y, X)
        else:
            with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as later:
                y = bijector.forward(X)
            slope = later.jvp(y)
        del kept
    assert slope is not None
    np.testing.assert_allclose(slope, tf.ones_like(X) * np.exp(0.5), rtol=1e-6)
