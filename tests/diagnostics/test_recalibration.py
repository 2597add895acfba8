"""Calibration: wrong levels are mended, right ones stay, sets hold what they say."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats
from tensorflow_probability import distributions as tfd

import tfp_flows as tfpf
from tfp_flows.diagnostics import recalibration
from tfp_flows.distributions import Recalibrated

SPLINE = recalibration._fitted(stats.beta(3, 2).ppf((np.arange(200) + 0.5) / 200), 1.0)


def linear(scale):
    """Return a flow of numbers that is a normal of mean 0 and this deviation."""
    flow = tfpf.flows.build("linear", (), 1, dtype="float64", base="normal", seed=0)
    rows = scale * stats.norm.ppf((np.arange(500) + 0.5) / 500)
    flow.adapt(rows, np.zeros([500, 1]) + np.arange(500)[:, None] % 2)
    return flow


def rows(count, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=count), rng.integers(2, size=[count, 1]).astype(float)


def test_recalibrated_density_integrates_to_one_and_inverts():
    density = Recalibrated(tfd.Normal(tf.constant(0.0, tf.float64), 1.0), *SPLINE)
    grid = np.linspace(-9.0, 9.0, 20_001)
    total = integrate.trapezoid(density.prob(tf.constant(grid)), grid)
    assert total == pytest.approx(1.0, abs=1e-6)
    x = tf.constant([-1.0, 0.3, 2.0], tf.float64)
    np.testing.assert_allclose(density.quantile(density.cdf(x)), x, atol=1e-9)
    draws = density.sample(4000, seed=1).numpy()
    assert stats.kstest(draws, lambda v: density.cdf(v).numpy()).pvalue > 0.01


@pytest.mark.slow
def test_levels_of_too_narrow_a_flow_are_mended():
    flow = linear(0.7)
    better = tfpf.calibrate(flow, *rows(500, 0))
    x, c = rows(1000, 1)
    before = np.asarray(flow.log_prob(x, c)).mean()
    assert better.log_prob(x, c).mean() > before + 0.05
    held = np.abs(better.cdf(x, c) - 0.5) <= 0.45
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    for ends in (better.interval(c), np.concatenate(better.highest_density(c))):
        held = (x >= ends[:, 0]) & (x <= ends[:, 1])
        assert held.mean() == pytest.approx(0.9, abs=0.03)


def test_levels_of_a_calibrated_flow_stay():
    flow = linear(1.0)
    better = tfpf.calibrate(flow, *rows(200, 3))
    x, c = rows(500, 1)
    gain = better.log_prob(x, c) - np.asarray(flow.log_prob(x, c))
    assert abs(gain.mean()) < 0.01


@pytest.mark.slow
def test_sets_hold_at_least_what_they_say_whatever_the_flow():
    flow, held = linear(0.4), []
    for seed in range(4):
        better = tfpf.calibrate(flow, *rows(60, seed))
        x, c = rows(1000, 100 + seed)
        ends = better.interval(c)
        held.append(np.mean((x >= ends[:, 0]) & (x <= ends[:, 1])))
    assert np.mean(held) == pytest.approx(0.9 + 0.5 / 61, abs=0.03)


def test_a_set_of_two_modes_has_two_parts():
    grid = np.linspace(-3.0, 3.0, 101)
    log_density = np.logaddexp(-8 * (grid - 1.5) ** 2, -8 * (grid + 1.5) ** 2)
    found = recalibration._parts(grid, log_density, 0.6)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found.mean(axis=1), [-1.5, 1.5], atol=0.05)


def test_a_promise_that_rows_cannot_keep_has_no_ends():
    better = tfpf.calibrate(linear(1.0), *rows(50, 0))
    assert np.all(np.isinf(better.interval([[0.0]], coverage=0.99)))
    assert np.all(np.isinf(better.highest_density([[0.0]], coverage=0.99)[0]))


def test_few_rows_and_other_flows_are_refused():
    with pytest.raises(ValueError, match="at least 50 rows"):
        tfpf.calibrate(linear(1.0), *rows(49, 0))
    with pytest.raises(ValueError, match="must be of numbers"):
        tfpf.calibrate(tfpf.flows.build("linear", 2), *rows(60, 0))
    with pytest.raises(ValueError, match="must be finite"):
        tfpf.calibrate(linear(1.0), np.full(60, np.nan), rows(60, 0)[1])
