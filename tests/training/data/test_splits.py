"""Rows held out by a fit: equal rows stay together."""

from __future__ import annotations

import numpy as np
import pytest

from tests.flows import small
from tfp_flows.training.data import arrays


@pytest.mark.parametrize("given", [False, True])
def test_equal_rows_are_all_held_out_or_none(given):
    x = np.repeat(small.table(100), [1, 2, 3, 4] * 25, axis=0)
    condition = np.repeat(np.arange(100.0), [1, 2, 3, 4] * 25) if given else None
    train, held_out = arrays.split(arrays.Data(x, condition), 0.1, 0)
    assert (len(train), len(held_out)) == (225, 25)
    known = {row.tobytes() for row in train.x}
    assert not any(row.tobytes() in known for row in held_out.x)


def test_equal_events_of_other_conditions_are_other_rows():
    events = np.zeros([50, 1])
    train, held_out = arrays.split(arrays.Data(events, np.arange(50.0)), 0.1, 0)
    wanted = np.sort(np.random.default_rng(0).permutation(50)[:5])
    assert held_out.condition.ravel().tolist() == wanted.tolist()
    assert len(train) == 45
