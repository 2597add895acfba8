"""Conditional means and scales from sums over cells."""

from __future__ import annotations

import numpy as np

from tfp_flows.math.gaussianization import conditional_affine

RNG = np.random.default_rng(0)
FOLDS, CELLS = 5, 40


def counted(u, pivot):
    """Return the sums of rows in cells of equal counts of one coordinate."""
    cells = (np.argsort(np.argsort(pivot)) * CELLS) // len(pivot)
    return conditional_affine.sums(u, cells, RNG.integers(FOLDS, size=len(u)), SHAPE)


SHAPE = (FOLDS, CELLS)


def test_sums_are_those_of_the_rows_of_each_cell_and_fold():
    u, cells = RNG.normal(size=(60, 2)), RNG.integers(4, size=60)
    folds = RNG.integers(3, size=60)
    found = conditional_affine.sums(u, cells, folds, (3, 5))
    assert found.shape == (3, 5, 5)
    for fold, cell in np.ndindex(3, 5):
        rows = u[(folds == fold) & (cells == cell)]
        wanted = [len(rows), *rows.sum(axis=0), *np.square(rows).sum(axis=0)]
        np.testing.assert_allclose(found[fold, cell], wanted, atol=1e-12)
    # Shards add up, an empty one too.
    halves = [
        conditional_affine.sums(u[part], cells[part], folds[part], (3, 5))
        for part in (slice(0, 25), slice(25, 60), slice(0, 0))
    ]
    np.testing.assert_allclose(sum(halves), found, atol=1e-12)


def test_means_and_scales_that_depend_on_a_coordinate_are_found():
    pivot = RNG.normal(size=20_000)
    noise = RNG.normal(size=(20_000, 3))
    scale = np.exp(0.5 * np.tanh(pivot))
    u = np.stack([0.8 * pivot + 0.6 * noise[:, 0], scale * noise[:, 1], noise[:, 2]], 1)
    means, log_scales, gain = conditional_affine.choose(counted(u, pivot))
    centres = np.sort(pivot).reshape(CELLS, -1).mean(axis=1)
    inner = slice(4, -4)
    np.testing.assert_allclose(means[inner, 0], 0.8 * centres[inner], atol=0.1)
    np.testing.assert_allclose(log_scales[inner, 0], np.log(0.6), atol=0.08)
    np.testing.assert_allclose(
        log_scales[inner, 1], 0.5 * np.tanh(centres[inner]), atol=0.1
    )
    # What is independent stays as it is.
    np.testing.assert_array_equal(means[:, 2], 0.0)
    np.testing.assert_array_equal(log_scales[:, 2], 0.0)
    # The mutual information of the first, and the mean log-scale of the second.
    mean_log_scale = np.mean(0.5 * (scale**2 - 1.0) - np.log(scale))
    assert abs(gain - (-np.log(0.6) + mean_log_scale)) < 0.05


def test_rows_without_information_gain_nothing():
    u = RNG.normal(size=(3000, 4))
    means, log_scales, gain = conditional_affine.choose(counted(u, u[:, 0] * 0.0))
    assert gain < 2e-3
    assert np.abs(means).max() < 0.2
    assert np.abs(log_scales).max() < 0.2


def test_scales_are_bounded_for_constant_coordinates():
    pivot, u = RNG.normal(size=4000), np.zeros([4000, 1])
    _, log_scales, gain = conditional_affine.choose(counted(u, pivot))
    assert log_scales.min() >= -conditional_affine.MAX_LOG_SCALE
    assert gain > 0.1


def test_screening_promises_most_for_the_coordinate_that_rules():
    u = RNG.normal(size=(20_000, 3))
    assert conditional_affine.screen(u).max() < 0.01
    u[:, 1] = 0.6 * u[:, 1] + 0.8 * (u[:, 0] ** 2 - 1.0) / np.sqrt(2.0)
    promised = conditional_affine.screen(u)
    assert np.argmax(promised) == 0
    # Half of the squared correlation 0.8, and a quarter of the square of 0.64 times the
    # skewness of chi-squared, less what is clipped.
    assert 0.5 < promised[0] < 0.32 + 0.25 * 0.64**2 * 8.0
    assert promised[2] < 0.01
