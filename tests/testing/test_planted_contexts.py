"""The contract suite catches maps that depend on who else evaluates them, and how."""

from __future__ import annotations

import time

from tests.bijectors.toy_maps import Affine
from tests.testing.test_planted import must_catch
from tfp_flows import bijectors
from tfp_flows._context import is_training


class Planted(Affine):
    @classmethod
    def build(cls, dtype):
        return cls.variable(2, dtype)


class SharedState(Planted):
    """Keeps its input where another thread overwrites it."""

    def _inverse_and_log_det(self, y):
        self._scratch = (y,)
        time.sleep(1e-3)
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


def test_training_scope_is_public():
    with bijectors.training_scope(True):
        assert is_training()
    assert not is_training()
