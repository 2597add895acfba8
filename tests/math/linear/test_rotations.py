"""Orthogonal matrices: random ones, and from data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from tfp_flows.math.linear import rotations


def test_polar_factors_are_the_nearest_orthonormal_rows():
    rng = np.random.default_rng(0)
    square = rng.normal(size=(4, 4))
    np.testing.assert_allclose(
        rotations.polar(square), linalg.polar(square)[0], atol=1e-12
    )
    flat = rng.normal(size=(2, 4))
    found = rotations.polar(flat)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    # Of all orthonormal rows these have the largest inner product with the matrix.
    assert np.sum(found * flat) >= np.linalg.svd(flat)[1].sum() - 1e-12


def test_random_rotations_have_the_traces_of_the_uniform_distribution():
    # Its traces have mean 0 and mean square 1; half of all are reflections.
    rng = np.random.default_rng(0)
    drawn = np.stack([rotations.haar(3, rng) for _ in range(2000)])
    np.testing.assert_allclose(
        drawn @ np.transpose(drawn, [0, 2, 1]),
        np.broadcast_to(np.eye(3), drawn.shape),
        atol=1e-12,
    )
    traces = np.trace(drawn, axis1=1, axis2=2)
    assert abs(traces.mean()) < 0.08
    assert abs(np.mean(traces**2) - 1.0) < 0.12
    assert abs(np.linalg.det(drawn).mean()) < 0.08


def test_principal_directions_have_falling_variances():
    rng = np.random.default_rng(1)
    turn = rotations.haar(4, rng)
    covariance = (turn * [1.0, 9.0, 0.1, 4.0]) @ turn.T
    found = rotations.pca(covariance)
    rotated = found @ covariance @ found.T
    np.testing.assert_allclose(rotated, np.diag([9.0, 4.0, 1.0, 0.1]), atol=1e-12)


def test_components_of_data_are_an_orthogonal_matrix():
    rng = np.random.default_rng(1)
    x = rng.laplace(size=(500, 4)) @ rng.normal(size=(4, 4))
    for start in (None, np.eye(4)):
        turn = rotations.ica(x, rng, start=start)
        np.testing.assert_allclose(turn @ turn.T, np.eye(4), atol=1e-10)
    flat = np.concatenate([x, np.ones([500, 1])], axis=1)
    assert np.all(np.isfinite(rotations.ica(flat, rng)))


@pytest.mark.parametrize(("axis", "offset"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_neighbours_pair_pixels_by_sums_and_differences(axis, offset):
    turn = rotations.neighbours(3, 4, axis=axis, offset=offset)
    np.testing.assert_allclose(turn @ turn.T, np.eye(12), atol=1e-12)
    # A constant image has sums only: zeros where differences are.
    flat = np.round(turn @ np.ones(12), 6)
    pairs = {(0, 0): 4, (0, 1): 4, (1, 0): 6, (1, 1): 3}[axis, offset]
    assert np.sum(flat == 0) == pairs
    assert np.sum(flat == np.round(np.sqrt(2), 6)) == pairs
    assert np.sum(flat == 1) == 12 - 2 * pairs
    image = turn[offset * (4 if axis == 0 else 1)].reshape(3, 4)
    assert set(zip(*np.nonzero(image), strict=True)) == (
        {(offset, 0), (offset + 1, 0)} if axis == 0 else {(0, offset), (0, offset + 1)}
    )


def angles(turn, mixing):
    """Return the angles of sources to the nearest directions found."""
    return np.arccos(np.minimum(np.abs(turn @ mixing).max(axis=0), 1.0))


@pytest.mark.parametrize(
    ("noise", "largest"), [("uniform", 0.012), ("laplace", 0.04), ("student", 0.06)]
)
def test_components_are_found_by_what_their_distribution_allows(noise, largest):
    # With `log(cosh(u))` for all, uniform sources are found to 0.016.
    rng = np.random.default_rng(4)
    draw = {
        "uniform": lambda shape: rng.uniform(size=shape),
        "laplace": lambda shape: rng.laplace(size=shape),
        "student": lambda shape: rng.standard_t(4, size=shape),
    }[noise]
    sources = draw((10_000, 6))
    sources = (sources - sources.mean(axis=0)) / sources.std(axis=0)
    mixing = rotations.haar(6, rng)
    turn = rotations.ica((sources @ mixing.T).astype("float32"), rng)
    assert np.sqrt(np.mean(angles(turn, mixing) ** 2)) < largest


def test_normal_sources_do_not_spoil_the_others():
    rng = np.random.default_rng(5)
    sources = rng.uniform(-np.sqrt(3), np.sqrt(3), size=(10_000, 4))
    sources = np.concatenate([sources, rng.normal(size=(10_000, 4))], axis=1)
    mixing = rotations.haar(8, rng)
    turn = rotations.ica(sources @ mixing.T, rng)
    assert angles(turn, mixing)[:4].max() < 0.02
