"""Directions of a large sliced Wasserstein distance."""

from __future__ import annotations

import numpy as np

from tfp_flows.math.gaussianization import sliced
from tfp_flows.math.linear import rotations


def test_displacements_are_those_of_optimal_maps():
    # From a normal distribution the optimal map is affine.
    u = np.random.default_rng(0).normal(size=(50_000, 1))
    for shift, scale in ((0.5, 1.0), (0.0, 1.5)):
        moved = sliced.displacement(shift + scale * u, 8.0, 400)
        inner = np.abs(u) < 2.0
        wanted = shift + (scale - 1.0) * u
        np.testing.assert_allclose(moved[inner], wanted[inner], atol=0.06)
        distance = shift**2 + (scale - 1.0) ** 2
        np.testing.assert_allclose(np.mean(moved**2), distance, rtol=0.1)


def test_displacement_of_normal_data_is_small_and_of_others_not():
    rng = np.random.default_rng(3)
    normal_data = sliced.displacement(rng.normal(size=(5000, 2)), 5.0)
    other = sliced.displacement(rng.exponential(size=(5000, 2)) - 1, 5.0)
    assert np.mean(normal_data**2) < 0.005
    assert np.mean(other**2) > 0.05


def test_the_direction_that_is_not_normal_is_found():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8000, 4))
    x[:, 0] = np.where(x[:, 0] > 0, 1.0, -1.0) + 0.1 * x[:, 0]
    turn = rotations.haar(4, rng)
    found = sliced.directions(x @ turn.T, 1, rng)
    np.testing.assert_allclose(found @ found.T, [[1.0]])
    assert np.abs(found[0] @ turn[:, 0]) > 0.98


def test_samples_are_farthest_apart_along_their_shift():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 3000, 3))
    way = np.array([2.0, -1.0, 2.0]) / 3.0
    found = sliced.pair_directions(x + 3.0 * way, y, 2, rng)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-10)
    # The shift lies in the plane of both directions.
    assert np.sum(np.square(found @ way)) > 0.98


def test_directions_are_completed_to_an_orthogonal_matrix():
    rng = np.random.default_rng(3)
    first = rotations.haar(5, rng)[:2]
    whole = sliced.complete(first, rng)
    np.testing.assert_array_equal(whole[:2], first)
    np.testing.assert_allclose(whole @ whole.T, np.eye(5), atol=1e-10)
    square = rotations.haar(3, rng)
    assert sliced.complete(square, rng) is square
