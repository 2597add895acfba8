"""Knots through empirical quantiles, with fitted tails."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tfp_flows.math.gaussianization import quantiles

RNG = np.random.default_rng(0)


def test_knots_of_an_affine_map():
    x, z, log_slopes = quantiles.affine_knots(
        np.array([1.0, -2.0]), np.array([0.5, 4.0]), 6
    )
    np.testing.assert_allclose(z[1], np.linspace(-5.0, 5.0, 7))
    np.testing.assert_allclose(x, [1.0 + 0.5 * z[0], -2.0 + 4.0 * z[1]])
    np.testing.assert_allclose(np.exp(log_slopes), [[2.0] * 7, [0.25] * 7])


def test_slopes_at_knots_lie_between_those_of_the_bins():
    x = np.array([[0.0, 1.0, 3.0, 4.0]])
    np.testing.assert_allclose(quantiles.harmonic_slopes(x, 2.0 * x), np.log(2.0))
    # Bins of slopes 1, 4, 2 and heights 1, 8, 2.
    values = np.array([[0.0, 1.0, 9.0, 11.0]])
    found = quantiles.harmonic_slopes(x, values)[0]
    logs = np.log([1.0, 4.0, 2.0])
    inner = [
        (8.0 * logs[0] + 1.0 * logs[1]) / 9.0,
        (2.0 * logs[1] + 8.0 * logs[2]) / 10.0,
    ]
    np.testing.assert_allclose(found, [logs[0], *inner, logs[2]])


def test_slopes_converge_with_the_bins():
    for bins in (20, 80):
        x = np.linspace(0.0, 2.0, bins + 1)[np.newaxis]
        found = quantiles.harmonic_slopes(x, np.exp(x))
        np.testing.assert_allclose(found[0, 1:-1], x[0, 1:-1], atol=2.0 / bins**2)


def test_pareto_fit_finds_the_shape():
    for shape in (-0.5, 0.3):
        u = RNG.uniform(size=(20_000, 2))
        x = np.sort((u**-shape - 1) / shape, axis=0)
        found, scale = quantiles.fit_pareto(x)
        np.testing.assert_allclose(found, shape, atol=0.06)
        np.testing.assert_allclose(scale, 1.0, atol=0.06)


def test_maps_of_known_distributions_are_found():
    levels = (np.arange(20_000) + 0.5) / 20_000
    for distribution, largest in (
        (stats.norm(3.0, 2.0), 0.02),
        (stats.uniform(), 0.02),
        (stats.gamma(3.0), 0.02),
    ):
        x = distribution.ppf(levels)[:, np.newaxis]
        knots, values, log_slopes = quantiles.quantile_knots(x, 40, 60)
        inner = np.abs(values[0]) < 2.5
        found = stats.norm.ppf(distribution.cdf(knots[0, inner]))
        np.testing.assert_allclose(found, values[0, inner], atol=largest)
        central = np.abs(values[0]) < 1.5
        slopes = distribution.pdf(knots) / stats.norm.pdf(values)
        np.testing.assert_allclose(
            log_slopes[0, central], np.log(slopes[0, central]), atol=0.03
        )


def test_normal_tails_go_on_and_ends_are_kept():
    levels = (np.arange(5000) + 0.5) / 5000
    x = np.stack([stats.norm.ppf(levels), levels], axis=1)
    knots, values, _ = quantiles.quantile_knots(x, 16, 32)
    # Beyond the data a normal tail is guessed to within a third of a deviation.
    assert abs(knots[0, -1] - values[0, -1]) < 0.35
    assert abs(knots[0, 0] - values[0, 0]) < 0.35
    # A uniform distribution ends: its knots stay near 0 and 1.
    assert -0.02 < knots[1, 0] < knots[1, -1] < 1.02


def test_quantile_knots_increase_even_with_ties():
    x = np.sort(RNG.integers(0, 3, size=(200, 4)).astype(float), axis=0)
    knots, values, log_slopes = quantiles.quantile_knots(x, 16, 32)
    assert knots.shape == values.shape == log_slopes.shape == (4, 33)
    assert np.all(np.diff(knots) > 0)
    assert np.all(np.diff(values) > 0)
    assert np.all(np.isfinite(log_slopes))
