"""Histograms of all features at once."""

from __future__ import annotations

import numpy as np

from tfp_flows.math.gaussianization import histograms

RNG = np.random.default_rng(0)


def test_histograms_of_shards_add_up_to_that_of_the_whole():
    x = RNG.normal(size=(1000, 3))
    whole = histograms.histogram(x, -4.0, 4.0, 50)
    shards = [histograms.histogram(s, -4.0, 4.0, 50) for s in np.split(x, [100, 650])]
    np.testing.assert_array_equal(sum(shards), whole)
    folds = RNG.integers(5, size=1000)
    parts = histograms.fold_histograms(x, folds, 5, -4.0, 4.0, 50)
    np.testing.assert_array_equal(parts.sum(axis=0), whole)
    assert whole.sum(axis=1).tolist() == [1000.0] * 3


def test_histogram_counts_each_feature_in_its_own_row():
    x = np.array([[0.1, 9.0], [0.6, -9.0]])
    counts = histograms.histogram(x, 0.0, 1.0, 2)
    np.testing.assert_array_equal(counts, [[1, 1], [1, 1]])
    weighted = histograms.histogram(x, 0.0, 1.0, 2, np.array([2.0, 3.0]))
    np.testing.assert_array_equal(weighted, [[2, 3], [3, 2]])


def test_counts_are_those_of_numpy_on_grids_of_their_own():
    x, low, high = RNG.normal(size=(500, 2)), [-4.0, -5.0], np.array([4.5, 6.0])
    weights = RNG.uniform(size=500)
    for given in (None, weights):
        found = histograms.histogram(x, np.array(low), high, 20, given)
        for feature in range(2):
            grid = low[feature], high[feature]
            wanted, edges = np.histogram(x[:, feature], 20, grid, weights=given)
            np.testing.assert_allclose(found[feature], wanted)
            np.testing.assert_allclose(histograms.edges(*grid, 20), edges)


def test_folds_have_the_histograms_of_their_rows():
    x, folds = RNG.normal(size=(300, 2)), RNG.integers(3, size=300)
    weights = RNG.uniform(size=300)
    parts = histograms.fold_histograms(x, folds, 3, -3.0, 3.0, 10, weights)
    for fold, found in enumerate(parts):
        rows = folds == fold
        wanted = histograms.histogram(x[rows], -3.0, 3.0, 10, weights[rows])
        np.testing.assert_allclose(found, wanted)
