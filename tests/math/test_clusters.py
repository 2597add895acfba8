"""Clusters of rows."""

from __future__ import annotations

import numpy as np

from tfp_flows.math import clusters


def test_far_groups_are_told_apart_whatever_the_seed():
    rng = np.random.default_rng(0)
    which = rng.integers(3, size=300)
    x = rng.normal(size=(300, 2)) + 20.0 * np.eye(3)[which][:, :2]
    for seed in range(3):
        found = clusters.nearest(x, 3, seed)
        assert len({*zip(found, which, strict=True)}) == 3


def test_fewer_rows_than_clusters_leave_some_empty():
    found = clusters.nearest(np.zeros((2, 1)), 4)
    assert found.shape == (2,)
    assert set(found) <= set(range(4))
