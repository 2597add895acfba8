"""The memory of maps: threads, the training mode, and conditions that change."""

from __future__ import annotations

import sys
import threading
import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.bijectors.toy_maps import Scale, Shear, scale
from tfp_flows import _tapes
from tfp_flows.bijectors import (
    BatchNorm,
    training_scope,
)

X = tf.constant([[0.3, -1.2], [2.0, 0.7]])


def test_threads_that_share_a_tensor_all_get_the_inverse():
    bijector, y, bad = scale(), tf.ones([6]), []

    def work():
        bad.extend(1 for _ in range(200) if bijector.inverse(y) is None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not bad


def test_write_of_another_thread_during_an_evaluation_is_seen():
    class Interrupted(Scale):
        def _forward_and_log_det(self, x):
            out = super()._forward_and_log_det(x)
            if self.calls == 1:
                writer = threading.Thread(target=lambda: self._log_scale.assign(1.0))
                writer.start()
                writer.join()
            return out

    bijector = Interrupted(tf.Variable(0.0))
    y = bijector.forward(X)
    np.testing.assert_allclose(bijector.forward(X), X * np.exp(1.0), rtol=1e-6)
    del y


def test_pass_of_one_training_mode_is_not_served_in_the_other():
    norm = BatchNorm.trainable(2)
    norm.adapt([[0.0, 1.0], [2.0, 5.0], [1.0, 1.0]])
    y = tf.constant([[0.0, 1.0], [4.0, 5.0], [1.0, 9.0]])
    with training_scope(True):
        kept = norm.inverse(y)
        mean = norm.moving_mean.numpy()
        assert norm.inverse(y) is kept
    found = norm.inverse(y)
    np.testing.assert_allclose(found, norm.inverse(tf.identity(y)), rtol=1e-6)
    np.testing.assert_array_equal(norm.moving_mean, mean)
    with training_scope(True):
        assert norm.inverse(y) is kept


@pytest.mark.parametrize("traced", [False, True])
def test_condition_that_is_a_variable_is_read_again(traced):
    bijector, condition = Shear.build(condition_shape=(3,)), tf.Variable(tf.zeros([3]))

    def both(x):
        first = bijector.forward(x, condition=condition)
        condition.assign(tf.ones([3]))
        again = bijector.forward(x, condition=condition)
        return first, again

    both = tf.function(both, autograph=False) if traced else both
    first, again = both(X)
    fresh = bijector.forward(X, condition=tf.ones([3]))
    np.testing.assert_allclose(again, fresh, rtol=1e-6)
    assert np.max(np.abs(first - again)) > 1e-3


@pytest.mark.parametrize(
    "missing", [("_gradient_types",), ("_gradient_types", "_is_idle")]
)
def test_a_release_that_hides_tapes_is_warned_of_once(missing, monkeypatch):
    for name in missing:
        monkeypatch.setattr(_tapes, name, None)
    _tapes._warn_once.cache_clear()
    shear = Shear.build(seed=0, flip=False)
    x = tf.constant([[0.3, -0.2]])

    def value_and_gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = shear.forward(x)
            total = tf.reduce_sum(shear.inverse_log_det_jacobian(y, 1))
        return total.numpy(), tape.gradient(total, x).numpy()

    with pytest.warns(RuntimeWarning, match="report this version"):
        first = value_and_gradient()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = value_and_gradient()
    monkeypatch.undo()
    for wanted, *others in zip(value_and_gradient(), first, again, strict=True):
        for other in others:
            np.testing.assert_allclose(other, wanted, rtol=1e-6)
