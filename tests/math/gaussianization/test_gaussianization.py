"""Statistics of a greedy Gaussianization: counts, tables, tails, rotations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows.math import normal
from tfp_flows.math.gaussianization import (
    components,
    histograms,
    pursuit,
    quantiles,
    rosenblatt,
    sliced,
    smoothing,
)
from tfp_flows.math.linear import rotations
from tfp_flows.math.splines import tables

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_quantile_inverts_both_tails(dtype):
    x = tf.constant(np.linspace(-8, 8, 65), dtype)
    back = normal.quantile(*normal.tails(x))
    tolerance = 2e-5 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(back, x, rtol=tolerance, atol=tolerance)


def test_quantiles_of_arrays_of_any_shape_are_those_of_tensors():
    for shape in ((), (5,), (3, 4)):
        below = RNG.uniform(0.0, 1.0, size=shape) ** 20
        want = normal.quantile(tf.constant(below), tf.constant(1.0 - below))
        found = normal.quantiles_of_arrays(below, 1.0 - below)
        np.testing.assert_allclose(found, want, rtol=1e-12)


def test_cells_of_the_normal_law_sum_to_one():
    cells = normal.cell_probabilities(np.linspace(-9, 9, 100))
    assert abs(cells.sum() - 1) < 1e-14
    assert cells.min() > 0


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


def test_pareto_fit_finds_the_shape():
    for shape in (-0.5, 0.3):
        u = RNG.uniform(size=(20_000, 2))
        x = np.sort((u**-shape - 1) / shape, axis=0)
        found, scale = quantiles.fit_pareto(x)
        np.testing.assert_allclose(found, shape, atol=0.06)
        np.testing.assert_allclose(scale, 1.0, atol=0.06)


def test_quantile_knots_increase_even_with_ties():
    x = np.sort(RNG.integers(0, 3, size=(200, 4)).astype(float), axis=0)
    knots, values, log_slopes = quantiles.quantile_knots(x, 16, 32)
    assert knots.shape == values.shape == log_slopes.shape == (4, 33)
    assert np.all(np.diff(knots) > 0)
    assert np.all(np.diff(values) > 0)
    assert np.all(np.isfinite(log_slopes))


def test_table_inverts_and_has_the_slope_of_autodiff():
    x_knots = np.cumsum(RNG.uniform(0.1, 1, size=(3, 8)), axis=1) - 2
    y_knots = np.cumsum(RNG.uniform(0.1, 1, size=(3, 8)), axis=1) - 2
    slopes = RNG.uniform(0.3, 3, size=(3, 8))
    given = [tf.constant(t) for t in (x_knots, y_knots, slopes)]
    x = tf.constant(RNG.normal(size=(50, 3)) * 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_det = tables.evaluate(x, *given)
    np.testing.assert_allclose(tf.math.log(tape.gradient(y, x)), log_det, atol=1e-9)
    back, inverse = tables.invert(y, *given)
    np.testing.assert_allclose(back, x, atol=1e-10)
    np.testing.assert_allclose(inverse, -log_det, atol=1e-9)


def test_bins_are_found_as_searchsorted_finds_them():
    for bins in (1, 2, 3, 7, 8, 9, 64):
        knots = np.sort(RNG.normal(size=(2, bins + 1)), axis=1)
        x = np.concatenate([RNG.normal(size=(40, 2)), knots.T])
        found = tables.bin_index(tf.constant(x), tf.constant(knots)).numpy()
        for feature in range(2):
            wanted = np.searchsorted(knots[feature], x[:, feature], "right") - 1
            np.testing.assert_array_equal(
                found[:, feature], np.clip(wanted, 0, bins - 1)
            )


def test_rotations_are_orthogonal():
    rng = np.random.default_rng(1)
    x = rng.laplace(size=(500, 4))
    for turn in (
        rotations.haar(4, rng),
        rotations.pca(np.cov(x.T)),
        rotations.ica(x, rng),
        pursuit.climb(x, np.eye(4), max_steps=3),
        sliced.complete(sliced.directions(x, 2, rng), rng),
    ):
        np.testing.assert_allclose(turn @ turn.T, np.eye(4), atol=1e-10)


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


def test_components_and_sliced_directions_find_the_sources():
    rng = np.random.default_rng(2)
    sources = rng.uniform(-np.sqrt(3), np.sqrt(3), size=(4000, 3))
    mixing = rotations.haar(3, rng)
    x = sources @ mixing.T
    for turn in (
        rotations.ica(x, rng),
        pursuit.climb(x, rotations.ica(x, rng)),
    ):
        found = np.abs(turn @ mixing).max(axis=1)
        assert found.min() > 0.99


def test_displacement_of_normal_data_is_small_and_of_others_not():
    rng = np.random.default_rng(3)
    normal_data = sliced.displacement(rng.normal(size=(5000, 2)), 5.0)
    other = sliced.displacement(rng.exponential(size=(5000, 2)) - 1, 5.0)
    assert np.mean(normal_data**2) < 0.005
    assert np.mean(other**2) > 0.05


def test_background_keeps_the_map_of_a_mixture_from_going_flat_far_out():
    rng = np.random.default_rng(3)
    factors = np.tril(rng.normal(size=(3, 3, 3)), -1) + 3.0 * np.eye(3)
    narrow = components.Components(np.zeros(3), 2.0 * np.eye(3), factors)
    x = tf.constant(20.0 * rng.normal(size=(200, 3)), tf.float32)

    def flattest(found):
        diagonals = np.log(np.diagonal(found.factors, axis1=1, axis2=2))
        parameters = (found.log_weights, found.means, diagonals, found.factors)
        parameters = (tf.cast(p, tf.float32) for p in parameters)
        return np.min(rosenblatt.gaussianize(x, *parameters)[1])

    # The inverse multiplies what float32 rounds, about 1e-7, by exp(-log-slope): the
    # round trip needs 1e-4, of which this leaves a tenth.
    assert flattest(narrow) < np.log(1e-4)
    wide = components.with_background(narrow)
    assert flattest(wide) > np.log(1e-2)
    np.testing.assert_allclose(np.exp(wide.log_weights).sum(), 1.0)
    np.testing.assert_allclose(wide.means[-1], narrow.means.mean(axis=0))
