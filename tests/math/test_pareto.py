"""The generalised Pareto distribution, and weights whose tail is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfp_flows.math import pareto

LEVELS = np.array([0.0, 0.01, 0.5, 0.99, 0.99999])


@pytest.mark.parametrize("shape", [-0.4, 0.0, 1e-14, 0.3, 1.5])
def test_quantiles_are_those_of_scipy(shape):
    wanted = stats.genpareto.ppf(LEVELS, shape, scale=2.5)
    np.testing.assert_allclose(pareto.quantile(LEVELS, shape, 2.5), wanted, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e12])
@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.3, 0.9, 1.5])
def test_fit_recovers_shape_and_scale_in_any_unit(shape, scale):
    x = scale * stats.genpareto.rvs(shape, size=20_000, random_state=1)
    found, found_scale = pareto.fit(x)
    assert found == pytest.approx(shape, abs=4.0 * (1.0 + shape) / math.sqrt(20_000))
    assert found_scale == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize(("deviation", "shape"), [(1.2, 1 - 1.2**-2), (3.0, 8 / 9)])
def test_shape_of_normal_weights_is_one_minus_the_ratio_of_variances(deviation, shape):
    x = np.random.default_rng(0).normal(size=200_000)
    wide = stats.norm(scale=deviation)
    found = pareto.smooth(wide.logpdf(x) - stats.norm.logpdf(x))[1]
    assert found == pytest.approx(shape, abs=0.1)  # the tail is one only in the limit


def test_bounded_weights_have_a_small_shape_and_keep_their_mean():
    x = np.random.default_rng(0).normal(size=20_000)
    log_weights = stats.norm.logpdf(x, scale=0.8) - stats.norm.logpdf(x)
    smoothed, shape = pareto.smooth(log_weights)
    assert shape < 0.1
    assert np.exp(smoothed).mean() == pytest.approx(1.0, abs=0.01)


def test_smoothing_keeps_order_maximum_and_what_is_below_the_tail():
    given = np.random.default_rng(2).normal(scale=3.0, size=1000) + 1e5
    smoothed, _ = pareto.smooth(given)
    assert smoothed.max() <= given.max()
    assert np.all(np.diff(smoothed[np.argsort(given)]) >= 0.0)
    assert np.sum(smoothed != given) <= pareto.tail_size(1000) == 95


def test_weights_of_zero_stay_zero():
    given = np.full(1000, -np.inf)
    given[:20] = np.linspace(0.0, 1.0, 20)
    smoothed, shape = pareto.smooth(given)
    assert np.all(np.isneginf(smoothed[20:]))
    assert math.isfinite(shape)


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (np.zeros(1000), -math.inf),  # the proposal is the target
        (np.zeros(20), math.inf),  # too few to tell
        (np.r_[np.zeros(3), np.full(997, -np.inf)], math.inf),
    ],
)
def test_shape_of_equal_and_of_few_weights(given, shape):
    smoothed, found = pareto.smooth(given)
    assert found == shape
    np.testing.assert_array_equal(smoothed, given)


def test_spread_beyond_the_range_of_floats_is_a_heavy_tail_not_an_error():
    smoothed, shape = pareto.smooth(np.linspace(-1e4, 0.0, 1000))
    assert shape > 1.0
    assert np.all(np.isfinite(smoothed))
