"""Densities as smooth ratios to the normal one."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tfp_flows.math import normal
from tfp_flows.math.gaussianization import histograms, smoothing

RNG = np.random.default_rng(0)
EDGES = histograms.edges(-6.0, 6.0, 240)


def test_kernels_are_gaussian_in_the_distance_of_the_cells():
    found = smoothing.kernel(histograms.edges(0.0, 4.0, 4), 2.0)
    distance = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    np.testing.assert_allclose(found, np.exp(-(distance**2) / 8.0))


def test_ratios_have_mean_one_and_few_counts_change_nothing():
    expected = normal.cell_probabilities(EDGES)
    smoother = smoothing.kernel(EDGES, 0.3)
    counts = np.stack([np.zeros(240), RNG.integers(9, size=240), 1e9 * expected])
    found = smoothing.smooth_ratio(counts, expected, smoother)
    np.testing.assert_allclose(found @ expected, 1.0)
    np.testing.assert_allclose(found[0], 1.0)
    # The normal counts of many rows have the ratio 1.
    np.testing.assert_allclose(found[2], 1.0, rtol=1e-9)
    # One row pulls by its share of the prior rows.
    one = np.eye(240)[120]
    found = smoothing.smooth_ratio(one, expected, smoother)
    assert found[120] == found.max()
    assert 1.1 < found[120] / found[0] < 1.5 + 1e-9


def test_a_shifted_normal_is_shifted_back():
    masses = np.diff(stats.norm.cdf(EDGES - 0.5))
    ratio = masses / normal.cell_probabilities(EDGES)
    values, log_slopes = smoothing.gaussianize(ratio[np.newaxis], EDGES)
    inner = np.abs(EDGES) < 3.0
    np.testing.assert_allclose(values[0, inner], EDGES[inner] - 0.5, atol=1e-3)
    np.testing.assert_allclose(log_slopes[0, inner], 0.0, atol=2e-2)


def test_a_part_of_the_step_is_a_part_of_the_change():
    ratio = np.exp(0.4 * EDGES[:-1])[np.newaxis]
    whole, half, none = (
        smoothing.gaussianize(ratio, EDGES, step)[0][0] for step in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(none, EDGES, atol=1e-9)
    inner = np.abs(EDGES) < 2.0
    # The exponential tilts the normal distribution: its shift is the exponent.
    np.testing.assert_allclose((EDGES - whole)[inner], 0.4, atol=0.02)
    np.testing.assert_allclose((EDGES - half)[inner], 0.2, atol=0.02)


def test_slopes_of_a_layer_are_bounded():
    ratio = np.where(np.abs(EDGES[:-1]) < 0.05, 1e6, 1e-6)[np.newaxis]
    _, log_slopes = smoothing.gaussianize(ratio, EDGES)
    assert np.abs(log_slopes).max() == smoothing.LOG_SLOPE_BOUND


def test_normal_counts_are_left_unchanged():
    x = RNG.normal(size=(4000, 5))
    folds = np.arange(4000) % 5
    edges = histograms.edges(-5.0, 5.0, 200)
    counts = histograms.fold_histograms(x, folds, 5, -5.0, 5.0, 200)
    ratio, gain = smoothing.choose(counts, edges, (0.2, 0.5))
    assert gain.sum() < 2e-3
    values, log_slopes = smoothing.gaussianize(np.ones_like(ratio), edges)
    np.testing.assert_allclose(values, np.broadcast_to(edges, values.shape), atol=1e-9)
    np.testing.assert_allclose(log_slopes, 0.0, atol=1e-9)


def test_gaussianized_counts_follow_the_density():
    x = np.concatenate([RNG.normal(-1, 0.4, 4000), RNG.normal(1, 0.4, 4000)])[:, None]
    folds = RNG.permutation(8000) % 5
    edges = histograms.edges(-5.0, 5.0, 250)
    counts = histograms.fold_histograms(x, folds, 5, -5.0, 5.0, 250)
    ratio, gain = smoothing.choose(counts, edges, (0.1, 0.3, 1.0))
    assert gain[0] > 0.1
    values, log_slopes = smoothing.gaussianize(ratio, edges)
    assert np.all(np.diff(values) > 0)
    slopes = np.gradient(values[0], edges)
    inner = np.abs(edges) < 2
    np.testing.assert_allclose(slopes[inner], np.exp(log_slopes[0][inner]), rtol=0.05)
