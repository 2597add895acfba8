"""Faults of maps in loops that the suite has to find."""

from __future__ import annotations

import itertools

from tests.bijectors.toy_maps import Affine
from tests.testing.test_planted import Planted, must_catch


class HiddenNumber(Planted):
    """Keeps a number that no argument names, and says that its arguments are all."""

    repeatable, shift_more = True, 0.0

    @classmethod
    def build(cls, dtype):
        out = super().build(dtype)
        out.shift_more = 1.0
        return out

    def _forward_and_log_det(self, x):
        y, log_det = super()._forward_and_log_det(x)
        return y + self.shift_more, log_det

    def _inverse_and_log_det(self, y):
        return super()._inverse_and_log_det(y - self.shift_more)


def test_loop_over_maps_that_keep_more_than_their_tensors():
    must_catch("loop", HiddenNumber.build, match="inverse: relative error")


class NoTwoAlike(Planted):
    """Says that it is repeatable, in forms of which no two are of one kind."""

    repeatable, sizes = True, itertools.count(2)

    def loop_form(self):
        return Affine.variable(next(self.sizes), self.dtype)


def test_equal_maps_that_no_loop_goes_through():
    must_catch("loop", NoTwoAlike.build, match="not taken for its equal")
