"""Mixtures of many features, and kernel estimates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from tfp_flows.math.gaussianization import mixture_fits

FAMILIES = {"normal": stats.norm, "logistic": stats.logistic}


def log_likelihood(x, fitted, kind):
    log_weights, locations, log_scales = (part[0] for part in fitted)
    parts = FAMILIES[kind].pdf(x, locations, np.exp(log_scales))
    return np.log(parts @ np.exp(log_weights)).mean()


@pytest.mark.parametrize("kind", ["normal", "logistic"])
def test_features_are_fitted_as_if_each_were_alone(kind):
    rng = np.random.default_rng(0)
    # The first is done in a few steps, the others creep.
    x = np.stack([rng.normal(size=3000), rng.gamma(1.0, size=3000)], axis=1)
    x = np.concatenate([x, 1e3 + 5.0 * rng.standard_t(3, size=[3000, 1])], axis=1)
    together = mixture_fits.expectation_maximisation(x, 3, kind)
    for feature in range(3):
        alone = mixture_fits.expectation_maximisation(x[:, [feature]], 3, kind)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[[feature]], other, rtol=1e-6, atol=1e-6)


def test_weights_count_as_repeated_rows():
    rng = np.random.default_rng(2)
    x = rng.normal(size=[40, 2]) + 4.0 * rng.integers(0, 2, [40, 1])
    times = rng.integers(1, 4, size=40)
    repeated = np.repeat(x, times, axis=0)
    start = np.array([[0.0, 4.0], [0.0, 4.0]])
    weights = np.stack([times, times], axis=1).astype(float)
    found = [
        mixture_fits.expectation_maximisation(rows, 2, "normal", start=start, **more)
        for rows, more in ((x, {"weights": weights}), (repeated, {}))
    ]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_one_component_has_the_moments_of_the_rows():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(500, 1))
    log_weights, locations, log_scales = mixture_fits.expectation_maximisation(
        x, 1, "normal"
    )
    np.testing.assert_allclose(log_weights, 0.0, atol=1e-12)
    np.testing.assert_allclose(locations, [[x.mean()]])
    np.testing.assert_allclose(np.exp(log_scales), [[x.std()]])


def test_one_logistic_is_the_most_likely_one():
    x = stats.logistic(1.0, 2.0).rvs(size=(800, 1), random_state=1)
    _, locations, log_scales = mixture_fits.expectation_maximisation(x, 1, "logistic")
    wanted = stats.logistic.fit(x)
    found = locations[0, 0], np.exp(log_scales[0, 0])
    np.testing.assert_allclose(found, wanted, rtol=5e-3)


@pytest.mark.parametrize("kind", ["normal", "logistic"])
def test_likelihoods_never_fall_and_modes_are_found(kind):
    rng = np.random.default_rng(2)
    draw = FAMILIES[kind](0.0, 0.5).rvs(size=3000, random_state=2)
    x = (draw + np.where(rng.uniform(size=3000) < 0.3, -4.0, 2.0))[:, np.newaxis]
    fits = [
        mixture_fits.expectation_maximisation(x, 2, kind, max_steps=steps)
        for steps in (1, 2, 4, 8, 60)
    ]
    values = [log_likelihood(x, fitted, kind) for fitted in fits]
    assert np.all(np.diff(values) > -1e-9)
    log_weights, locations, log_scales = (part[0] for part in fits[-1])
    np.testing.assert_allclose(locations, [-4.0, 2.0], atol=0.1)
    np.testing.assert_allclose(np.exp(log_weights), [0.3, 0.7], atol=0.03)
    np.testing.assert_allclose(np.exp(log_scales), 0.5, atol=0.05)


def test_scales_of_ties_are_bounded_below():
    x = np.repeat([[0.0], [1.0]], 50, axis=0)
    _, _, log_scales = mixture_fits.expectation_maximisation(x, 2, "normal")
    np.testing.assert_allclose(np.exp(log_scales), 0.5 * mixture_fits.SMALLEST_SCALE)


def test_kernels_keep_the_mean_and_take_the_bandwidth():
    x = np.random.default_rng(3).gamma(2.0, size=(400, 2)) * [1.0, 5.0]
    log_weights, locations, log_scales = mixture_fits.kernels(x, 50, 0.3)
    weights = np.exp(log_weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    mean = np.sum(weights * locations, axis=1)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(locations[:, [0, -1]].T, [x.min(axis=0), x.max(axis=0)])
    np.testing.assert_allclose(np.exp(log_scales[:, 0]), 0.3 * x.std(axis=0))


def test_silverman_takes_the_smaller_spread_and_the_grid_is_a_bound():
    x = np.random.default_rng(4).standard_t(3, size=(500, 1))
    scale = np.exp(mixture_fits.kernels(x, 2000, None)[2][0, 0])
    quartiles = np.quantile(x, [0.25, 0.75])
    spread = min(np.diff(quartiles)[0] / 1.349, x.std())
    np.testing.assert_allclose(scale, 0.9 * spread * 500**-0.2)
    coarse = np.exp(mixture_fits.kernels(x, 5, None)[2][0, 0])
    np.testing.assert_allclose(coarse, (x.max() - x.min()) / 4.0)


@pytest.mark.parametrize("kind", ["normal", "logistic"])
def test_no_small_change_of_a_fit_is_more_likely(kind):
    rng = np.random.default_rng(5)
    parts = FAMILIES[kind]([-1.0, 1.0], [0.6, 1.0]).rvs([2000, 2], random_state=5)
    x = np.where(rng.uniform(size=2000) < 0.4, *parts.T)[:, np.newaxis]
    fitted = mixture_fits.expectation_maximisation(x, 2, kind, max_steps=2000)
    best = log_likelihood(x, fitted, kind)
    for part, place, step in itertools.product((1, 2), (0, 1), (-0.05, 0.05)):
        changed = [parameter.copy() for parameter in fitted]
        changed[part][0, place] += step
        assert log_likelihood(x, changed, kind) < best
