"""Directions of the largest gain."""

from __future__ import annotations

import numpy as np

from tfp_flows.math.gaussianization import pursuit
from tfp_flows.math.linear import rotations


def rotated(size=2, rows=4000, seed=0):
    """Return uniform sources, rotated, and their mixing."""
    rng = np.random.default_rng(seed)
    sources = rng.uniform(-np.sqrt(3), np.sqrt(3), size=(rows, size))
    mixing = rotations.haar(size, rng)
    return sources @ mixing.T, mixing


def test_climbing_finds_the_sources_from_a_start_off_them():
    x, mixing = rotated()
    angle = 0.35
    off = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = pursuit.climb(x, off @ mixing.T)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-10)
    assert np.abs(found @ mixing).max(axis=1).min() > 0.995
    assert np.abs(off).max(axis=1).min() < 0.95


def test_steps_are_antisymmetric_and_bounded():
    x, _ = rotated(3)
    scores = np.random.default_rng(1).normal(size=(3, pursuit.NUM_CELLS))
    step = pursuit._step(x, 50.0 * scores, 5.0)
    np.testing.assert_allclose(step, -step.T, atol=1e-12)
    assert np.abs(step).max() <= pursuit.LONGEST + 1e-12


def test_normal_data_stay_where_they_are():
    x = np.random.default_rng(2).normal(size=(20_000, 3))
    start = rotations.haar(3, np.random.default_rng(3))
    found = pursuit.climb(x, start, max_steps=2, tolerance=0.01)
    # One step at most, since none gains.
    assert np.abs(np.diag(found @ start.T)).min() > 0.8
