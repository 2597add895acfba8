"""The contract suite catches maps that depend on who else evaluates them, and how."""

from __future__ import annotations

import time

import tensorflow as tf

from tests.bijectors.toy_maps import Affine
from tests.testing.test_planted import must_catch
from tfp_flows import bijectors
from tfp_flows._context import is_training


class Planted(Affine):
    @classmethod
    def build(cls, dtype):
        return cls.variable(2, dtype)


class SharedState(Planted):
    """Keeps its input where another thread overwrites it, long enough to be seen."""

    @classmethod
    def build(cls, dtype):
        out = super().build(dtype)
        out.cache = False  # each call computes
        return out

    def _inverse_and_log_det(self, y):
        self._scratch = (y,)
        time.sleep(0.05)
        return super()._inverse_and_log_det(self._scratch[0])


def test_state_that_threads_share():
    must_catch("threads", SharedState.build, match="inverse.* in threads")


class Remembers(Planted):
    """Has a memory of its own, which forgets the training mode."""

    known: dict = {}  # noqa: RUF012

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        shift = 1.0 if is_training() else 0.0
        _, out = self.known.setdefault(id(y), (y, (x + shift, log_det)))
        return out


def test_memory_without_a_training_mode():
    must_catch("training_mode", Remembers.build, match="evaluation after a pass")


class Ranked(Planted):
    """Asks Python for the size of a batch."""

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return tf.reshape(x, y.shape.as_list()), log_det


def test_static_size_of_a_batch():
    must_catch("unknown_shapes", Ranked.build)


class Divides(Planted):
    """Divides a term by the number of events."""

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        share = tf.reduce_sum(self._shift) / tf.cast(tf.size(y), y.dtype)
        return x, log_det + 0.0 * share


class AtLeastOne(Planted):
    """Returns an event where it was given none."""

    def _inverse_and_log_det(self, y):
        if y.shape[0] == 0:
            y = tf.zeros([1, *y.shape[1:]], y.dtype)
        return super()._inverse_and_log_det(y)


def test_gradient_of_no_event_that_is_not_a_number():
    must_catch("empty_batch", Divides.build, match="gradient of no event")


def test_batch_that_is_never_empty():
    must_catch("empty_batch", AtLeastOne.build, match="wrong shape")


def test_training_scope_is_public():
    with bijectors.training_scope(True):
        assert is_training()
    assert not is_training()
