"""Conditional toys: entropies, normalisation, samplers and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from tfp_flows import datasets

# Values from other sources. That of the sinusoidal toy is a mean over 1000 evenly
# spaced conditions; the bimodal one is a Monte Carlo figure.
PUBLISHED = {
    "asymmetric_bimodal": (2.0183, 2e-4),
    "bimodal": (1.4177, 0.002),
    "sinusoidal": (1.5192, 0.002),
}


@pytest.mark.parametrize("name", datasets.conditional_toy_names())
def test_density_integrates_to_one_for_each_condition(name):
    x = np.linspace(-30, 40, 70_001)[:, None]
    for c in (-2.9, -1.3, -0.4, 0.5, 1.6, 2.8):
        log_p = datasets.conditional_toy_log_prob(name, x, np.full_like(x, c))
        # One-sided densities start anywhere within a cell of width 1e-3.
        np.testing.assert_allclose(np.exp(log_p).sum() * 1e-3, 1.0, atol=1e-3)


@pytest.mark.parametrize("name", datasets.conditional_toy_names())
def test_entropy_agrees_with_samples_and_published_values(name):
    x, condition = datasets.conditional_toy(name, 100_000, seed=2)
    log_p = datasets.conditional_toy_log_prob(name, x, condition)
    entropy = datasets.conditional_toy_entropy(name)
    # x is rounded to float32, which can move it over the edge of a one-sided density.
    inside = np.isfinite(log_p)
    assert inside.mean() > 0.9999
    error = log_p[inside].std() / np.sqrt(inside.sum())
    assert error < 0.006
    assert abs(-log_p[inside].mean() - entropy) < 4 * error
    value, tolerance = PUBLISHED[name]
    assert abs(entropy - value) <= tolerance


def test_sinusoidal_entropy_over_evenly_spaced_conditions():
    c = np.linspace(-3, 3, 1000)
    mean = 0.5 * np.log(2 * np.pi * np.e) + np.log(np.abs(c)).mean()
    assert mean == pytest.approx(1.51924, abs=1e-5)


@pytest.mark.parametrize("name", datasets.conditional_toy_names())
def test_pairs_are_float32_and_seeded(name):
    x, condition = datasets.conditional_toy(name, 40, seed=5)
    assert x.shape == condition.shape == (40, 1)
    assert x.dtype == condition.dtype == np.float32
    again = datasets.conditional_toy(name, 40, seed=5)
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(condition, again[1])
    assert not np.array_equal(x, datasets.conditional_toy(name, 40, seed=6)[0])


def test_draws_for_given_conditions():
    c = np.repeat(np.linspace(-3, 3, 7), 4_000)
    x, condition = datasets.conditional_toy("sinusoidal", len(c), 3, condition=c)
    np.testing.assert_array_equal(condition[:, 0], c.astype(np.float32))
    spread = x.reshape(7, -1).std(axis=1)
    np.testing.assert_allclose(spread, np.abs(np.linspace(-3, 3, 7)), rtol=0.06)


@pytest.mark.parametrize(
    "condition", [np.zeros(3), np.zeros([4, 2]), [0, 1, 2, np.nan]]
)
def test_conditions_that_do_not_fit_are_refused(condition):
    with pytest.raises(ValueError, match="4 finite numbers"):
        datasets.conditional_toy("bimodal", 4, condition=condition)


def test_branches_meet_for_positive_conditions():
    x, condition = datasets.conditional_toy("asymmetric_bimodal", 5000)
    above = x - 5 * np.sin(condition)
    assert (above[condition > 0] >= -1e-5).all()
    left = condition < 0
    jumped = above[left] > 10 * np.abs(np.sin(condition[left]))
    assert 0.4 < jumped.mean() < 0.8


def test_wrong_arguments_are_explained():
    with pytest.raises(
        ValueError, match=r"`name` must be one of .*'sinusoidal', got 'x'"
    ):
        datasets.conditional_toy("x", 3)
    with pytest.raises(
        ValueError, match=r"one shape \[\.\.\., 1\], got \(3, 1\) and \(3,"
    ):
        datasets.conditional_toy_log_prob("bimodal", np.zeros((3, 1)), np.zeros(3))
